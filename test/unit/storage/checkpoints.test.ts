import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { Checkpoints } from "../../../src/storage/checkpoints.ts";
import { RecordType } from "../../../src/storage/format.ts";
import type { Checkpoint } from "../../../src/storage/storage.ts";
import { batchesOf, loseSector } from "./batches.ts";
import { LogWorld, payload } from "./world-log.ts";

const HEAD = 8192;

test("Checkpoints: of each segment the head's and the newest are remembered", () => {
  const places = new Checkpoints();
  for (const [segment, at, index] of [
    [1, HEAD, 0],
    [1, 9000, 10],
    [1, 9500, 20],
    [2, 10_000, 30],
    [2, 11_000, 40],
    [3, HEAD, 45],
  ] as const)
    places.add({ index, term: 2, segment, at });
  const indexes = (): number[] => places.newestFirst().map(({ index }) => index);
  assert.deepEqual(indexes(), [45, 40, 20, 0]);
  assert.deepEqual(
    [1, 2, 3, 4].map((id) => places.newestIn(id)),
    [9500, 11_000, HEAD, 0],
  );
  assert.deepEqual(
    places.before(45, 21).map(({ index }) => index),
    [40, 20],
  );
  assert.deepEqual([places.term(40), places.term(41)], [2, undefined]);
  places.dropSegmentsBelow(2);
  assert.deepEqual(indexes(), [45, 40]);
});

/** What apply has built lags behind what was appended. */
class LaggingLog {
  readonly world: LogWorld;
  readonly random: SeededRandom;
  applied = 0;

  constructor(seed: number) {
    this.world = new LogWorld(seed);
    this.random = new SeededRandom(seed);
  }

  get log(): NonNullable<LogWorld["log"]> {
    return this.world.log!;
  }

  checkpoint(): Checkpoint {
    const data = payload(this.applied, 200);
    return { index: this.applied, term: this.applied === 0 ? 0 : 1, data };
  }

  async open(): Promise<void> {
    const checkpoint = (): Checkpoint => this.checkpoint();
    await this.world.open({ segmentBytes: 16 * 1024, checkpoint });
    if (this.log.lastIndex === 0) await this.save();
  }

  save(): Promise<void> {
    return this.world.settle(this.log.saveCheckpoint(this.checkpoint()));
  }

  async reopen(): Promise<void> {
    await this.world.settle(this.log.close());
    await this.open();
  }

  async append(): Promise<void> {
    const { lastIndex } = this.log;
    await this.world.append([payload(lastIndex + 1, 500 + this.random.below(3000))], lastIndex);
    // At most so many behind that it is segments.
    const least = Math.max(this.applied, this.log.lastIndex - 12);
    this.applied = least + this.random.below(this.log.lastIndex - least + 1);
  }

  /** The base for a peer that needs entries from `floor` on is there, and so is all behind it. */
  async check(floor: number): Promise<Checkpoint> {
    const base = await this.world.settle(this.log.checkpointBefore(floor));
    assert.ok(base !== null, `a base below ${floor}, the log begins with ${this.log.firstIndex}`);
    assert.ok(base.index < floor && base.index + 1 >= this.log.firstIndex);
    assert.deepEqual(base.data, payload(base.index, 200));
    if (base.index === this.log.firstIndex - 1 && base.index > 0)
      assert.equal(this.log.term(base.index), 1);
    const entries = await this.world.readAll();
    assert.deepEqual(
      entries.map(({ index }) => index),
      Array.from({ length: entries.length }, (_, i) => this.log.firstIndex + i),
    );
    return base;
  }
}

test("Purge keeps a base for the floor, whatever lags and however often the node restarts", async () => {
  let unlinked = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), async (seed) => {
      const lagging = new LaggingLog(seed);
      const { random } = lagging;
      await lagging.open();
      let floor = 1;
      for (let step = 0; step < 60; step++) {
        const what = random.below(12);
        if (what < 8 || lagging.log.lastIndex < 5) await lagging.append();
        else if (what === 8) await lagging.save();
        else if (what === 9) await lagging.reopen();
        else {
          floor += random.below(Math.max(1, lagging.applied - floor));
          const before = lagging.log.segmentCount;
          await lagging.world.settle(lagging.log.purgeBefore(floor));
          unlinked += before - lagging.log.segmentCount;
        }
        await lagging.check(floor);
      }
      const { lastIndex, checkpoint } = lagging.log;
      assert.ok(checkpoint !== null && checkpoint.index + 1 >= lagging.log.firstIndex);
      const base = await lagging.check(floor);
      await lagging.reopen();
      assert.equal((await lagging.check(floor)).index, base.index);
      assert.deepEqual(
        [lagging.log.lastIndex, lagging.log.checkpoint?.index],
        [lastIndex, checkpoint.index],
      );
      assert.deepEqual(lagging.world.failures, []);
    }),
    { numRuns: 40, seed: 7 },
  );
  assert.ok(unlinked > 40, `${unlinked} segments were unlinked`);
});

