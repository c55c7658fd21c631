/**
 * A rolling update of an app on Fly.io under load: three machines in three regions behind a real source
 * whose commits wait for their ACK, and a replica. Each machine gets SIGTERM and comes back, the leader
 * too, and no commit that was acknowledged is lost.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { runChecks } from "../../demo/checks.ts";
import { Load } from "../../demo/load.ts";
import { MysqlServer } from "../../demo/mysql/server.ts";
import type { NodeProcess } from "../../demo/node-process.ts";
import { startReplica } from "../../demo/replica.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { ADMIN_TOKEN, FlyApp } from "../support/fly-app.ts";
import { ACCOUNT, createSourceUser, SOURCE_USER } from "../support/local-node.ts";
import { runBinraft } from "../support/run-binraft.ts";
import { waitFor } from "../support/wait-for.ts";

const DEADLINE_MS = 60_000;
const REGIONS = { d0001: "iad", b0002: "fra", a0003: "syd" } as const;

let source: MysqlServer;
let replica: MysqlServer;
let app: FlyApp;
let load: Load;
const nodes: NodeProcess[] = [];

before(async () => {
  source = await MysqlServer.start({ serverId: 1 });
  await createSourceUser(source);
  await source.exec(SCHEMA);
  await source.waitForAcks();
  replica = await MysqlServer.start({ serverId: 2 });
  load = new Load(source, { pauseMs: 2 });
  app = await FlyApp.start({
    env: {
      BINRAFT_SOURCE_URL: `mysql://${SOURCE_USER.user}@127.0.0.1:${source.port}`,
      BINRAFT_SOURCE_PASSWORD: SOURCE_USER.password,
      BINRAFT_SOURCE_TLS: "verify-ca",
      BINRAFT_SOURCE_TLS_CA: path.join(source.binlogDir, "ca.pem"),
    },
  });
});

after(async () => {
  // A commit that waits for an ACK ends with its server.
  for (const server of [source, replica]) await server?.remove();
  await load?.stop();
  await app?.stop();
});

async function binraft(...args: readonly string[]): Promise<void> {
  const at = ["--server", nodes[0]!.adminUrl, "--token", ADMIN_TOKEN];
  const ran = await runBinraft(app.folder, [...args, ...at]);
  assert.equal(ran.exit, 0, `binraft ${args.join(" ")}: ${ran.stderr}`);
}

async function commitsFlow(what: string): Promise<void> {
  const before = load.committed;
  const flows = (): boolean => load.committed >= before + 50;
  await waitFor(flows, { deadlineMs: DEADLINE_MS, what: `commits ${what}` });
}

async function leader(): Promise<NodeProcess> {
  const found = async (): Promise<NodeProcess | undefined> => {
    const { leaderName } = await nodes.find((node) => node.running)!.cluster();
    return nodes.find(({ name }) => name === leaderName);
  };
  return waitFor(found, { deadlineMs: DEADLINE_MS, what: "a leader" });
}

test("a rolling restart of all machines under load loses nothing that was acknowledged", async () => {
  try {
    for (const [id, region] of Object.entries(REGIONS)) {
      const node = await app.create(id, region);
      nodes.push(node);
      await node.start();
    }
    await startReplica(replica, { host: nodes[2]!.host, port: nodes[2]!.mysqlPort, ...ACCOUNT });
    load.start();
    await commitsFlow("with one voter");
    for (const { name } of nodes.slice(1)) {
      const ready = async (): Promise<boolean> => {
        const { members } = await nodes[0]!.cluster();
        return members.some((one) => one.name === name && one.connected && one.lagEntries! < 50);
      };
      await waitFor(ready, { deadlineMs: DEADLINE_MS, what: `${name} to catch up` });
      await binraft("member", "promote", name);
    }
    await commitsFlow("with three voters");
    const led = new Set<string>();
    for (const node of nodes) {
      led.add((await leader()).name);
      assert.equal(await node.stop(), 0, `${node.name} ends with 0`);
      await commitsFlow(`without ${node.name}`);
      await node.start();
      await commitsFlow(`with ${node.name} again`);
    }
    assert.ok(led.size > 1, `the leader was restarted, too: ${[...led]}`);
    await load.stop();
    const context = { source, nodes, replicas: [replica], load, account: ACCOUNT };
    const checks = await runChecks({ ...context, puller: SOURCE_USER });
    const bad = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    assert.deepEqual(bad, []);
    assert.ok(checks.length >= 6 && load.acknowledged.size > 100);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await app.lastWords()}`, { cause: error });
  }
});
