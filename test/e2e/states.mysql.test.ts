/**
 * What the syncer does when the source is not what it was: it stops in the right state, names the
 * sets and the next command, loses nothing, and replicas are served on.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { freePort, MysqlServer } from "../../demo/mysql/server.ts";
import { startReplica, waitForReplica } from "../../demo/replica.ts";
import { everyday, SCHEMA } from "../../demo/workload.ts";
import { createSourceUser, LocalNode, SOURCE_USER, sourceSettings } from "../support/local-node.ts";
import { waitFor } from "../support/wait-for.ts";

let source: MysqlServer;
let node: LocalNode;
const servers: MysqlServer[] = [];

async function newServer(serverId: number): Promise<MysqlServer> {
  const server = await MysqlServer.start({ serverId });
  servers.push(server);
  return server;
}

beforeEach(async () => {
  source = await newServer(1);
  await createSourceUser(source);
  await source.exec(SCHEMA);
  await source.exec(everyday(1));
  node = await LocalNode.start({ source: sourceSettings(source) });
  await node.caughtUp(source);
});

afterEach(async () => {
  await node.stop();
  for (const server of servers.splice(0)) await server.remove();
});

const uuidOf = (server: MysqlServer): Promise<string> => server.value("SELECT @@server_uuid");
const newestFile = async (server: MysqlServer): Promise<string> =>
  (await server.query("SHOW BINARY LOGS")).at(-1)![0]!;

test("An empty log starts from the source's purged set and oldest file", async () => {
  await source.exec("FLUSH BINARY LOGS");
  await source.exec(everyday(2));
  await source.exec(`PURGE BINARY LOGS TO '${await newestFile(source)}'`);
  const fresh = await LocalNode.start({ source: sourceSettings(source) });
  try {
    await fresh.caughtUp(source);
    assert.equal(fresh.node.gtid().purged, await source.value("SELECT @@GLOBAL.gtid_purged"));
    assert.equal(fresh.node.files()[0]!.name, await newestFile(source));
  } finally {
    await fresh.stop();
  }
});

test("What the source purged while we were away is a GAP, shown exactly; accept-gap is the way out", async () => {
  const replica = await newServer(2);
  await startReplica(replica, node.endpoint);
  await waitForReplica(source, replica, 30_000);
  const stored = node.node.gtid().executed;
  await node.node.stopSyncer();
  await source.exec(everyday(2));
  await source.exec("FLUSH BINARY LOGS");
  await source.exec(`PURGE BINARY LOGS TO '${await newestFile(source)}'`);
  await source.exec(everyday(3));
  await node.node.startSyncer();
  await node.syncerIs("GAP");
  const { gtids, next } = node.node.status().syncer;
  const missing = await source.value(`SELECT GTID_SUBTRACT(@@GLOBAL.gtid_purged, '${stored}')`);
  assert.equal(gtids["missing"], missing);
  assert.match(next, /accept-gap/);
  assert.equal(node.node.gtid().executed, stored, "nothing was papered over");
  // Replicas are served on.
  const second = await newServer(3);
  await startReplica(second, node.endpoint);
  await waitFor(async () => (await second.value("SELECT @@GLOBAL.gtid_executed")) === stored, {
    deadlineMs: 30_000,
    what: "a new replica to get what is stored",
  });
  await assert.rejects(node.node.acceptGap(missing, "wrong"), /confirmation/);
  await node.node.acceptGap(missing, node.node.status().clusterId);
  await node.syncerIs("RUNNING");
  await node.caughtUp(source);
  // Replicas from before the gap are told so, as by a source that purged.
  await waitFor(
    async () =>
      /1236.*purged required binary logs/s.test(
        (await second.query("SHOW REPLICA STATUS"))[0]!.join(" "),
      ),
    {
      deadlineMs: 30_000,
      what: "1236 at the replica",
    },
  );
});

test("gtid_purged extended on the live source is a GAP", async () => {
  const other = "aaaaaaaa-0000-0000-0000-000000000001";
  await source.exec(`SET GLOBAL gtid_purged = '+${other}:1-5'`);
  await node.node.startSyncer();
  await node.syncerIs("GAP");
  assert.equal(node.node.status().syncer.gtids["missing"], `${other}:1-5`);
});

test("A RESET of the source is a FORK; new-timeline is the way out, old files stay for export", async () => {
  const files = node.node.files().map((file) => file.name);
  await source.exec("RESET BINARY LOGS AND GTIDS");
  await source.exec(everyday(6));
  await node.syncerIs("FORK");
  assert.match(node.node.status().syncer.next, /new-timeline/);
  await source.exec(everyday(7));
  await node.node.newTimeline(node.node.status().clusterId);
  await node.syncerIs("RUNNING");
  await node.caughtUp(source);
  assert.equal(node.node.gtid().executed, await source.value("SELECT @@GLOBAL.gtid_executed"));
  assert.deepEqual(
    node.node
      .files()
      .slice(0, files.length)
      .map((file) => file.name),
    files,
  );
  assert.ok((await node.exportFile(files[0]!)).length > 100);
  assert.ok(node.node.files().at(-1)!.number > node.node.files()[files.length - 1]!.number);
});

test("GTIDs that were used again for other content are a FORK", async () => {
  await node.node.stopSyncer();
  const count = Number((await source.value("SELECT @@GLOBAL.gtid_executed")).split(/[:-]/).at(-1));
  await source.exec("RESET BINARY LOGS AND GTIDS");
  for (let i = 0; i < count + 3; i++) {
    await source.exec(`INSERT INTO shop.orders (region) VALUES ('again ${i}')`.slice(0, 60));
  }
  await node.node.startSyncer();
  await node.syncerIs("FORK");
  const { gtids } = node.node.status().syncer;
  assert.ok(Object.keys(gtids).length > 0);
});

test("A server that lacks our transactions is REFUSED; one that has them is taken", async () => {
  const uuid = await uuidOf(source);
  const lagging = await newServer(5);
  await createSourceUser(lagging);
  await node.node.setSource(sourceSettings(lagging));
  await node.syncerIs("REFUSED");
  const { gtids, reason } = node.node.status().syncer;
  assert.match(gtids["missing at the source"] ?? "", new RegExp(uuid));
  assert.match(reason, /lacks/);
  // It catches up from us, is promoted, and is accepted: the files go on under new numbers.
  await lagging.exec(`DROP USER ${SOURCE_USER.user}; RESET BINARY LOGS AND GTIDS`);
  await startReplica(lagging, node.endpoint);
  await waitForReplica(source, lagging, 30_000);
  await lagging.exec("STOP REPLICA; RESET REPLICA ALL");
  await lagging.exec(
    `CREATE USER IF NOT EXISTS '${SOURCE_USER.user}'@'%' IDENTIFIED BY '${SOURCE_USER.password}'`,
  );
  await node.node.setSource(sourceSettings(lagging));
  await node.syncerIs("RUNNING");
  await lagging.exec(everyday(9));
  await node.caughtUp(lagging);
  const replica = await newServer(6);
  await startReplica(replica, node.endpoint);
  await waitForReplica(lagging, replica, 30_000);
  assert.ok(
    node.node.files().some((file) => file.partial),
    "the first file of the new source has a hole",
  );
});

test("A source that comes back after a restart with a new port is found by setSource alone", async () => {
  await source.stop();
  await node.syncerIs("CONNECTING");
  await source.start();
  await node.node.setSource({ port: source.port });
  await node.syncerIs("RUNNING");
  await source.exec(everyday(4));
  await node.caughtUp(source);
});

test("What is wrong with a user, a certificate or an address is said with what to do about it", async () => {
  await source.exec("CREATE USER poor@'%' IDENTIFIED BY 'poor'");
  process.env["BINRAFT_TEST_POOR_PASSWORD"] = "poor";
  const poor = { user: "poor", passwordRef: "env:BINRAFT_TEST_POOR_PASSWORD" };
  const failed = async (change: object): Promise<string> => {
    await node.node.setSource(change);
    const checks = await node.node.checkSource();
    return checks
      .filter(({ level }) => level === "fail")
      .map(({ name, message }) => `${name}: ${message}`)
      .join("\n");
  };
  assert.match(
    await failed(poor),
    /^privileges: The user lacks REPLICATION SLAVE and REPLICATION CLIENT; .*GRANT/,
  );
  await source.exec("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO poor@'%'");
  assert.equal(await failed({}), "");
  assert.match(
    await failed({ tls: "verify-identity" }),
    /certificate does not name "127\.0\.0\.1".*verify-ca/,
  );
  assert.match(
    await failed({ tls: "verify-ca", tlsCa: null }),
    /No CA that is known here.*--tls-ca/,
  );
  assert.match(
    await failed({ tls: "disabled", port: await freePort() }),
    /Nothing listens at .*ECONNREFUSED/,
  );
  const seen = async (): Promise<boolean> => {
    const { reason, next } = node.node.status().syncer;
    return /Nothing listens at/.test(reason) && /see that the source runs/.test(next);
  };
  await waitFor(seen, { deadlineMs: 30_000, what: "the sentence in the status" });
});
