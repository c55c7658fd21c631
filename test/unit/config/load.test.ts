import assert from "node:assert/strict";
import { test } from "node:test";
import { flagName, OPTIONS, variableName } from "../../../src/config/options.ts";
import { load, problems } from "./config-support.ts";

test("loadConfig without anything is a node on loopback", async () => {
  const { config, file } = await load({});
  assert.equal(file, "");
  assert.equal(config.node.name, "host-1.example".replace("-", "_"));
  assert.equal(config.node.dataDir, "/cwd/data");
  assert.deepEqual(config.listen.mysql, { host: "127.0.0.1", port: 3307 });
  assert.deepEqual(config.listen.admin, { host: "127.0.0.1", port: 8306 });
  assert.equal(config.storage.segmentBytes, 128 * 1024 * 1024);
  assert.equal(config.source, null);
  assert.equal(config.cluster, null);
});

test("loadConfig takes flag before environment before file before default", async () => {
  const toml = '[node]\nregion = "file"\nname = "file"\n[storage]\nsegment_bytes = "1MiB"';
  const env = { BINRAFT_NODE_REGION: "env", BINRAFT_STORAGE_RETENTION_HOURS: "24" };
  const { config } = await load({ toml, env, flags: { "node.region": "flag" } });
  assert.equal(config.node.region, "flag");
  assert.equal(config.node.name, "file");
  assert.equal(config.storage.segmentBytes, 1024 * 1024);
  assert.equal(config.storage.retentionHours, 24);
  assert.equal((await load({ toml, env })).config.node.region, "env");
});

test("loadConfig takes every option by flag and by environment as text", async () => {
  const samples: Record<string, string> = {
    TEXT: "mysql://u@h:3306",
    NAME: "name-1",
    PATH: "some/path",
    "true|false": "true",
    "HOST:PORT": "127.0.0.1:9",
    "HOST[:PORT]": "nodes.example",
    "HOST:PORT,…": "127.0.0.1:1,[::1]:2",
    NUMBER: "7",
    SIZE: "1MiB",
  };
  for (const option of OPTIONS) {
    const name = `${option.section}.${option.key}`;
    const sample = samples[option.kind.label] ?? option.kind.label.split("|")[0]!;
    const found = [
      ...(await problems({ flags: { [name]: sample } })),
      ...(await problems({ env: { [variableName(option)]: sample } })),
    ];
    const typed = found.filter(
      (message) => message.startsWith("Invalid") || message.startsWith("Unknown"),
    );
    assert.deepEqual(typed, [], flagName(option));
  }
});

test("loadConfig refuses unknown names and suggests the nearest", async () => {
  assert.deepEqual(await problems({ toml: '[node]\nregoin = "x"' }), [
    'Unknown key "node.regoin" in "binraft.toml"; did you mean "region"?',
  ]);
  assert.deepEqual(await problems({ toml: "[sorce]\n" }), [
    'Unknown section "[sorce]" in "binraft.toml"; did you mean "source"?',
  ]);
  assert.deepEqual(await problems({ toml: "node = 1" }), [
    '"node" in "binraft.toml" is a value: write it as a section, [node]',
  ]);
  assert.deepEqual(await problems({ env: { BINRAFT_NODE_REGON: "x" } }), [
    'Unknown variable BINRAFT_NODE_REGON in the environment; did you mean "BINRAFT_NODE_REGION"?',
  ]);
  assert.match(
    (await problems({ env: { BINRAFT_ACCOUNTS_REPL: "x" } }))[0]!,
    /binraft account set/,
  );
  assert.match(
    (await problems({ toml: "[a.__proto__]\nx = 1" }))[0] ?? "refused",
    /Unknown section|refused/,
  );
});

