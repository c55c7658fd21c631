/**
 * A real source that is put back to an earlier moment and uses its numbers again, with and without
 * the files that were pulled, with last transactions of any size: never a mix of two histories,
 * never an endless retry.
 */
import assert from "node:assert/strict";
import { cp, rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { startReplica, waitForReplica } from "../../demo/replica.ts";
import { createSourceUser, LocalNode, sourceSettings } from "../support/local-node.ts";

const LARGE_BYTES = 20 * 1024 * 1024;

let source: MysqlServer;
let node: LocalNode;
const servers: MysqlServer[] = [];

beforeEach(async () => {
  source = await MysqlServer.start({ serverId: 1, args: ["--max-allowed-packet=64M"] });
  servers.push(source);
  await createSourceUser(source);
  await source.exec("CREATE DATABASE shop");
  await source.exec("CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, what LONGTEXT)");
  await insert("before", 12);
  node = await LocalNode.start({ source: sourceSettings(source) });
  await node.caughtUp(source);
});

afterEach(async () => {
  await node.stop();
  for (const server of servers.splice(0)) await server.remove();
});

async function insert(what: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await source.exec(`INSERT INTO shop.t (what) VALUES ('${what} ${i}')`);
}

/** Many rows in one transaction, or one. */
async function insertLarge(what: string, rows: number): Promise<void> {
  const row = `(REPEAT('${what}', ${Math.floor(LARGE_BYTES / rows / what.length)}))`;
  await source.exec(`INSERT INTO shop.t (what) VALUES ${Array(rows).fill(row).join(", ")}`);
}

const newestFile = async (): Promise<string> =>
  (await source.query("SHOW BINARY LOGS")).at(-1)![0]!;

async function purge(): Promise<void> {
  await source.exec("FLUSH BINARY LOGS");
  await source.exec(`PURGE BINARY LOGS TO '${await newestFile()}'`);
}

/** Its data directory as it is now; resolves with what puts it back. */
async function copySource(): Promise<() => Promise<void>> {
  const data = source.binlogDir;
  const copy = path.join(source.folder, "copy");
  await source.stop();
  await cp(data, copy, { recursive: true });
  await source.start();
  return async () => {
    await source.stop();
    await rm(data, { recursive: true });
    await cp(copy, data, { recursive: true });
    await source.start();
  };
}

test("Put back, numbers used again, our last file purged: REFUSED, and an operator decides", async () => {
  const putBack = await copySource();
  await insert("lost", 8);
  await node.caughtUp(source);
  const stored = node.node.gtid().executed;
  node = await away(async () => {
    await putBack();
    await insert("reused", 8);
    await purge();
    await insert("reused", 3);
  });
  await node.syncerIs("REFUSED");
  const { reason, next } = node.node.status().syncer;
  assert.match(reason, /has purged ".*", our last file/);
  assert.match(next, /accept-unproved/);
  assert.equal(node.node.gtid().executed, stored, "nothing of the other history was taken");
  // Had it purged more, it would be a GAP, which warns of that.
  await insert("reused", 2);
  await purge();
  await node.node.startSyncer();
  await node.syncerIs("GAP");
  assert.match(
    node.node.status().syncer.reason,
    /do not accept the gap if the source was put back/,
  );
  // The right answer here.
  await node.node.newTimeline(node.node.status().clusterId);
  await node.caughtUp(source);
  assert.equal(node.node.gtid().purged, await source.value("SELECT @@GLOBAL.gtid_purged"));
});

test("All that is stored was purged while we were away: what an operator vouches for goes on", async () => {
  node = await away(async () => {
    await purge();
    await insert("after", 3);
  });
  // Of a file that is purged at once nothing is missing here, yet nothing proves it.
  await node.syncerIs("REFUSED");
  await node.node.acceptUnproved(node.node.status().clusterId);
  await node.syncerIs("RUNNING");
  await node.caughtUp(source);
  const replica = await MysqlServer.start({ serverId: 2 });
  servers.push(replica);
  await startReplica(replica, node.endpoint);
  await waitForReplica(source, replica, 30_000);
  assert.equal(
    await replica.value("CHECKSUM TABLE shop.t EXTENDED"),
    await source.value("CHECKSUM TABLE shop.t EXTENDED"),
  );
});

for (const [size, last] of [
  ["small", () => insert("last", 1)],
  ["of 20 MiB in rows", () => insertLarge("last", 40)],
  ["of 20 MiB in one row", () => insertLarge("last", 1)],
] as const) {
  test(`Put back, numbers used again, the last transaction ${size}: FORK`, async () => {
    const putBack = await copySource();
    await insert("lost", 2);
    await last();
    await node.caughtUp(source);
    const stored = node.node.gtid().executed;
    node = await away(async () => {
      await putBack();
      await insert("reused", 9);
    });
    await node.syncerIs("FORK");
    assert.match(node.node.status().syncer.next, /new-timeline/);
    assert.equal(node.node.gtid().executed, stored);
  });

  test(`The last transaction ${size}: found again after a restart on either side, byte for byte`, async () => {
    await last();
    await node.caughtUp(source);
    node = await away(async () => {});
    await node.syncerIs("RUNNING");
    const file = await newestFile();
    node = await away(() => source.restart());
    await insert("after", 2);
    await node.caughtUp(source);
    const { readFile } = await import("node:fs/promises");
    const theirs = await readFile(path.join(source.binlogDir, file));
    assert.ok(theirs.equals(await node.exportFile(file)), `${file} with its STOP`);
    assert.equal(node.node.files().find(({ name }) => name === file)!.end, "stop");
  });
}

test("A file that was cut in a crash and went on with other content is a FORK, at any place", async () => {
  await insertLarge("last", 40);
  await node.caughtUp(source);
  const file = await newestFile();
  const { size } = node.node.files().at(-1)!;
  node = await away(async () => {
    // As when a disk forgot what was synced: the transaction is rolled back, and done anew.
    await source.kill();
    const { truncate } = await import("node:fs/promises");
    await truncate(path.join(source.binlogDir, file), size - 1_000_000);
    await source.start();
    await insertLarge("other", 30);
    await insert("reused", 1);
  });
  await node.syncerIs("FORK");
});

/** The node is stopped meanwhile. */
async function away(change: () => Promise<void>): Promise<LocalNode> {
  const { dataDir } = node;
  await node.node.stop();
  await change();
  return LocalNode.start({ dataDir, source: sourceSettings(source) });
}
