import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationError } from "../../../src/cluster/operations.ts";
import { CliWorld } from "./cli-support.ts";

test("exit codes: ok, failed, usage, unreachable, no quorum", async () => {
  const world = new CliWorld();
  assert.equal((await world.run("status")).exit, 0);
  assert.equal((await world.run("version")).exit, 0);
  assert.equal((await world.run("--help")).exit, 0);
  assert.equal((await world.run("syncer", "check")).exit, 1);
  assert.equal((await world.run("replica", "kick", "other")).exit, 1);
  for (const argv of [
    ["stats"],
    ["status", "--jsn"],
    ["replica", "kick"],
    ["account", "set", "x"],
    [],
    ["syncer"],
  ]) {
    assert.equal((await world.run(...argv)).exit, 2, argv.join(" "));
  }
  world.node.fail = new OperationError("unavailable", "The disk is full");
  assert.equal((await world.run("syncer", "start")).exit, 1);
  world.node.fail = new OperationError("no-quorum", "There is no leader", "try again");
  const undecided = await world.run("syncer", "start");
  assert.equal(undecided.exit, 4);
  assert.equal(undecided.stderr, "binraft: There is no leader (BR4011)\n  next: try again\n");
  world.up = false;
  const { exit, stderr } = await world.run("status");
  assert.equal(exit, 3);
  assert.match(
    stderr,
    /Cannot reach a node at http:\/\/127\.0\.0\.1:8306: ECONNREFUSED \(BR5001\)\n {2}next: start it/,
  );
});

test("errors are a sentence with a code and the next step, never a stack", async () => {
  const world = new CliWorld();
  world.env["BINRAFT_TOKEN"] = "wrong";
  const refused = await world.run("status");
  assert.equal(refused.exit, 1);
  assert.equal(
    refused.stderr,
    "binraft: The token is wrong (BR4001)\n" +
      "  next: give it with --token or BINRAFT_TOKEN; it is in the node's data directory, admin-token\n",
  );
  assert.ok(!refused.stderr.includes("    at "));
  assert.match((await world.run("status", "--debug")).stderr, /\n {4}at /);
  const typo = await world.run("stats");
  assert.match(typo.stderr, /unknown command 'stats'/);
  assert.match(typo.stderr, /Did you mean status/);
});

test("the token comes from the flag, the environment, or the data directory", async () => {
  const world = new CliWorld();
  const token = world.token;
  world.env["BINRAFT_TOKEN"] = undefined;
  assert.equal((await world.run("status")).exit, 1);
  assert.equal((await world.run("status", "--token", token)).exit, 0);
  world.file("./data/admin-token", `${token}\n`);
  assert.equal((await world.run("status")).exit, 0);
  world.file("binraft.toml", '[admin]\ntoken_file = "secret"\n');
  assert.equal((await world.run("status")).exit, 1);
  world.file("secret", token);
  assert.equal((await world.run("status")).exit, 0);
});

test("a URL must be one", async () => {
  const world = new CliWorld();
  assert.equal((await world.run("status", "--server", "127.0.0.1:8306")).exit, 2);
  world.env["BINRAFT_URL"] = "http://localhost:8306/";
  assert.equal((await world.run("status")).exit, 0);
});

test("--json prints what the API answers", async () => {
  const world = new CliWorld();
  const status = JSON.parse((await world.run("status", "--json")).stdout) as Record<
    string,
    unknown
  >;
  assert.deepEqual(status["clusterId"], "c1d");
  assert.deepEqual(status["followers"], []);
  for (const argv of [
    "syncer show",
    "server show",
    "replica list",
    "account list",
    "binlog list",
    "version",
  ]) {
    JSON.parse((await world.run(...argv.split(" "), "--json")).stdout);
  }
});

