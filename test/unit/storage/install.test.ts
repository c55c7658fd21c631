import assert from "node:assert/strict";
import { test } from "node:test";
import { CRASH_OUTCOMES, type CrashOutcome } from "../../../runtime/memory/disk-image.ts";
import type { HardState } from "../../../src/raft/types.ts";
import { type Checkpoint, LogFull } from "../../../src/storage/storage.ts";
import { batchesOf } from "./batches.ts";
import { LogWorld, payload } from "./world-log.ts";

const SEGMENT = { segmentBytes: 16 * 1024 };
const SNAPSHOT: Checkpoint = { index: 500, term: 7, data: payload(3, 5000) };
const HARD_STATE: HardState = { term: 9, vote: 2, commit: 500 };

/** Twelve entries in term 1, in several segments; the newest are in memory. */
async function filled(seed: number): Promise<LogWorld> {
  const world = new LogWorld(seed);
  const checkpoint = (): Checkpoint | null =>
    world.log === null ? null : { index: world.log.lastIndex - 1, term: 1, data: payload(1, 300) };
  await world.open({ ...SEGMENT, checkpoint });
  for (let i = 0; i < 12; i++) await world.append([payload(i, 3000)], i);
  assert.ok(world.log!.segmentCount > 2);
  return world;
}

async function isInstalled(world: LogWorld): Promise<void> {
  const log = world.log!;
  assert.deepEqual([log.firstIndex, log.lastIndex, log.segmentCount], [501, 500, 1]);
  assert.deepEqual([log.term(499), log.term(500), log.term(501)], [undefined, 7, undefined]);
  assert.deepEqual(log.hardState, HARD_STATE);
  assert.deepEqual(log.checkpoint, SNAPSHOT);
  assert.deepEqual(await world.settle(log.checkpointBefore(501)), SNAPSHOT);
  assert.equal(await world.settle(log.checkpointBefore(500)), null);
  assert.deepEqual(log.damage, []);
}

async function isOld(world: LogWorld): Promise<void> {
  const log = world.log!;
  assert.deepEqual([log.firstIndex, log.lastIndex], [1, 12]);
  assert.deepEqual(log.hardState, { term: 1, vote: 1, commit: 11 });
  const entries = await world.readAll();
  for (const [i, { data }] of entries.entries()) assert.deepEqual(data, payload(i, 3000));
  assert.deepEqual(log.damage, []);
}

test("install: the log begins behind the snapshot, and goes on there, also after restarts", async () => {
  const world = await filled(1);
  await world.settle(world.log!.install(SNAPSHOT, HARD_STATE));
  await isInstalled(world);
  assert.equal(world.log!.hotEntries(12, 100), null);
  const names = (): string[] =>
    world.disk.image.list("log").filter((name) => name.endsWith(".seg"));
  assert.equal(names().length, 1, "the old segments are gone");
  await world.settle(world.log!.close());
  await world.open(SEGMENT);
  await isInstalled(world);
  assert.deepEqual(world.reports, []);
  const entries = [501, 502].map(
    (index) => ({ index, term: 9, type: 0, data: payload(index, 4000) }) as const,
  );
  for (let round = 0; round < 3; round++) {
    const more = entries.map((entry) => ({ ...entry, index: entry.index + 2 * round }));
    await world.settle(world.log!.append({ hardState: HARD_STATE, entries: more }));
  }
  for (const reopen of [false, true]) {
    if (reopen) {
      await world.settle(world.log!.close());
      await world.open(SEGMENT);
    }
    const read = await world.readAll();
    assert.deepEqual(
      read.map(({ index, term }) => [index, term]),
      [501, 502, 503, 504, 505, 506].map((index) => [index, 9]),
    );
    assert.deepEqual(read[1]!.data, payload(502, 4000));
    assert.deepEqual([world.log!.term(500), world.log!.term(501)], [7, 9]);
    assert.deepEqual(await world.settle(world.log!.checkpointBefore(503)), SNAPSHOT);
  }
});

test("install: of what the log knew nothing is left: memory, blocks, damage, reads under way", async () => {
  const world = await filled(2);
  await world.settle(world.log!.close());
  const [oldest] = world.disk.image.list("log").sort();
  world.disk.faults.bitFlips = [{ path: `log/${oldest}`, offset: 8192 + 700, mask: 1 }];
  const log = await world.open(SEGMENT);
  await assert.rejects(world.settle(log.read(1, 10)));
  assert.equal(log.damage.length, 1);
  const held = await world.settle(log.read(4, 10));
  world.disk.faults.callMs = 50;
  const slow = log.read(8, 10);
  slow.catch(() => {});
  const readOldest = log.read(1, 10);
  readOldest.catch(() => {});
  world.disk.faults.callMs = 0.001;
  await world.settle(log.install(SNAPSHOT, HARD_STATE));
  await assert.rejects(world.settle(slow));
  await assert.rejects(world.settle(readOldest));
  held.release();
  await isInstalled(world);
  assert.equal(log.hasConfChange(1, 501), false);
});

