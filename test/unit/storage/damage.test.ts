import assert from "node:assert/strict";
import { test } from "node:test";
import { cutDamage, withoutDamage } from "../../../src/storage/damage.ts";
import type { DamagedRange } from "../../../src/storage/storage.ts";
import { LogWorld, payload } from "./world-log.ts";

function ranges(...pairs: readonly (readonly [number, number])[]): DamagedRange[] {
  return pairs.map(([fromIndex, toIndex]) => ({ fromIndex, toIndex, why: "lost" }));
}

test("A damaged range loses what is whole again, at its ends, in the middle or all of it", () => {
  const damage = ranges([1, 4], [6, 6], [8, 12], [20, 21]);
  withoutDamage(damage, 4, 6);
  assert.deepEqual(damage, ranges([1, 3], [8, 12], [20, 21]));
  withoutDamage(damage, 9, 10);
  assert.deepEqual(damage, ranges([1, 3], [8, 8], [11, 12], [20, 21]));
  cutDamage(damage, 11);
  assert.deepEqual(damage, ranges([1, 3], [8, 8], [11, 11]));
});

test("What is lost of entries that were cut off is no damage, and makes the log no longer", async () => {
  const world = new LogWorld(1);
  await world.open();
  await world.append([payload(1, 500)]);
  const { appendedBytes } = world.log!;
  await world.append([payload(2, 500), payload(3, 500)], 1);
  const entries = [{ index: 2, term: 2, type: 0, data: payload(9, 300) }] as const;
  await world.settle(
    world.log!.append({ hardState: { term: 2, vote: 1, commit: 1 }, truncateAfter: 1, entries }),
  );
  await world.settle(world.log!.close());
  const name = world.disk.image.list("log").find((one) => one.endsWith(".seg"));
  // In the payload of the old entry 3.
  const offset = 8192 + appendedBytes + 72 + 32 + 500 + 32 + 100;
  world.disk.faults.bitFlips = [{ path: `log/${name}`, offset, mask: 1 }];
  const log = await world.open();
  assert.deepEqual(log.damage, []);
  assert.equal(log.lastIndex, 2);
  assert.deepEqual((await world.readAll())[1], entries[0]);
});
