import assert from "node:assert/strict";
import { test } from "node:test";
import { load, problems } from "./config-support.ts";

test("normalise wants a password for the source's user, and a url for the rest", async () => {
  const found = await problems({ toml: '[source]\nurl = "mysql://binraft@db"' });
  assert.match(
    found[0]!,
    /No password for the source's user "binraft".*source\.password_file.*BINRAFT_SOURCE_PASSWORD/,
  );
  assert.match(
    (await problems({ toml: "[source]\nsemi_sync = false" }))[0]!,
    /source\.semi_sync is set and source\.url is not/,
  );
});

test("normalise keeps listeners apart", async () => {
  const same = '[listen]\nmysql = "127.0.0.1:3307"\nadmin = "127.0.0.1:3307"';
  assert.match(
    (await problems({ toml: same }))[0]!,
    /listen\.mysql and listen\.admin are both 127\.0\.0\.1:3307/,
  );
  // A node of its own has no listener for peers.
  const any = '[listen]\nmysql = "0.0.0.0:4306"';
  assert.deepEqual(await problems({ toml: any }), []);
  const clustered = `${any}\n[cluster]\nsecret_file = "s"`;
  assert.match((await problems({ toml: clustered }))[0]!, /its own port/);
  assert.deepEqual(
    await problems({ toml: '[listen]\nmysql = "127.0.0.1:0"\nadmin = "127.0.0.1:0"' }),
    [],
  );
});

test("normalise refuses an admin address off loopback without token and TLS", async () => {
  const open = '[listen]\nadmin = "0.0.0.0:8306"\n';
  assert.match((await problems({ toml: open }))[0]!, /can be reached from other machines/);
  assert.equal((await problems({ toml: `${open}[admin]\ntoken_file = "t"` })).length, 1);
  const safe = `${open}[admin]\ntoken_file = "t"\ntls_cert = "c"\ntls_key = "k"`;
  assert.deepEqual(await problems({ toml: safe }), []);
});

test("normalise wants certificates with their keys, and TLS options only with TLS", async () => {
  assert.match(
    (await problems({ toml: '[replicas]\ntls_cert = "c"' }))[0]!,
    /replicas\.tls_cert is set and replicas\.tls_key is not/,
  );
  const source = '[source]\nurl = "mysql://u@h"\npassword_file = "p"\n';
  assert.match(
    (await problems({ toml: `${source}tls = "disabled"\ntls_ca = "c"` }))[0]!,
    /leave these out/,
  );
  assert.match(
    (await problems({ toml: `${source}server_id = 9\n[node]\nserver_id = 9` }))[0]!,
    /each needs its own/,
  );
});

test("normalise wants of a cluster's node what the others need of it", async () => {
  const cluster = async (lines: string): Promise<string[]> =>
    problems({ toml: `[cluster]\n${lines}` });
  assert.match((await cluster('join = ["a:1"]'))[0]!, /cluster\.secret_file is not/);
  const listen = '[listen]\npeer = "0.0.0.0:4306"';
  assert.match((await cluster(`secret_file = "s"\n${listen}`))[0]!, /set cluster\.advertise/);
  assert.deepEqual(await cluster(`secret_file = "s"\nadvertise = "a:4306"\n${listen}`), []);
  const close = 'secret_file = "s"\nheartbeat_ms = 100\nelection_ms = 200';
  assert.match((await cluster(close))[0]!, /three times as much/);
  assert.match(
    (await cluster('secret_file = "s"\ndiscovery = "fly"'))[0]!,
    /no machine of Fly\.io.*cluster\.join/,
  );
});

test("normalise wants a name for discovery by DNS, and takes the port of the peers when it has none", async () => {
  const cluster = (lines: string): string => `[cluster]\nsecret_file = "/s"\n${lines}`;
  const dns = 'discovery = "dns"\n';
  assert.match((await problems({ toml: cluster(dns) }))[0]!, /discovery_name is not set/);
  const name = 'discovery_name = "nodes.example"';
  assert.match((await problems({ toml: cluster(name) }))[0]!, /is for cluster\.discovery "dns"/);
  const nameOf = async (toml: string) => (await load({ toml })).config.cluster!.discoveryName;
  assert.deepEqual(await nameOf(cluster(dns + name)), { host: "nodes.example", port: 4306 });
  const peer = '\n[listen]\npeer = "127.0.0.1:5000"';
  assert.deepEqual(await nameOf(cluster(dns + name + peer)), { host: "nodes.example", port: 5000 });
  const whole = cluster(`${dns}discovery_name = "nodes.example:77"`);
  assert.deepEqual(await nameOf(whole), { host: "nodes.example", port: 77 });
  assert.equal(await nameOf(cluster("")), null);
  assert.match(
    (await problems({ toml: cluster(`${dns}discovery_name = "a b"`) }))[0]!,
    /expected a name/,
  );
});

test("normalise takes a cluster's certificates all three or none, and then needs no secret", async () => {
  const tls = (...keys: string[]): string =>
    `[cluster]\n${keys.map((key) => `${key} = "/${key}"`).join("\n")}`;
  const { cluster } = (await load({ toml: tls("tls_ca", "tls_cert", "tls_key") })).config;
  assert.equal(cluster!.secretRef, null);
  assert.deepEqual(cluster!.tls, { ca: "/tls_ca", cert: "/tls_cert", key: "/tls_key" });
  assert.deepEqual(await problems({ toml: tls("tls_ca", "tls_key") }), [
    "cluster.tls_ca and cluster.tls_key are set and cluster.tls_cert is not: set all three or none",
  ]);
  assert.deepEqual(await problems({ toml: tls("secret_file", "tls_ca") }), [
    "cluster.tls_ca is set and cluster.tls_cert and cluster.tls_key are not: set all three or none",
  ]);
  const both = await load({ toml: tls("secret_file", "tls_ca", "tls_cert", "tls_key") });
  assert.equal(both.config.cluster!.secretRef, "file:/secret_file");
  assert.equal((await load({ toml: tls("secret_file") })).config.cluster!.tls, null);
});

test("normalise gives the source the shape of the replicated settings", async () => {
  const toml =
    '[source]\nurl = "mysql://us%40er@[::1]:3310"\npassword_file = "/p"\nnative_password = true';
  assert.deepEqual((await load({ toml })).config.source, {
    user: "us@er",
    host: "::1",
    port: 3310,
    passwordRef: "file:/p",
    tls: "verify-identity",
    tlsCa: null,
    tlsCert: null,
    tlsKey: null,
    publicKeyFile: null,
    semiSync: true,
    serverId: 4000,
    nativePassword: true,
    keepConnection: true,
    region: null,
  });
});
