/** What a disk does not read is damage, and costs no more than its sector. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { areEqual, filled, openAndLook, restore, slice, snapshot } from "./filled-log.ts";

test("repair: sectors that the disk does not read are damage, and are written back", async () => {
  const world = await filled(7);
  const entries = await world.readAll();
  await world.settle(world.log!.close());
  const whole = snapshot(world);
  for (const [path, bytes] of whole) {
    const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
    // Of the last batch nobody could say whether it was acknowledged: that log is not opened.
    for (let at = 8192 + 700; at < used - 4096; at += 2048) {
      const what = `byte ${at} of ${path}`;
      world.disk.faults.readErrors = [{ path, from: at, to: at + 1 }];
      const ranges = await openAndLook(world);
      assert.ok(ranges !== null, what);
      for (const range of ranges) {
        const peers = slice(entries, range);
        assert.equal(
          await world.settle(world.log!.repair(range, peers)),
          false,
          `${what}: still bad`,
        );
        // A disk gives a sector that is written another place.
        world.disk.faults.readErrors = [];
        assert.equal(await world.settle(world.log!.repair(range, peers)), true, what);
      }
      if (ranges.length > 0) await areEqual(world, entries, what);
      await world.settle(world.log!.close());
      world.disk.faults.readErrors = [];
      restore(world, whole);
    }
  }
});
