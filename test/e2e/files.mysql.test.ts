/**
 * The files are the source's, byte for byte: closed ones and the live one with writes stopped,
 * after FLUSH, a clean stop and a SIGKILL of the source, and restarts of binraft at these moments.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { rawFiles } from "../../demo/mysqlbinlog.ts";
import { everyday, KINDS, SCHEMA } from "../../demo/workload.ts";
import { createSourceUser, LocalNode, SOURCE_USER, sourceSettings } from "../support/local-node.ts";
import { assertSameFiles } from "../support/same-files.ts";

let source: MysqlServer;
let node: LocalNode;
let round = 0;

before(async () => {
  source = await MysqlServer.start({ serverId: 1 });
  await createSourceUser(source);
  await source.exec(SCHEMA);
  node = await LocalNode.start({ source: sourceSettings(source) });
  await write();
  await node.caughtUp(source);
});

after(async () => {
  await node?.stop();
  await source?.remove();
});

async function write(): Promise<void> {
  for (let i = 0; i < 5; i++) await source.exec(everyday(round++));
  await source.exec(KINDS["tagged"]!(round++));
  await source.exec(KINDS["myisam"]!(round++));
}

/** Every file of the source and ours: by mysqlbinlog from both, and by our export. */
async function compare(): Promise<void> {
  const names = (await source.query("SHOW BINARY LOGS")).map((row) => row[0]!);
  const theirs = await rawFiles({ host: source.host, port: source.port, ...SOURCE_USER }, names);
  assertSameFiles(await rawFiles(node.endpoint, names), theirs);
  const exported = new Map<string, Uint8Array>();
  for (const name of names) exported.set(name, await node.exportFile(name));
  assertSameFiles(exported, theirs);
  for (const file of node.node.files()) assert.equal(file.partial, false, file.name);
}

test("The live file equals the source's while nothing is written", compare);

test("Files equal after FLUSH BINARY LOGS, and after a restart of binraft right behind it", async () => {
  await source.exec(KINDS["flush"]!(0));
  await write();
  await node.caughtUp(source);
  await compare();
  await source.exec(KINDS["flush"]!(0));
  node = await node.restart();
  await write();
  await node.caughtUp(source);
  await compare();
});

test("Files equal after a clean stop of the source: its STOP is there", async () => {
  await write();
  await node.caughtUp(source);
  await source.restart();
  await write();
  await node.caughtUp(source);
  await compare();
});

test("The STOP arrives though binraft was away when the source stopped", async () => {
  await write();
  await node.caughtUp(source);
  const { dataDir } = node;
  await node.node.stop();
  await source.restart();
  node = await LocalNode.start({ source: sourceSettings(source), dataDir });
  await write();
  await node.caughtUp(source);
  await compare();
  assert.ok(node.node.files().some((file) => file.end === "stop"));
});

test("Files equal after a SIGKILL of the source, with and without a restart of binraft", async () => {
  for (const restart of [false, true]) {
    await write();
    await node.caughtUp(source);
    await source.kill();
    if (restart) node = await node.restart();
    await source.start();
    await write();
    await node.caughtUp(source);
    await compare();
  }
  assert.ok(node.node.files().some((file) => file.end === "crash"));
});

test("A restart of binraft changes nothing, twice in a row", async () => {
  for (let i = 0; i < 2; i++) {
    node = await node.restart();
    await node.syncerIs("RUNNING");
  }
  await compare();
  await write();
  await node.caughtUp(source);
  await compare();
});
