/** What a machine of Fly.io is told by its environment, and when its proxy sends a request on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyHosting } from "../../../geo/fly.ts";
import type { Hosting } from "../../../src/cli/hosting.ts";
import type { NodeConfig } from "../../../src/config/node-config.ts";
import { load, problems } from "../config/config-support.ts";

const FLY = {
  FLY_APP_NAME: "demo",
  FLY_MACHINE_ID: "148ed193b0189",
  FLY_REGION: "fra",
  PRIMARY_REGION: "iad",
};
const SECRETS = { BINRAFT_CLUSTER_SECRET: "s", BINRAFT_ADMIN_TOKEN: "t" };
const hosting: Hosting = flyHosting(FLY)!;

async function configOf(env: Record<string, string>, toml?: string): Promise<NodeConfig> {
  return (await load({ env, hosting, ...(toml === undefined ? {} : { toml }) })).config;
}

test("Fly.io is where app and machine are named", () => {
  assert.equal(flyHosting({}), null);
  assert.equal(flyHosting({ FLY_APP_NAME: "demo" }), null);
  assert.equal(flyHosting({ FLY_MACHINE_ID: "m", FLY_APP_NAME: "" }), null);
  assert.equal(hosting.provider, "Fly.io");
});

test("a machine with its secrets needs no further configuration", async () => {
  const { node, listen, cluster, admin } = await configOf(SECRETS);
  assert.equal(node.name, "148ed193b0189");
  assert.equal(node.region, "fra");
  assert.deepEqual(listen, {
    mysql: { host: "::", port: 3307 },
    peer: { host: "::", port: 4306 },
    admin: { host: "::", port: 8306 },
  });
  assert.equal(cluster!.discovery, "fly");
  assert.deepEqual(cluster!.advertise, { host: "148ed193b0189.vm.demo.internal", port: 4306 });
  assert.equal(cluster!.secretRef, "env:BINRAFT_CLUSTER_SECRET");
  assert.equal(admin.tokenRef, "env:BINRAFT_ADMIN_TOKEN");
});

test("the source is where the primary region is, if there is one and nobody says otherwise", async () => {
  const source = {
    BINRAFT_SOURCE_URL: "mysql://u@h",
    BINRAFT_SOURCE_PASSWORD: "p",
  };
  const regionOf = async (env: Record<string, string>): Promise<string | null> =>
    (await configOf({ ...SECRETS, ...source, ...env })).source!.region;
  assert.equal(await regionOf({}), "iad");
  assert.equal(await regionOf({ BINRAFT_SOURCE_REGION: "ams" }), "ams");
  assert.equal((await configOf(SECRETS)).source, null);
  const alone = { ...SECRETS, BINRAFT_SOURCE_SEMI_SYNC: "false" };
  assert.match((await problems({ env: alone, hosting }))[0]!, /source\.semi_sync is set/);
});

test("what somebody wrote is stronger than what the machine says: file, environment, flag", async () => {
  const toml = '[node]\nregion = "file"\n[listen]\npeer = "[::]:5000"';
  const env = { ...SECRETS, BINRAFT_NODE_NAME: "env" };
  const { node, cluster, listen } = await configOf(env, toml);
  assert.deepEqual([node.region, node.name, listen.peer.port], ["file", "env", 5000]);
  assert.equal(cluster!.advertise.port, 5000);
  assert.equal(cluster!.advertise.host, "148ed193b0189.vm.demo.internal");
  const flags = { "cluster.advertise": "10.0.0.1:9", "cluster.discovery": "static" };
  const flagged = (await load({ env: SECRETS, hosting, flags })).config.cluster!;
  assert.deepEqual(flagged.advertise, { host: "10.0.0.1", port: 9 });
  assert.equal(flagged.discovery, "static");
});

test("missing secrets are asked for by Fly's own command, both at once", async () => {
  const found = await problems({ hosting });
  assert.equal(found.length, 2, found.join("\n"));
  assert.match(found[0]!, /no cluster secret: run fly secrets set BINRAFT_CLUSTER_SECRET=…/);
  assert.match(found[1]!, /run fly secrets set BINRAFT_ADMIN_TOKEN=…/);
});

test("on the private network the admin API needs a token and no TLS; elsewhere it needs both", async () => {
  assert.deepEqual(await problems({ hosting, env: SECRETS }), []);
  const elsewhere = { "listen.admin": "[::]:8306" };
  const [refused] = await problems({ env: SECRETS, flags: elsewhere });
  assert.match(refused!, /admin\.tls_cert/);
  const loopback = { "listen.admin": "127.0.0.1:8306" };
  const env = { BINRAFT_CLUSTER_SECRET: "s" };
  assert.deepEqual(await problems({ hosting, env, flags: loopback }), []);
});

test("what the environment says is checked like anything else, and named as its origin", async () => {
  const odd = flyHosting({ ...FLY, FLY_REGION: "no region" })!;
  assert.match((await problems({ hosting: odd, env: SECRETS }))[0]!, /node\.region from Fly\.io/);
});

test("fly-replay: of requests that came by the proxy and were not sent on yet", () => {
  const rule = (headers: Record<string, string>, peer = "abc.vm.demo.internal:4306") =>
    hosting.replay(new Headers(headers), peer);
  const sent = { name: "fly-replay", value: "instance=abc;timeout=5s;fallback=prefer_self" };
  assert.deepEqual(rule({ "Fly-Request-Id": "01J" }), sent);
  assert.deepEqual(rule({ "fly-client-ip": "10.0.0.1" }), sent);
  assert.equal(rule({}), null);
  assert.equal(rule({ "fly-request-id": "01J", "fly-replay-src": "instance=x" }), null);
  assert.equal(rule({ "fly-request-id": "01J", "fly-replay-failed": "x" }), null);
  assert.equal(rule({ "fly-request-id": "01J" }, "10.0.0.9:4306"), null, "no machine of this app");
});