test("install: power loss at every step leaves the old log or the new one", async (t) => {
  const run = async (crash: { step: number; outcome: CrashOutcome } | null): Promise<number> => {
    const world = await filled(3);
    const { time } = world.world;
    const began = time.steps;
    let done = false;
    const installing = world.log!.install(SNAPSHOT, HARD_STATE).then(
      () => {
        done = true;
      },
      () => {},
    );
    if (crash === null) {
      await world.settle(installing);
      return time.steps - began;
    }
    while (time.steps < began + crash.step) await time.step();
    const told = done;
    world.world.machine("a").powerLoss(crash.outcome);
    await world.open(SEGMENT);
    const label = `step ${crash.step}, ${crash.outcome}`;
    const isNew = world.log!.firstIndex > 1;
    assert.ok(isNew || !told, `${label}: it was told to be durable`);
    await (isNew ? isInstalled(world) : isOld(world)).catch((error: Error) => {
      throw new Error(`${label}: ${error.stack}`);
    });
    // It goes on, and once more by an install.
    await world.append([payload(77, 2000)]).catch(() => assert.ok(isNew));
    await world.settle(world.log!.install({ ...SNAPSHOT, index: 900 }, HARD_STATE));
    assert.deepEqual([world.log!.firstIndex, world.log!.hardState.commit], [901, 900]);
    assert.deepEqual(world.failures, []);
    return isNew ? 1 : 0;
  };
  const steps = await run(null);
  const found = [0, 0];
  for (let step = 1; step <= steps; step++) {
    for (const outcome of CRASH_OUTCOMES) found[await run({ step, outcome })]!++;
  }
  assert.ok(found[0]! > 20 && found[1]! > 20, `old and new: ${found}`);
  t.diagnostic(`${steps} steps × ${CRASH_OUTCOMES.length} outcomes: ${found} old and new`);
});

test("install: without space it rejects, the old log is whole and the next try succeeds", async () => {
  for (const snapshot of [SNAPSHOT, { ...SNAPSHOT, data: payload(3, 60_000) }]) {
    const world = await filled(4);
    const isLarge = snapshot !== SNAPSHOT;
    await world.world.time.advance(1000);
    if (!isLarge) {
      // The prepared segment is used up, and there is no space for another.
      await world.settle(world.log!.close());
      world.disk.image.remove("log/next.tmp");
    }
    world.disk.faults.capacityBytes = world.disk.image.usedBytes() + (isLarge ? 30_000 : 1000);
    if (!isLarge) await world.open(SEGMENT);
    const installing = world.settle(world.log!.install(snapshot, HARD_STATE));
    await assert.rejects(installing, LogFull);
    await isOld(world);
    world.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
    await world.world.time.advance(10_000);
    await world.settle(world.log!.install(snapshot, HARD_STATE));
    assert.deepEqual(world.log!.checkpoint, snapshot);
    await world.settle(world.log!.close());
    await world.open(SEGMENT);
    assert.deepEqual(world.log!.checkpoint, snapshot);
    assert.deepEqual(world.failures, []);
  }
});

test("install: a term or a vote is never taken back", async () => {
  const world = await filled(5);
  for (const hardState of [
    { term: 0, vote: 1, commit: 500 },
    { term: 1, vote: 2, commit: 500 },
  ]) {
    await assert.rejects(world.settle(world.log!.install(SNAPSHOT, hardState)), /taken back/);
  }
  await isOld(world);
  assert.deepEqual(world.failures, []);
  await world.settle(world.log!.install(SNAPSHOT, { term: 1, vote: 1, commit: 0 }));
  assert.deepEqual(world.log!.hardState, { term: 1, vote: 1, commit: 500 });
});

for (const bytes of [300, 70_000]) {
  test(`install: what begins a late log is there twice (${bytes} bytes); without either it is refused`, async () => {
    const world = await filled(6);
    const snapshot = { ...SNAPSHOT, data: payload(9, bytes) };
    await world.settle(world.log!.install(snapshot, HARD_STATE));
    await world.settle(world.log!.close());
    const places = batchesOf(world.disk);
    assert.equal(places.length, 2);
    const flips = places.map(({ path, at }) => ({ path, offset: at + 150, mask: 1 }));
    for (const flip of flips) {
      world.disk.faults.bitFlips = [flip];
      const { checkpoint } = await world.open(SEGMENT);
      assert.deepEqual(checkpoint, snapshot);
      world.world.machine("a").kill();
    }
    world.disk.faults.bitFlips = flips;
    await assert.rejects(world.open(SEGMENT), /no checkpoint that says what was before/);
  });
}

test("install: the count of snapshots and the shorter log are shown in the same moment", async () => {
  const world = await filled(9);
  const log = world.log!;
  let done = false;
  const seen = new Set<string>();
  const installing = log.install(SNAPSHOT, HARD_STATE).then(() => {
    done = true;
  });
  // What a node tells its peers at any moment: with the old end it would look as if it had lost that later.
  await world.world.time.runUntil(() => {
    seen.add(`${log.installs} ${log.lastIndex} ${log.term(log.lastIndex)}`);
    return done;
  }, 60_000);
  await installing;
  assert.deepEqual([...seen], ["0 12 1", "1 500 7"]);
});
