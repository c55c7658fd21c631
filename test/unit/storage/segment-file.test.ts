/** Segments on a disk that is full. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LogWorld, payload } from "./world-log.ts";

test("DurableLog on a full disk refuses payloads, serves, and goes on when there is space", async () => {
  const world = new LogWorld(6);
  await world.open();
  world.disk.faults.capacityBytes = world.disk.image.usedBytes() + 70_000;
  let full = false;
  let count = 0;
  for (let i = 0; i < 100 && !full; i++) {
    try {
      await world.append([payload(i, 6000)]);
      count++;
    } catch (error) {
      assert.equal((error as Error).name, "LogFull");
      full = true;
    }
  }
  assert.ok(full && world.log!.full);
  assert.equal((await world.readAll()).length, count);
  // Hard state still fits: a vote can be made durable.
  await world.settle(
    world.log!.append({ hardState: { term: 9, vote: 1, commit: 1 }, entries: [] }),
  );
  world.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
  await world.world.time.runUntil(() => !world.log!.full, 60_000);
  await world.append([payload(500, 6000)]);
  assert.equal((await world.readAll()).length, count + 1);
  assert.deepEqual(world.failures, []);
});

test("DurableLog waits for space also for a batch larger than a segment", async () => {
  const world = new LogWorld(16);
  await world.open();
  await world.append([payload(1, 6000)]);
  await world.world.time.advance(10_000);
  const { faults, image } = world.disk;
  // The next segment is there, and what is behind its end is not.
  faults.capacityBytes = image.usedBytes() + 1000;
  for (let i = 0; i < 3; i++) {
    await assert.rejects(world.append([payload(2, 100_000)]), { name: "LogFull" });
  }
  assert.ok(world.log!.full);
  assert.ok(image.usedBytes() < faults.capacityBytes, "what was taken in vain is given back");
  await world.settle(
    world.log!.append({ hardState: { term: 9, vote: 1, commit: 1 }, entries: [] }),
  );
  faults.capacityBytes = Number.POSITIVE_INFINITY;
  await world.world.time.advance(10_000);
  await world.append([payload(2, 100_000)]);
  assert.equal(world.log!.full, false);
  // It can be sealed with no space at all left.
  await world.world.time.advance(10_000);
  faults.capacityBytes = image.usedBytes();
  await world.append([payload(3, 6000)]);
  assert.equal((await world.readAll()).length, 3);
  assert.deepEqual(world.failures, []);
  await world.open();
  assert.equal((await world.readAll()).length, 3);
});

test("DurableLog begins a segment without its checkpoint where there is no space for that", async () => {
  const world = new LogWorld(17);
  let large = false;
  const checkpoint = () => {
    const index = world.log!.lastIndex;
    return { index, term: 1, data: payload(9, large ? 100_000 : 100) };
  };
  await world.open({ checkpoint });
  await world.world.time.advance(10_000);
  const { faults, image } = world.disk;
  faults.capacityBytes = image.usedBytes() + 1000;
  large = true;
  for (let i = 0; i < 12; i++) await world.append([payload(i, 6000)]);
  assert.equal((await world.readAll()).length, 12);
  assert.equal(world.log!.checkpoint, null);
  assert.deepEqual(world.failures, []);
});
