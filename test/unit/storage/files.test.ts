/** What a disk does not read is damage, and costs no more than its sector. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DiskError, type DiskFile } from "../../../src/platform/disk.ts";
import { readReadable } from "../../../src/storage/files.ts";
import { SECTOR_BYTES } from "../../../src/storage/format.ts";
import { batchesOf } from "./batches.ts";
import { areEqual, filled, openAndLook, restore, SEGMENT, slice, snapshot } from "./filled-log.ts";

/** As `filled` writes them. */
const MOST_IN_A_BATCH = 3;

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
      const lost = ranges.reduce((sum, one) => sum + one.toIndex - one.fromIndex + 1, 0);
      assert.ok(lost <= MOST_IN_A_BATCH, `${what}: ${lost} entries are lost with one sector`);
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

test('what the disk does not read of the last batch was not "never written": the log is refused, not cut', async () => {
  const world = await filled(8);
  const { lastIndex } = world.log!;
  await world.settle(world.log!.close());
  const last = batchesOf(world.disk).at(-1)!;
  for (const from of [last.at, last.at + last.length - 1]) {
    world.disk.faults.readErrors = [{ path: last.path, from, to: from + 1 }];
    await assert.rejects(world.open(SEGMENT), { name: "LogCorrupt" });
  }
  world.disk.faults.readErrors = [];
  assert.equal((await world.open(SEGMENT)).lastIndex, lastIndex);
});

test("sectors are read around one that fails, up to a bound; any other error is no damage", async () => {
  const bad = new Set([3, 7]);
  let calls = 0;
  const file = (code: string): Pick<DiskFile, "read"> => ({
    read: async (position, into) => {
      calls++;
      for (let at = position; at < position + into.length; at += SECTOR_BYTES)
        if (bad.has(at / SECTOR_BYTES)) throw new DiskError(code, code);
      into.fill(1);
      return into.length;
    },
  });
  const into = new Uint8Array(16 * SECTOR_BYTES);
  assert.equal(await readReadable(file("EIO") as DiskFile, 0, into), into.length);
  for (let sector = 0; sector < 16; sector++) {
    const part = into.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
    const isRead = part.every((byte) => byte === 1);
    assert.equal(isRead, !bad.has(sector), `sector ${sector}`);
    if (!isRead) assert.ok(part.every((byte) => byte !== 0 && byte !== 1));
  }
  await assert.rejects(readReadable(file("ENOMEM") as DiskFile, 0, into), { code: "ENOMEM" });
  for (let sector = 0; sector < 4096; sector++) bad.add(sector);
  calls = 0;
  await readReadable(file("EIO") as DiskFile, 0, new Uint8Array(4096 * SECTOR_BYTES));
  assert.ok(calls < 200, `a disk that is gone is asked ${calls} times`);
});