test("accept-gap, accept-unproved and new-timeline only explain until the cluster is named", async () => {
  const world = new CliWorld();
  assert.equal((await world.run("syncer", "accept-gap")).exit, 2);
  world.node.syncerState = "GAP";
  const asked = await world.run("syncer", "accept-gap");
  assert.equal(asked.exit, 2);
  const set = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";
  assert.match(asked.stdout, new RegExp(`binraft syncer accept-gap '${set}' --confirm c1d`));
  assert.match(asked.stdout, /Nothing was changed/);
  for (const verb of ["accept-unproved", "new-timeline"]) {
    const explained = await world.run("syncer", verb);
    assert.equal(explained.exit, 2);
    assert.match(explained.stdout, new RegExp(`binraft syncer ${verb} --confirm c1d`));
  }
  assert.deepEqual(world.node.calls, []);
  assert.equal((await world.run("syncer", "accept-gap", set, "--confirm", "c1d")).exit, 0);
  assert.equal((await world.run("syncer", "accept-unproved", "--confirm", "c1d")).exit, 0);
  assert.equal((await world.run("syncer", "new-timeline", "--confirm", "c1d")).exit, 0);
  assert.deepEqual(world.node.calls, [
    `accept-gap ${set} c1d`,
    "accept-unproved c1d",
    "new-timeline c1d",
  ]);
});

test("syncer set sends only what was given, and what is in the files, which it reads itself", async () => {
  const world = new CliWorld();
  world.file("/here/pw", "s3cret\n");
  world.file("/here/ca", "-----BEGIN CERTIFICATE-----");
  const flags = [
    "--password-file",
    "/here/pw",
    "--tls-ca",
    "/here/ca",
    "--tls-key",
    "",
    "--tls",
    "verify-ca",
    "--semi-sync",
    "false",
    "--server-id",
    "7",
  ];
  assert.equal((await world.run("syncer", "set", "mysql://u@db:3310", ...flags)).exit, 0);
  assert.equal((await world.run("syncer", "set", "--native-password", "true")).exit, 0);
  assert.equal((await world.run("syncer", "set", "--password-ref", "env:BINRAFT_X")).exit, 0);
  assert.deepEqual(world.node.calls, [
    'set {"host":"db","port":3310,"user":"u","tls":"verify-ca","tlsCa":"-----BEGIN CERTIFICATE-----",' +
      '"tlsKey":null,"semiSync":false,"serverId":7,"password":"s3cret"}',
    'set {"nativePassword":true}',
    'set {"passwordRef":"env:BINRAFT_X"}',
  ]);
  const secret = await world.run("syncer", "set", "mysql://u:hunter2@db");
  assert.equal(secret.exit, 2);
  assert.ok(!secret.stderr.includes("hunter2"));
  assert.equal((await world.run("syncer", "set")).exit, 2);
  assert.equal((await world.run("syncer", "set", "--semi-sync", "maybe")).exit, 2);
  assert.equal((await world.run("syncer", "set", "--tls", "maybe")).exit, 1);
});

test("syncer show says that the source does not wait, and what its checks warn of", async () => {
  const world = new CliWorld();
  assert.match((await world.run("syncer", "show")).stdout, /semi-sync +on, no ACK yet\n/);
  world.node.semiSyncSource = { active: false, commitsWithoutAck: 3, otherReplicas: 0 };
  world.node.checks = [
    { name: "gtid_mode", level: "ok", message: "gtid_mode is ON" },
    { name: "errant_transactions", level: "warn", message: "The new source has u:1" },
  ];
  const { stdout } = await world.run("syncer", "show");
  assert.match(
    stdout,
    /semi-sync +on, but the source does not wait, 3 commits without an ACK, no ACK yet\n/,
  );
  assert.match(stdout, /warn {2}errant_transactions {2}The new source has u:1\n/);
  assert.ok(!stdout.includes("gtid_mode"));
  const { syncer } = JSON.parse((await world.run("status", "--json")).stdout) as {
    syncer: Record<string, unknown>;
  };
  assert.deepEqual(syncer["semiSyncSource"], world.node.semiSyncSource);
});

test("account set turns the password into verifiers, which alone travel", async () => {
  const world = new CliWorld();
  world.file("/pw", "replica-password\n");
  assert.equal((await world.run("account", "set", "repl", "--password-file", "/pw")).exit, 0);
  const [call] = world.node.calls;
  assert.match(call!, /^account repl [0-9a-f]{64} null$/);
  assert.equal(
    (await world.run("account", "set", "old", "--password-file", "/pw", "--native")).exit,
    0,
  );
  assert.match(world.node.calls[1]!, /^account old [0-9a-f]{64} [0-9a-f]{40}$/);
  assert.equal(
    (await world.run("account", "set", "cdc", "--password-file", "/pw", "--metadata")).exit,
    0,
  );
  assert.match(world.node.calls[2]!, /^account cdc [0-9a-f]{64} null metadata$/);
  assert.match((await world.run("account", "list")).stdout, /METADATA/);
  world.file("/empty", "\n");
  const refused = await world.run("account", "set", "repl", "--password-file", "/empty");
  assert.equal(refused.exit, 1);
  assert.match(refused.stderr, /BR1006/);
});