test("Purge unlinks all but the segments from the base on", async () => {
  const lagging = new LaggingLog(3);
  await lagging.open();
  for (let i = 0; i < 60; i++) await lagging.append();
  const before = lagging.log.segmentCount;
  await lagging.world.settle(lagging.log.purgeBefore(40));
  const base = await lagging.check(40);
  assert.ok(base.index > 25, `it is the newest below the floor: ${base.index}`);
  assert.ok(base.index + 1 - lagging.log.firstIndex < 4, "not more than its segment before it");
  assert.ok(lagging.log.segmentCount < before);
});

test("Purge leaves two checkpoints: any one of them may be lost", async () => {
  for (const which of [0, -1]) {
    const lagging = new LaggingLog(4);
    await lagging.open();
    for (let i = 0; i < 60; i++) await lagging.append();
    lagging.applied = lagging.log.lastIndex;
    await lagging.world.settle(lagging.log.purgeBefore(lagging.log.lastIndex + 1));
    assert.ok(lagging.log.firstIndex > 30);
    const { lastIndex } = lagging.log;
    await lagging.world.settle(lagging.log.close());
    const { disk } = lagging.world;
    const all = batchesOf(disk).filter(({ records }) =>
      records.some(({ type }) => type === RecordType.CHECKPOINT),
    );
    const { path, at } = all.at(which)!;
    loseSector(disk, path, at);
    await lagging.open();
    assert.equal(lagging.log.lastIndex, lastIndex);
    assert.notEqual(lagging.log.checkpoint, null);
  }
});

test("Purge does not count on a checkpoint that a later one of its segment makes unfindable", async () => {
  const lagging = new LaggingLog(6);
  await lagging.open();
  const small = async (): Promise<void> => {
    await lagging.world.append([payload(lagging.log.lastIndex + 1, 100)]);
    lagging.applied = lagging.log.lastIndex;
  };
  for (let i = 0; i < 30; i++) await lagging.append();
  const { segmentCount } = lagging.log;
  await small();
  await lagging.save();
  const floor = lagging.applied + 1;
  await lagging.world.settle(lagging.log.purgeBefore(floor));
  await small();
  await lagging.save();
  assert.ok(lagging.log.segmentCount <= segmentCount, "all that in one segment");
  for (let i = 0; i < 5; i++) await lagging.append();
  await lagging.reopen();
  await lagging.check(floor);
});

test("A damaged checkpoint is passed over for an older one: by a peer's base, a purge and a start", async () => {
  const lagging = new LaggingLog(5);
  await lagging.open();
  for (let i = 0; i < 40; i++) await lagging.append();
  const { world } = lagging;
  const newest = lagging.log.checkpoint!;
  const floor = newest.index + 1;
  assert.equal((await lagging.check(floor)).index, newest.index);
  // Several segments begin with the same one, for apply lags. A byte of its content: before it come
  // 72 bytes of the batch's header and 32 of the record's.
  const names = world.disk.image.list("log").filter((one) => one.endsWith(".seg"));
  world.disk.faults.bitFlips = names
    .sort()
    .slice(-6)
    .map((name) => ({ path: `log/${name}`, offset: HEAD + 72 + 32 + 50, mask: 2 }));
  const older = await lagging.check(floor);
  assert.ok(older.index < newest.index, `${older.index} < ${newest.index}`);
  await world.settle(lagging.log.purgeBefore(floor));
  assert.equal((await lagging.check(floor)).index, older.index);
  await lagging.reopen();
  assert.equal(lagging.log.checkpoint!.index, older.index);
  assert.deepEqual(lagging.log.damage, [], "no entry is damaged by that");
});

test("A purge and a roll at the same time leave both in the manifest", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const lagging = new LaggingLog(seed);
    await lagging.open();
    for (let i = 0; i < 20; i++) await lagging.append();
    const { world, log } = lagging;
    const purges: Promise<void>[] = [];
    for (let i = 0; i < 12; i++) {
      purges.push(log.purgeBefore(lagging.applied));
      await world.world.time.advance((seed % 7) * 0.05);
      await lagging.append();
    }
    await world.settle(Promise.all(purges));
    const { lastIndex, firstIndex } = log;
    // Nothing tidies up: what the manifest said last is what counts.
    world.world.machine("a").powerLoss("dropPending");
    await lagging.open();
    assert.deepEqual([lagging.log.firstIndex, lagging.log.lastIndex], [firstIndex, lastIndex]);
    await lagging.check(lagging.applied);
  }
});
