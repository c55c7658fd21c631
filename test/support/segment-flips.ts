/**
 * Damage to a 64 KiB segment, byte by byte: a changed byte is found, never served, and no
 * acknowledged entry is cut. Also every length that the file may be cut to.
 */
import assert from "node:assert/strict";
import { FileImage } from "../../runtime/memory/disk-image.ts";
import type { DiskFile } from "../../src/platform/disk.ts";
import type { Entry } from "../../src/raft/types.ts";
import { decodeSegmentHeader, RecordType } from "../../src/storage/format.ts";
import { scanSegment } from "../../src/storage/scan.ts";
import { EntryDamaged, LogCorrupt } from "../../src/storage/storage.ts";
import { LogWorld, payload } from "../unit/storage/world-log.ts";
import { nodeCrc32 } from "./crc.ts";

const SEGMENT_BYTES = 64 * 1024;
const OPEN_EVERY = 64;

export interface FlipReport {
  readonly flips: number;
  readonly refused: number;
  readonly damaged: number;
  /** The byte was one that nothing depends on, or there was a second copy of it. */
  readonly harmless: number;
  /** Of those that were judged by opening the log: told as damage, and given back as they were. */
  readonly repaired: number;
}

/** A full segment with entries of all sizes; returns what was stored and the segment's path. */
async function filled(): Promise<{ world: LogWorld; payloads: Uint8Array[]; path: string }> {
  const world = new LogWorld(11);
  await world.open({ segmentBytes: SEGMENT_BYTES });
  const payloads: Uint8Array[] = [];
  for (let i = 0; i < 40 && world.log!.segmentCount === 1; i++) {
    const data = payload(i, (i * 977) % 3000);
    payloads.push(data);
    await world.append([data], i);
  }
  await world.settle(world.log!.close());
  const [name] = world.disk.image.list("log").filter((file) => file.endsWith(".seg"));
  return { world, payloads, path: `log/${name}` };
}

/**
 * `values`: one flip a byte, or all 255 other values of it. Every flip is judged by scanning the
 * segment; every 64th byte (or as `openEvery` says) also by opening the whole log, reading each entry
 * through it, and repairing what is told as damage.
 */
export async function flipSegment(
  values: "one flip" | "all values",
  say: (line: string) => void,
  openEvery = OPEN_EVERY,
): Promise<FlipReport> {
  const { world, payloads, path } = await filled();
  const segment = await imageOf(world, path);
  const entries = await entriesIn(segment);
  const report = { flips: 0, refused: 0, damaged: 0, harmless: 0, repaired: 0 };
  const image = world.disk.image.get(path);
  assert.ok(image instanceof FileImage);
  const put = (offset: number, value: number): void => {
    for (const part of [image.visible, image.durable]) part.write(offset, new Uint8Array([value]));
  };
  await world.open({ segmentBytes: SEGMENT_BYTES });
  const stored = await world.readAll();
  await world.settle(world.log!.close());
  for (let offset = 0; offset < SEGMENT_BYTES; offset++) {
    for (let mask = 1; mask < 256; mask++) {
      if (values === "one flip" && mask !== 1 + (offset % 255)) continue;
      report.flips++;
      segment[offset] = segment[offset]! ^ mask;
      report[await judgeScan(segment, payloads, entries, offset)]++;
      segment[offset] = segment[offset]! ^ mask;
      if (offset % openEvery !== 0) continue;
      put(offset, segment[offset]! ^ mask);
      if (await judgeOpen(world, payloads, stored, offset)) {
        report.repaired++;
        assert.deepEqual(await imageOf(world, path), segment, `byte ${offset} is as it was`);
      }
      put(offset, segment[offset]!);
    }
    if (values === "all values" && offset % 4096 === 0)
      say(`byte ${offset}: ${JSON.stringify(report)}`);
  }
  return report;
}

async function imageOf(world: LogWorld, path: string): Promise<Uint8Array> {
  const platform = world.world.machine("a").start();
  const file = await world.settle(platform.disk("data").open(path, "r"));
  const bytes = new Uint8Array(SEGMENT_BYTES);
  await world.settle(file.read(0, bytes));
  await world.settle(file.close());
  return bytes;
}

