import assert from "node:assert/strict";
import { test } from "node:test";
import { FileImage } from "../../../runtime/memory/disk-image.ts";
import type { Entry } from "../../../src/raft/types.ts";
import { LogWorld, payload } from "./world-log.ts";

const SEGMENT = { segmentBytes: 32 * 1024 };
const MAGIC = Buffer.of(0x31, 0x42, 0x52, 0x42);

/** The header of the second batch is gone, and that of the record behind it. */
function loseSecondBatch(world: LogWorld): void {
  const [name] = world.disk.image
    .list("log")
    .filter((one) => one.endsWith(".seg"))
    .sort();
  const file = world.disk.image.get(`log/${name}`);
  assert.ok(file instanceof FileImage);
  const bytes = Buffer.alloc(file.visible.size);
  file.visible.read(0, bytes);
  const at = bytes.indexOf(MAGIC, 8192 + 512);
  for (const image of [file.visible, file.durable]) image.write(at, new Uint8Array(90).fill(0x55));
}

test("what was lost when its segment was sealed is found again after its repair, by the next start", async () => {
  const world = new LogWorld(21);
  let log = await world.open(SEGMENT);
  const entries: Entry[] = [];
  const append = async (): Promise<void> => {
    const index = entries.length + 1;
    const entry: Entry = { index, term: 1, type: 0, data: payload(index, 1000) };
    entries.push(entry);
    const hardState = { term: 1, vote: 1, commit: index - 1 };
    await world.settle(log.append({ hardState, entries: [entry] }));
  };
  for (let i = 0; i < 4; i++) await append();
  await world.settle(log.close());
  loseSecondBatch(world);
  log = await world.open(SEGMENT);
  const [range] = log.damage;
  assert.deepEqual([range?.fromIndex, range?.toIndex], [2, 2]);
  while (log.segmentCount < 2) await append();
  assert.equal(await world.settle(log.repair(range!, [entries[1]!])), true);
  await world.settle(log.close());
  log = await world.open(SEGMENT);
  assert.deepEqual(log.damage, []);
  const read = await world.readAll();
  assert.deepEqual(
    read.map(({ index, data }) => [index, data]),
    entries.map(({ index, data }) => [index, data]),
  );
});

test("a lost batch may have replaced what was not known as committed: that is not served either", async () => {
  const world = new LogWorld(22);
  let log = await world.open(SEGMENT);
  const entry = (index: number, term: number, seed: number): Entry => {
    return { index, term, type: 0, data: payload(seed, 1000) };
  };
  const append = (entries: Entry[], term: number, commit: number, cut?: number): Promise<void> => {
    const cuts = cut === undefined ? {} : { truncateAfter: cut };
    return world.settle(log.append({ hardState: { term, vote: 1, commit }, entries, ...cuts }));
  };
  await append([entry(1, 1, 1), entry(2, 1, 2), entry(3, 1, 3)], 1, 1);
  // The batch that is going to be lost: of a new leader, who had another entry 3.
  await append([entry(3, 2, 33), entry(4, 2, 34)], 2, 1, 2);
  await append([entry(5, 2, 35)], 2, 4);
  await append([entry(6, 2, 36)], 2, 5);
  await world.settle(log.close());
  loseSecondBatch(world);
  log = await world.open(SEGMENT);
  const [range] = log.damage;
  assert.deepEqual([range?.fromIndex, range?.toIndex, log.damage.length], [2, 4, 1]);
  for (const index of [2, 3, 4]) await assert.rejects(world.settle(log.read(index, 10)), /damaged/);
  const peers = [entry(2, 1, 2), entry(3, 2, 33), entry(4, 2, 34)];
  assert.equal(await world.settle(log.repair(range!, peers)), true);
  const read = await world.readAll();
  assert.deepEqual(
    read.map(({ index, term }) => [index, term]),
    [1, 2, 3, 4, 5, 6].map((index) => [index, index < 3 ? 1 : 2]),
  );
  assert.deepEqual(read[2]!.data, payload(33, 1000));
});

test("a bit that changes in either slot of the manifest loses no segment", async () => {
  for (const slot of ["MANIFEST.0", "MANIFEST.1"]) {
    const world = new LogWorld(23);
    let log = await world.open(SEGMENT);
    while (log.segmentCount < 4) await world.append([payload(log.lastIndex + 1, 1000)]);
    const { lastIndex } = log;
    const file = world.disk.image.get(slot);
    assert.ok(file instanceof FileImage);
    for (const image of [file.visible, file.durable]) image.write(40, Uint8Array.of(0x80));
    world.world.machine("a").kill();
    log = await world.open(SEGMENT);
    assert.deepEqual([log.segmentCount, log.lastIndex], [4, lastIndex], slot);
    assert.equal((await world.readAll()).length, lastIndex);
  }
});

test("a segment that was used is never removed, whatever the manifest says", async () => {
  const world = new LogWorld(24);
  const log = await world.open(SEGMENT);
  const older = ["MANIFEST.0", "MANIFEST.1"].map((slot) => bytesOf(world, slot));
  while (log.segmentCount < 2) await world.append([payload(log.lastIndex + 1, 1000)]);
  world.world.machine("a").kill();
  // As if both slots that name the second segment had been lost, and a copy of older ones put there.
  for (const [at, bytes] of older.entries()) {
    const file = world.disk.image.get(`MANIFEST.${at}`);
    assert.ok(file instanceof FileImage);
    for (const image of [file.visible, file.durable]) image.write(0, bytes);
  }
  const names = world.disk.image.list("log");
  await assert.rejects(world.open(SEGMENT), /holds entries and the manifest does not name it/);
  assert.deepEqual(world.disk.image.list("log"), names);
});

function bytesOf(world: LogWorld, path: string): Uint8Array {
  const file = world.disk.image.get(path);
  assert.ok(file instanceof FileImage);
  const bytes = new Uint8Array(file.visible.size);
  file.visible.read(0, bytes);
  return bytes;
}