test("loadConfig lets the reserved variables be", async () => {
  const env = {
    BINRAFT_URL: "x",
    BINRAFT_TOKEN: "x",
    BINRAFT_MYSQLD: "x",
    BINRAFT_ETCD_RAFT_TESTDATA: "x",
    BINRAFT_TEST_SOURCE_PASSWORD: "x",
    PATH: "x",
  };
  assert.deepEqual(await problems({ env }), []);
});

test("loadConfig reports all problems at once, with place and expectation", async () => {
  const toml = '[node]\nserver_id = -1\n[listen]\nmysql = "nowhere"\n[source]\ntls = "maybe"';
  assert.deepEqual(await problems({ toml }), [
    'Invalid value "-1" for node.server_id from "binraft.toml": expected a whole number from 1 to 4294967295',
    'Invalid value "nowhere" for listen.mysql from "binraft.toml": expected an address and a port, ' +
      'such as "127.0.0.1:3307" or "[::1]:3307"',
    'Invalid value "maybe" for source.tls from "binraft.toml": expected "disabled", "verify-ca", "verify-identity"',
  ]);
  assert.deepEqual(
    await problems({ toml: "[node\n", file: "x.toml" }).then((found) => found.length),
    1,
  );
  assert.match(
    (await problems({ file: "x.toml" }))[0]!,
    /Cannot read the configuration file "x.toml": ENOENT/,
  );
});

test("loadConfig takes secrets by reference only", async () => {
  const source = '[source]\nurl = "mysql://u@db"\n';
  const fromFile = await load({
    toml: `${source}password_file = "secrets/pw"`,
    file: "/etc/b/binraft.toml",
  });
  assert.equal(fromFile.config.source?.passwordRef, "file:/etc/b/secrets/pw");
  const env = { BINRAFT_SOURCE_PASSWORD: "hunter2" };
  const fromEnv = await load({ toml: `${source}password_file = "pw"`, env });
  assert.equal(fromEnv.config.source?.passwordRef, "env:BINRAFT_SOURCE_PASSWORD");
  assert.ok(!JSON.stringify(fromEnv.config).includes("hunter2"));
  const flags = { "source.password_file": "here" };
  assert.equal(
    (await load({ toml: source, env, flags })).config.source?.passwordRef,
    "file:/cwd/here",
  );
  const both = { ...env, BINRAFT_SOURCE_PASSWORD_FILE: "f" };
  assert.match((await problems({ toml: source, env: both }))[0]!, /unset one/);
  assert.deepEqual(await problems({ toml: `${source}password = "hunter2"` }), [
    'Unknown key "source.password" in "binraft.toml"; secrets do not stand in this file: ' +
      'name a file with "password_file"',
  ]);
});

test("loadConfig never repeats a password that was put into the URL", async () => {
  const found = await problems({ toml: '[source]\nurl = "mysql://u:hunter2@db:3306"' });
  assert.match(found.join(), /password_file/);
  assert.ok(!found.join().includes("hunter2"));
  const secret = await problems({
    toml: '[source]\nurl = "mysql://u@db"\npassword_file = ["hunter2"]',
  });
  assert.ok(!secret.join().includes("hunter2"));
});

test("loadConfig reads accounts, each with a password file", async () => {
  const toml =
    '[accounts]\nrepl = { password_file = "pw" }\nold = { password_file = "/abs", native = true, metadata = true }';
  const { config } = await load({ toml, file: "/etc/binraft.toml" });
  assert.deepEqual(config.accounts, [
    { name: "repl", passwordRef: "file:/etc/pw", native: false, metadata: false },
    { name: "old", passwordRef: "file:/abs", native: true, metadata: true },
  ]);
  assert.match(
    (await problems({ toml: "[accounts]\nrepl = { native = true }" }))[0]!,
    /no password/,
  );
  assert.match((await problems({ toml: '[accounts]\nrepl = "pw"' }))[0]!, /expected repl = \{/);
  assert.match(
    (await problems({ toml: '[accounts]\nrepl = { pasword_file = "x" }' }))[0]!,
    /did you mean/,
  );
});
