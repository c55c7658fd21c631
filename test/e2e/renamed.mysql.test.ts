/**
 * Sources and replicas of versions that are not to be had here: a real 9.7 whose greeting, variables and
 * connection attributes call it otherwise. What such versions do differently this does not show.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { replicaState, startReplica } from "../../demo/replica.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { createSourceUser, LocalNode, sourceSettings } from "../support/local-node.ts";
import { type RewritingProxy, rewritingProxy } from "../support/rewriting-proxy.ts";
import { waitFor } from "../support/wait-for.ts";

const DEADLINE_MS = 30_000;
let source: MysqlServer;
let replica: MysqlServer;
let real: string;
let count = 0;

before(async () => {
  source = await MysqlServer.start({ serverId: 1 });
  await createSourceUser(source);
  await source.exec(SCHEMA);
  await source.waitForAcks();
  replica = await MysqlServer.start({ serverId: 2 });
  real = await source.value("SELECT VERSION()");
});

after(async () => {
  await source?.remove();
  await replica?.remove();
});

/** As long as the real one, "9.7.4-2". */
const named = (version: string): string => `${version}.0000000`.slice(0, real.length);

async function nodeOf(proxy: RewritingProxy): Promise<LocalNode> {
  return LocalNode.start({
    source: sourceSettings(
      { host: "127.0.0.1", port: proxy.port, binlogDir: source.binlogDir },
      { tls: "disabled", tlsCa: null, publicKeyFile: `${source.binlogDir}/public_key.pem` },
    ),
    // A source of the binlog's own server_id is no replica of ours.
    settings: { allowOriginServerIds: true },
  });
}

async function written(): Promise<string> {
  const note = `note ${++count}`;
  await source.exec(`INSERT INTO shop.orders (region, note) VALUES ('v', '${note}')`, DEADLINE_MS);
  return note;
}

async function replicated(note: string): Promise<void> {
  await waitFor(
    async () =>
      (await replica.value(`SELECT COUNT(*) FROM shop.orders WHERE note = '${note}'`)) === "1",
    { deadlineMs: DEADLINE_MS, what: `${note}: ${JSON.stringify(await replicaState(replica))}` },
  );
}

async function follow(port: number, allowHigher: boolean, clauses: string[] = []): Promise<void> {
  await replica.exec("STOP REPLICA; RESET REPLICA ALL");
  await replica.exec(
    `SET GLOBAL replica_allow_higher_version_source = ${allowHigher ? "ON" : "OFF"}`,
  );
  const { ACCOUNT } = await import("../support/local-node.ts");
  await startReplica(replica, { host: "127.0.0.1", port, ...ACCOUNT, clauses });
}

for (const { version, served, higher } of [
  { version: "8.0.4", served: "9.7.0", higher: false },
  { version: "8.4.9", served: "8.4.9", higher: false },
  { version: "26.7", served: "26.7", higher: true },
  { version: "26.10", served: "26.10", higher: true },
]) {
  test(`a source that calls itself ${version} is pulled from with ACKs, and served as ${served}`, async () => {
    const to = named(version);
    await using proxy = await rewritingProxy({
      port: source.port,
      serverSays: { from: real, to },
    });
    const node = await nodeOf(proxy);
    try {
      await node.syncerIs("RUNNING");
      assert.ok(proxy.rewritten > 0);
      const { syncer, server } = node.node.status();
      assert.ok(syncer.semiSync, JSON.stringify(syncer));
      const note = await written();
      await waitFor(() => node.node.status().syncer.sourceVersion === to, {
        deadlineMs: DEADLINE_MS,
        what: `${to} to be known`,
      });
      assert.equal(server.listening, true);
      const shown = node.node.status().server.version;
      assert.ok(shown.startsWith(served) && shown.endsWith("-binraft"), shown);

      await follow(node.port, true);
      await replicated(note);
      await follow(node.port, false);
      if (!higher) return await replicated(await written());
      await waitFor(async () => (await replicaState(replica)).error !== "", {
        deadlineMs: DEADLINE_MS,
        what: "the replica to say why it does not follow",
      });
      assert.match((await replicaState(replica)).error, /version/i);
    } finally {
      await replica.exec("STOP REPLICA; RESET REPLICA ALL");
      await node.stop();
    }
  });
}

test("a replica that allows no higher version follows what is served of a 9.7", async () => {
  const node = await LocalNode.start({ source: sourceSettings(source) });
  try {
    await node.syncerIs("RUNNING");
    await follow(node.port, false);
    await replicated(await written());
    assert.equal(node.node.status().server.version, `${real}-binraft`);
  } finally {
    await replica.exec("STOP REPLICA; RESET REPLICA ALL");
    await node.stop();
  }
});

for (const version of ["8.0.9", "8.4.9", "26.7a", "26.10"]) {
  test(`a replica that calls itself ${version} is served`, async () => {
    const node = await LocalNode.start({ source: sourceSettings(source) });
    const from = real.slice(0, version.length);
    await using proxy = await rewritingProxy({
      port: node.port,
      clientSays: { from, to: version },
    });
    try {
      await node.syncerIs("RUNNING");
      await follow(proxy.port, true, ["SOURCE_SSL=0"]);
      await replicated(await written());
      assert.ok(proxy.rewritten > 0, "its connection attributes said so");
    } finally {
      await replica.exec("STOP REPLICA; RESET REPLICA ALL");
      await node.stop();
    }
  });
}