/** How many entries the whole segment holds. */
async function entriesIn(image: Uint8Array): Promise<number> {
  const header = decodeSegmentHeader(image, nodeCrc32);
  const { firstBatch: number, previousBatchCrc: previousCrc, before: end } = header;
  let count = 0;
  const start = { number, previousCrc, end, commit: 0 };
  await scanSegment(bytesFile(image), start, nodeCrc32, (batch) => {
    count += batch.records.filter((record) => record.type === RecordType.ENTRY).length;
  });
  return count;
}

/** The first segment of a log, changed: what the scan takes from it is true, or it says what is wrong. */
async function judgeScan(
  image: Uint8Array,
  payloads: readonly Uint8Array[],
  entries: number,
  offset: number,
): Promise<"refused" | "damaged" | "harmless"> {
  let header: ReturnType<typeof decodeSegmentHeader>;
  try {
    header = decodeSegmentHeader(image, nodeCrc32);
  } catch {
    return "refused";
  }
  const seen = new Map<number, boolean>();
  const expected = {
    number: header.firstBatch,
    previousCrc: header.previousBatchCrc,
    end: header.before,
    commit: 0,
  };
  const end = await scanSegment(bytesFile(image), expected, nodeCrc32, (batch) => {
    for (const record of batch.records) {
      if (record.type !== RecordType.ENTRY) continue;
      seen.set(record.index, record.whole);
      if (!record.whole) continue;
      const data = batch.bytes.subarray(record.at, record.at + record.length);
      const same = Buffer.compare(data, payloads[record.index - 1]!) === 0;
      assert.ok(same, `byte ${offset}: entry ${record.index} is not what was stored`);
    }
  }).catch((error: Error) => {
    assert.equal(error.name, "UnknownFormat", `byte ${offset}: ${error}`);
    return null;
  });
  if (end === null || end.corrupt !== null) return "refused";
  // Entries that are not there must be told as damage; a sealed segment has no torn tail.
  const last = Math.max(0, ...seen.keys(), ...end.damage.map((range) => range.toIndex));
  assert.ok(last >= entries, `byte ${offset}: entries from ${last + 1} on are cut`);
  for (let index = 1; index <= last; index++) {
    const told = end.damage.some((range) => index >= range.fromIndex && index <= range.toIndex);
    assert.ok(
      seen.get(index) === true || told,
      `byte ${offset}: entry ${index} is gone without a word`,
    );
  }
  // What is taken for a torn write must lie behind all that was ever written.
  assert.ok(end.tornUntil === 0 || offset >= end.end, `byte ${offset} is taken for a torn write`);
  return end.damage.length > 0 ? "damaged" : "harmless";
}

function bytesFile(image: Uint8Array): DiskFile {
  return {
    async read(position, into) {
      const part = image.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    async size() {
      return image.length;
    },
    async write() {},
    async sync() {},
    async truncate() {},
    async close() {},
  };
}

/** True when it was told as damage, and repaired. */
async function judgeOpen(
  world: LogWorld,
  payloads: readonly Uint8Array[],
  stored: readonly Entry[],
  offset: number,
): Promise<boolean> {
  try {
    await world.open({ segmentBytes: SEGMENT_BYTES });
  } catch (error) {
    const known = error instanceof LogCorrupt || (error as Error).name === "UnknownFormat";
    assert.ok(known, `byte ${offset}: ${error}`);
    return false;
  }
  const log = world.log!;
  assert.equal(log.lastIndex, payloads.length, `byte ${offset}: an acknowledged entry was cut`);
  let damaged = false;
  for (let index = 1; index <= payloads.length; index++) {
    try {
      const lease = await world.settle(log.read(index, 1));
      assert.deepEqual(
        lease.entries[0]!.data,
        payloads[index - 1],
        `byte ${offset}, entry ${index}`,
      );
      lease.release();
    } catch (error) {
      assert.ok(error instanceof EntryDamaged, `byte ${offset}: ${error}`);
      damaged = true;
    }
  }
  if (damaged) assert.ok(log.damage.length > 0, `byte ${offset}: damage is told`);
  const ranges = log.damage.slice();
  for (const range of ranges) {
    const theirs = stored.filter(({ index }) => index >= range.fromIndex && index <= range.toIndex);
    assert.ok(await world.settle(log.repair(range, theirs)), `byte ${offset}: it is repaired`);
  }
  if (ranges.length > 0) assert.deepEqual(await world.readAll(), stored, `byte ${offset}`);
  assert.deepEqual(log.damage, []);
  await world.settle(log.close());
  return ranges.length > 0;
}
