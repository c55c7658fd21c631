/**
 * The source's commits wait for us: released only when the transaction is durable here, and also
 * when the connection is cut between a commit and its ACK.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { TcpProxy } from "../../demo/network/tcp-proxy.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { createSourceUser, LocalNode, sourceSettings } from "../support/local-node.ts";
import { waitFor } from "../support/wait-for.ts";

let source: MysqlServer;
let proxy: TcpProxy;
let node: LocalNode;

before(async () => {
  source = await MysqlServer.start({ serverId: 1 });
  await createSourceUser(source);
  await source.exec(SCHEMA);
  await source.waitForAcks();
  proxy = await TcpProxy.start({ host: source.host, port: source.port });
  node = await LocalNode.start({
    source: sourceSettings({ host: "127.0.0.1", port: proxy.port, binlogDir: source.binlogDir }),
  });
  await node.syncerIs("RUNNING");
});

after(async () => {
  await node?.stop();
  await proxy?.close();
  await source?.remove();
});

const insert = (text: string): string =>
  `INSERT INTO shop.orders (region, note) VALUES ('ss', '${text}')`;
const counter = async (name: string): Promise<number> =>
  Number((await source.query(`SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_${name}'`))[0]![1]);

test("Commits return with an ACK, none falls back to asynchronous", async () => {
  for (let i = 0; i < 50; i++) await source.exec(insert(`${i}`), 5_000);
  assert.equal(await counter("no_tx"), 0);
  assert.ok((await counter("yes_tx")) >= 50);
  assert.ok(node.node.status().syncer.semiSync);
});

test("A commit whose ACK was lost returns within 2 s of the reconnect, and only when it is durable here", async () => {
  for (let i = 0; i < 3; i++) {
    // The transaction still arrives, its ACK does not.
    proxy.faults.blackHole.up = true;
    const shell = source.openShell();
    let done = false;
    const commit = shell.query(insert(`lost ack ${i}`), 60_000).then(() => {
      done = true;
    });
    await waitFor(async () => (await counter("wait_sessions")) === 1, {
      deadlineMs: 10_000,
      what: "a waiting session",
    });
    await waitFor(() => node.node.status().syncer.acksSent > 0, {
      deadlineMs: 5_000,
      what: "an ACK on its way",
    });
    assert.equal(done, false);
    proxy.cut();
    proxy.heal();
    await node.syncerIs("RUNNING");
    const running = performance.now();
    await commit;
    const executed = GtidSet.parse(node.node.gtid().executed);
    const source_ = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
    assert.ok(executed.containsSet(source_), "it was released with the transaction stored here");
    console.log(
      `released ${Math.round(performance.now() - running)} ms after the syncer ran again`,
    );
    await shell.close();
  }
});

test("A commit waits while binraft is down, and is released after it came back and stored it", async () => {
  const { dataDir } = node;
  await node.node.stop();
  const shell = source.openShell();
  let done = false;
  const commit = shell.query(insert("while down"), 60_000).then(() => {
    done = true;
  });
  await waitFor(async () => (await counter("wait_sessions")) === 1, {
    deadlineMs: 10_000,
    what: "a waiting session",
  });
  assert.equal(done, false);
  node = await LocalNode.start({
    dataDir,
    source: sourceSettings({ host: "127.0.0.1", port: proxy.port, binlogDir: source.binlogDir }),
  });
  await commit;
  assert.ok(
    GtidSet.parse(node.node.gtid().executed).containsSet(
      GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed")),
    ),
  );
  assert.equal(await counter("no_tx"), 0);
  await shell.close();
});

test("A FLUSH BINARY LOGS behind a waiting commit does not lock the reconnect out", async () => {
  const { dataDir } = node;
  await node.node.stop();
  const [committing, flushing] = [source.openShell(), source.openShell()];
  const commit = committing.query(insert("before a flush"), 30_000);
  await waitFor(async () => (await counter("wait_sessions")) === 1, {
    deadlineMs: 10_000,
    what: "a waiting session",
  });
  const flush = flushing.query("FLUSH BINARY LOGS", 30_000);
  const blocked =
    "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'FLUSH BINARY LOGS'";
  await waitFor(async () => (await source.value(blocked)) === "1", {
    deadlineMs: 5_000,
    what: "the FLUSH",
  });
  // What the syncer asks while it pulls must not wait behind it either.
  assert.equal(await counter("wait_sessions"), 1);
  node = await LocalNode.start({
    dataDir,
    source: sourceSettings({ host: "127.0.0.1", port: proxy.port, binlogDir: source.binlogDir }),
  });
  await Promise.all([commit, flush]);
  await Promise.all([committing.close(), flushing.close()]);
});

test("A source that fell back to asynchronous commits is seen, with the commits that went without an ACK", async () => {
  const seen = (): ReturnType<typeof node.node.status>["syncer"]["semiSyncSource"] =>
    node.node.status().syncer.semiSyncSource;
  await waitFor(() => seen()?.active, { deadlineMs: 30_000, what: "a first look" });
  await source.exec("SET GLOBAL rpl_semi_sync_source_timeout = 200");
  proxy.faults.blackHole.up = true;
  for (let i = 0; i < 3; i++) await source.exec(insert(`without ${i}`), 10_000);
  proxy.cut();
  proxy.heal();
  await source.exec("SET GLOBAL rpl_semi_sync_source_timeout = 3600000");
  await waitFor(() => (seen()?.commitsWithoutAck ?? 0) >= 3, {
    deadlineMs: 40_000,
    what: "commits without an ACK",
  });
  await node.caughtUp(source);
  await source.exec(insert("with an ACK again"), 10_000);
  await waitFor(() => seen()?.active, { deadlineMs: 30_000, what: "the source to wait again" });
});