test("status ends with 0 when all is well, 1 with an alarm, 4 without a quorum or a leader", async () => {
  const world = new CliWorld();
  assert.equal((await world.run("status")).exit, 0);
  world.node.alarms = ["The disk is full"];
  const alarmed = await world.run("status");
  assert.equal(alarmed.exit, 1);
  assert.match(alarmed.stdout, /^! The disk is full\n\n/, "alarms come first");
  world.node.members = world.node.members.map((member) => ({ ...member, connected: false }));
  assert.equal((await world.run("status", "--json")).exit, 4);
  world.node.leaderId = 0;
  assert.equal((await world.run("status")).exit, 4);
});

test("a file that is there is not replaced unless that is said", async () => {
  const world = new CliWorld();
  world.file("/out", "mine");
  for (const verb of [
    ["backup", "/out"],
    ["binlog", "export", "b.000001", "--output", "/out"],
  ]) {
    const refused = await world.run(...verb);
    assert.equal(refused.exit, 1);
    assert.match(
      refused.stderr,
      /^binraft: "\/out" is there already \(BR5004\)\n {2}next: .*--force/,
    );
    assert.equal(new TextDecoder().decode(world.files.get("/out")), "mine");
    assert.equal((await world.run(...verb, "--force")).exit, 0);
    assert.notEqual(new TextDecoder().decode(world.files.get("/out")), "mine");
    world.file("/out", "mine");
  }
});

test("binlog export writes the bytes, purge shows what goes", async () => {
  const world = new CliWorld();
  const exported = await world.run("binlog", "export", "b.000001", "--output", "/out");
  assert.equal(exported.exit, 0, exported.stderr);
  assert.equal(world.files.get("/out")?.length, 6);
  assert.equal((await world.run("binlog", "export", "x")).exit, 1);
  assert.match(
    (await world.run("binlog", "purge", "--to", "b.000001", "--dry-run")).stdout,
    /Would drop 1 file/,
  );
  assert.deepEqual(world.node.calls, ["purge b.000001 true"]);
});

test("wrong configuration ends start with 2 and every problem", async () => {
  const world = new CliWorld();
  world.file("binraft.toml", '[node]\nregoin = "x"\n[listen]\nmysql = "x"\n');
  const { exit, stderr } = await world.run("start");
  assert.equal(exit, 2);
  assert.match(
    stderr,
    /did you mean "region"\? \(BR1003\)\nbinraft: Invalid value "x" for listen\.mysql.*\(BR1004\)\n$/,
  );
  assert.equal((await world.run("start", "--config", "other.toml")).exit, 2);
  assert.equal((await world.run("start", "--node-server-id", "x")).exit, 2);
});

test("demo gets the arguments behind it", async () => {
  assert.equal((await new CliWorld().run("demo", "--seconds", "5")).exit, 2);
});

test("doctor tells a wrong configuration and a node that is down", async () => {
  const world = new CliWorld();
  world.up = false;
  const down = await world.run("doctor");
  assert.match(down.stdout, /warn {2}node +No node answers/);
  assert.match(down.stdout, /ok {4}data_dir/);
  assert.match(down.stdout, /ok {4}ports +listen\.mysql 127\.0\.0\.1:3307 is free/);
  world.file("binraft.toml", "[nod]\n");
  const wrong = await world.run("doctor");
  assert.equal(wrong.exit, 1);
  assert.match(wrong.stdout, /fail {2}config +Unknown section "\[nod\]"/);
});

test("verbs reach a node of this machine that listens on all addresses by loopback", async () => {
  for (const any of ["0.0.0.0:8306", "[::]:8306"]) {
    const world = new CliWorld();
    world.file(
      "binraft.toml",
      `[listen]\nadmin = "${any}"\n[admin]\ntoken_file = "t"\ntls_cert = "c"\ntls_key = "k"`,
    );
    // Its guard knows no other name than those of loopback.
    const { exit, stderr } = await world.run("status");
    assert.equal(exit, 0, `${any}: ${stderr}`);
  }
});
