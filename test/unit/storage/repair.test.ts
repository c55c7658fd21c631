import assert from "node:assert/strict";
import { test } from "node:test";
import { CRASH_OUTCOMES, type CrashOutcome } from "../../../runtime/memory/disk-image.ts";
import type { Entry } from "../../../src/raft/types.ts";
import type { DamagedRange } from "../../../src/storage/storage.ts";
import {
  areEqual,
  bytesOf,
  damage,
  filled,
  openAndLook,
  restore,
  SEGMENT,
  segmentPaths,
  slice,
  snapshot,
} from "./filled-log.ts";
import { type LogWorld, payload } from "./world-log.ts";

/** What a peer might send that is not what stood here. */
function* wrongs(entries: readonly Entry[]): Generator<readonly Entry[]> {
  for (const [i, entry] of entries.entries()) {
    const change = (part: Partial<Entry>): Entry[] => entries.with(i, { ...entry, ...part });
    if (entry.data.length > 0) {
      const data = entry.data.slice();
      data[data.length >> 1]! ^= 1;
      yield change({ data });
    }
    yield change({ data: new Uint8Array([...entry.data, 0]) });
    yield change({ term: entry.term + 1 });
    yield change({ type: entry.type === 0 ? 1 : 0 });
  }
  yield entries.slice(1);
}

function areWhole(world: LogWorld, whole: ReadonlyMap<string, Uint8Array>, what: string): void {
  for (const [path, bytes] of snapshot(world)) {
    const wrong = bytes.findIndex((byte, i) => byte !== whole.get(path)![i]);
    assert.equal(wrong, -1, `${what}: byte ${wrong} of ${path} is as it was`);
  }
}

/** Repairs each range and checks that the log is as it was, in memory, on the disk and when reopened. */
async function repairAll(
  world: LogWorld,
  ranges: readonly DamagedRange[],
  entries: readonly Entry[],
  whole: ReadonlyMap<string, Uint8Array>,
  what: string,
): Promise<void> {
  const before = snapshot(world);
  const log = world.log!;
  for (const range of ranges) {
    for (const wrong of wrongs(slice(entries, range))) {
      assert.equal(await world.settle(log.repair(range, wrong)), false, `${what}: wrong entries`);
    }
  }
  assert.deepEqual(snapshot(world), before, `${what}: nothing is written without proof`);
  for (const range of ranges) {
    const told = `${what}: ${JSON.stringify(range)}`;
    assert.equal(await world.settle(log.repair(range, slice(entries, range))), true, told);
  }
  areWhole(world, whole, what);
  assert.deepEqual(log.damage, []);
  await areEqual(world, entries, what);
  await world.settle(log.close());
  assert.deepEqual(await openAndLook(world), [], what);
  await areEqual(world, entries, what);
  await world.settle(world.log!.close());
  assert.deepEqual(world.failures, []);
}

test("repair: any flipped byte that is told as damage is written back as it was", async (t) => {
  const world = await filled(1);
  const entries = await world.readAll();
  await world.settle(world.log!.close());
  await openAndLook(world);
  await world.settle(world.log!.close());
  const whole = snapshot(world);
  let repaired = 0;
  for (const [path, bytes] of whole) {
    const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
    for (let offset = 8192; offset < used; offset += 23) {
      damage(world, path, offset, new Uint8Array([bytes[offset]! ^ (1 + (offset % 255))]));
      const ranges = await openAndLook(world);
      if (ranges !== null && ranges.length > 0) {
        repaired++;
        await repairAll(world, ranges, entries, whole, `byte ${offset} of ${path}`);
      } else if (ranges !== null) await world.settle(world.log!.close());
      restore(world, whole);
    }
  }
  assert.ok(repaired > 500, `${repaired}`);
  t.diagnostic(`${repaired} flips were repaired`);
});

test("repair: several batches, sectors of zeros and each part of a batch at once", async () => {
  const world = await filled(2);
  const entries = await world.readAll();
  await world.settle(world.log!.close());
  await openAndLook(world);
  await world.settle(world.log!.close());
  const whole = snapshot(world);
  let [repaired, refused, tried] = [0, 0, 0];
  for (const [path, bytes] of whole) {
    const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
    for (const length of [512, 1024, 4096]) {
      for (let offset = 8192; offset + length <= used; offset += length) {
        damage(world, path, offset, new Uint8Array(length));
        tried++;
        const what = `${length} bytes at ${offset} of ${path}`;
        const ranges = await openAndLook(world);
        if (ranges === null) refused++;
        const log = world.log!;
        for (const range of ranges ?? []) {
          for (const wrong of wrongs(slice(entries, range)))
            assert.equal(await world.settle(log.repair(range, wrong)), false, what);
          // Where too much is lost at once nothing can be proved: then nothing changes.
          const before = snapshot(world);
          if (await world.settle(log.repair(range, slice(entries, range)))) repaired++;
          else assert.deepEqual(snapshot(world), before, what);
        }
        if (ranges !== null && ranges.length > 0 && log.damage.length === 0) {
          await areEqual(world, entries, what);
          areWhole(world, whole, what);
        }
        if (ranges !== null) await world.settle(log.close());
        restore(world, whole);
      }
    }
  }
  assert.ok(repaired > tried / 3, `${repaired} of ${tried}, ${refused} are refused`);
});

