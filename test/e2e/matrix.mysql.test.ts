/**
 * Source 9.7 → replicas 9.7 in every way to connect, under every way to write; ends equal, and the
 * files equal the source's.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { rawFiles } from "../../demo/mysqlbinlog.ts";
import { checksums, replicaState, startReplica, waitForReplica } from "../../demo/replica.ts";
import { everyday, insertEventOf, KINDS, loadData, SCHEMA } from "../../demo/workload.ts";
import { createSourceUser, LocalNode, SOURCE_USER, sourceSettings } from "../support/local-node.ts";
import { assertSameFiles } from "../support/same-files.ts";

const REPLICAS: Readonly<Record<string, { clauses: string[]; args?: string[] }>> = {
  "TLS, as a replica does by default": { clauses: [] },
  "no TLS": { clauses: ["SOURCE_SSL=0"] },
  zlib: { clauses: ["SOURCE_SSL=0", "SOURCE_COMPRESSION_ALGORITHMS='zlib'"] },
  "zstd over TLS": {
    clauses: ["SOURCE_COMPRESSION_ALGORITHMS='zstd'", "SOURCE_ZSTD_COMPRESSION_LEVEL=3"],
  },
  "8 parallel workers": {
    clauses: [],
    args: ["--replica-parallel-workers=8", "--replica-preserve-commit-order=ON"],
  },
  "file and position": {
    clauses: ["SOURCE_LOG_FILE='binlog.000001'", "SOURCE_LOG_POS=4", "SOURCE_AUTO_POSITION=0"],
  },
};

let source: MysqlServer;
let node: LocalNode;
const replicas = new Map<string, MysqlServer>();

before(async () => {
  source = await MysqlServer.start({
    serverId: 1,
    args: ["--max-allowed-packet=1G", "--sync-binlog=0"],
  });
  await createSourceUser(source);
  await source.exec(SCHEMA);
  node = await LocalNode.start({
    source: sourceSettings(source),
    settings: { segmentBytes: 64 * 1024 * 1024 },
  });
  let serverId = 10;
  for (const [name, { clauses, args }] of Object.entries(REPLICAS)) {
    const replica = await MysqlServer.start({
      serverId: serverId++,
      args: ["--max-allowed-packet=1G", "--sync-binlog=0", "--skip-log-bin=0", ...(args ?? [])],
    });
    replicas.set(name, replica);
    await startReplica(replica, { ...node.endpoint, clauses });
  }
});

after(async () => {
  await node?.stop();
  for (const server of replicas.values()) await server.remove();
  await source?.remove();
});

/** All replicas have all, and their tables are the source's. */
async function allEqual(): Promise<void> {
  await node.caughtUp(source, 60_000);
  const wanted = await checksums(source);
  const executed = await source.value("SELECT @@GLOBAL.gtid_executed");
  for (const [name, replica] of replicas) {
    await waitForReplica(source, replica, 120_000).catch((error: Error) => {
      throw new Error(`${name}: ${error.message}`);
    });
    assert.equal(await checksums(replica), wanted, name);
    assert.equal(await replica.value("SELECT @@GLOBAL.gtid_executed"), executed, name);
    assert.deepEqual((await replicaState(replica)).error, "", name);
  }
}

test("Everyday transactions and one of each kind, with FLUSH LOGS between", async () => {
  let n = 0;
  for (let round = 0; round < 3; round++) {
    for (const kind of Object.values(KINDS)) {
      await source.exec(kind(++n));
      await source.exec(everyday(++n));
    }
  }
  await allEqual();
});

test("LOAD DATA in row and statement format", async () => {
  const file = path.join(source.folder, "rows.csv");
  await writeFile(file, Array.from({ length: 3000 }, (_, i) => `ld,${i}.25,row ${i}`).join("\n"));
  await source.exec(loadData(file));
  await source.exec(
    `SET SESSION binlog_format = STATEMENT; ${loadData(file)}; SET SESSION binlog_format = ROW`,
  );
  await allEqual();
});

test("Events of 17 MiB and at the 16 MiB packet edges", async () => {
  for (const size of [17_825_836, 16_777_214, 16_777_215, 16_777_216, 16_777_213, 16_777_212]) {
    await insertEventOf(source, size);
  }
  await allEqual();
});

test("Checksum NONE and switched live", async () => {
  await source.exec("SET GLOBAL binlog_checksum = NONE");
  await source.exec(everyday(501));
  await source.exec("SET GLOBAL binlog_checksum = CRC32");
  await source.exec(everyday(502));
  await allEqual();
});

test("FLUSH LOGS in a loop under load", async () => {
  const shell = source.openShell();
  const flushing = (async () => {
    for (let i = 0; i < 25; i++) await shell.query("FLUSH BINARY LOGS");
  })();
  for (let i = 0; i < 60; i++) await source.exec(everyday(600 + i));
  await flushing;
  await allEqual();
});

test("A restart of the source, and a SIGKILL of it in mid-load", async () => {
  await source.restart();
  await source.exec(everyday(700));
  const shell = source.openShell();
  const load = (async () => {
    for (let i = 0; i < 5000; i++) await shell.query(everyday(800 + i));
  })().catch(() => {});
  await node.syncerIs("RUNNING", 30_000);
  for (let i = 0; i < 20; i++) await source.exec(everyday(750 + i));
  await source.kill();
  await load;
  await source.start();
  await source.exec(everyday(900));
  await allEqual();
});

test("A restart of binraft while replicas are attached", async () => {
  node = await node.restart();
  await source.exec(everyday(950));
  await allEqual();
});

test("All files equal the source's", async () => {
  const names = (await source.query("SHOW BINARY LOGS")).map((row) => row[0]!);
  const theirs = await rawFiles({ host: source.host, port: source.port, ...SOURCE_USER }, names);
  assertSameFiles(await rawFiles(node.endpoint, names), theirs);
});