test("repair: power loss at every step leaves the same damage, or less", async (t) => {
  const run = async (crash: { step: number; outcome: CrashOutcome } | null): Promise<number> => {
    const world = await filled(3);
    const entries = await world.readAll();
    await world.settle(world.log!.close());
    await openAndLook(world);
    await world.settle(world.log!.close());
    const whole = snapshot(world);
    // In two places, which are written one after the other.
    const [path, bytes] = [...whole][1]!;
    const at = 8192 + 512;
    damage(world, path, at, new Uint8Array(512));
    const other = bytes.findIndex((byte, i) => i > at + 1024 && byte !== 255 && byte !== 0);
    damage(world, path, other, new Uint8Array([bytes[other]! ^ 255]));
    const ranges = await openAndLook(world);
    assert.ok(ranges !== null && ranges.length > 0, "there is damage");
    const { time } = world.world;
    const began = time.steps;
    let told = false;
    const log = world.log!;
    const repairing = (async () => {
      for (const range of ranges) assert.ok(await log.repair(range, slice(entries, range)));
      told = true;
    })().catch((error: Error) => assert.ok(crash !== null, error.stack));
    if (crash === null) {
      await world.settle(repairing);
      areWhole(world, whole, "repaired");
      return time.steps - began;
    }
    while (time.steps < began + crash.step) await time.step();
    const isRepaired = told;
    world.world.machine("a").powerLoss(crash.outcome);
    const left = await openAndLook(world);
    const what = `step ${crash.step}, ${crash.outcome}`;
    assert.ok(left !== null, `${what}: it is refused`);
    assert.ok(!isRepaired || left.length === 0, `${what}: it was told to be whole`);
    await repairAll(world, left, entries, whole, what);
    return left.length;
  };
  const steps = await run(null);
  let isWhole = 0;
  for (let step = 1; step <= steps; step++) {
    for (const outcome of CRASH_OUTCOMES) if ((await run({ step, outcome })) === 0) isWhole++;
  }
  assert.ok(isWhole > 0 && isWhole < steps * CRASH_OUTCOMES.length);
  t.diagnostic(`${steps} steps × ${CRASH_OUTCOMES.length} outcomes, ${isWhole} times whole`);
});

test("repair: of a log at work, beside appends; a reader that holds the block gets no wrong byte", async () => {
  const world = await filled(4);
  const entries = await world.readAll();
  await world.settle(world.log!.close());
  // The active segment's newest batches are written by this process.
  await world.open({ ...SEGMENT, hotBytes: 0 });
  const more = Array.from({ length: 5 }, (_, i): Entry => {
    return { index: entries.length + 1 + i, term: 9, type: 0, data: payload(i, 600) };
  });
  for (const entry of more) {
    const hardState = { term: 9, vote: 1, commit: entry.index - 1 };
    await world.settle(world.log!.append({ hardState, entries: [entry] }));
    entries.push(entry);
  }
  const log = world.log!;
  // The header of the last but one batch: 72 bytes, 32 of the record's, then the payload.
  const data = Buffer.from(entries.at(-2)!.data);
  const path = segmentPaths(world).findLast((one) =>
    Buffer.from(bytesOf(world, one)).includes(data),
  );
  assert.ok(path !== undefined);
  const bytes = bytesOf(world, path);
  const at = Buffer.from(bytes).lastIndexOf(data) - 72 - 32;
  damage(world, path, at + 20, new Uint8Array([1, 2, 3]));
  const range = { fromIndex: entries.length - 1, toIndex: entries.length - 1, why: "" };
  const held = await world.settle(log.read(range.fromIndex, 1)).catch(() => null);
  const next = { index: entries.length + 1, term: 9, type: 0, data: payload(7, 900) } as const;
  const repairing = log.repair(range, [entries.at(-2)!]);
  const hardState = { term: 9, vote: 1, commit: entries.length };
  await world.settle(log.append({ hardState, entries: [next] }));
  assert.equal(await world.settle(repairing), true);
  held?.release();
  assert.deepEqual(bytesOf(world, path).subarray(at, at + 1024), bytes.subarray(at, at + 1024));
  await world.settle(log.close());
  assert.deepEqual(await openAndLook(world), []);
  assert.deepEqual(await world.readAll(), [...entries, next]);
});

test("repair: what is not in the log, or not all of the range, is refused", async () => {
  const world = await filled(5);
  const entries = await world.readAll();
  const log = world.log!;
  const last = log.lastIndex;
  const range = (fromIndex: number, toIndex: number): DamagedRange => {
    return { fromIndex, toIndex, why: "" };
  };
  assert.equal(await world.settle(log.repair(range(last, last + 1), entries.slice(-1))), false);
  assert.equal(await world.settle(log.repair(range(0, 1), entries.slice(0, 1))), false);
  assert.equal(await world.settle(log.repair(range(2, 4), entries.slice(1, 3))), false);
  assert.equal(await world.settle(log.repair(range(2, 4), entries)), true, "nothing is lost");
});

test("repair: a disk that does not take the bytes keeps its damage, and the log goes on", async () => {
  const world = await filled(1);
  const entries = await world.readAll();
  await world.settle(world.log!.close());
  const [path] = segmentPaths(world);
  damage(world, path!, 8192 + 600, Uint8Array.of(9, 9, 9, 9));
  const [range] = (await openAndLook(world))!;
  const log = world.log!;
  const { faults } = world.disk;
  const missing = slice(entries, range!);
  await world.world.time.advance(3_000);
  faults.writeError = "EIO";
  assert.equal(await world.settle(log.repair(range!, missing)), false);
  faults.writeError = null;
  assert.deepEqual([log.damage.length, world.failures], [1, []]);
  assert.equal(await world.settle(log.repair(range!, missing)), true);
  await areEqual(world, entries, "repaired");
  await world.settle(log.close());
});
