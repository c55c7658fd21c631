import assert from "node:assert/strict";
import { test } from "node:test";
import { ManifestStore, type SegmentEntry } from "../../../src/storage/manifest.ts";
import { LogWorld } from "./world-log.ts";

test("ManifestStore: of two writes at once the later one counts, with the list as it is by then", async () => {
  const world = new LogWorld(1);
  const platform = world.world.machine("a").start();
  const disk = platform.disk("data");
  const { crc32 } = platform.crypto;
  const identity = { raftId: 1, clusterId: "00", diskUuid: "00", foundedMs: null };
  const segment = (id: number): SegmentEntry => {
    return { id, firstIndex: id, firstBatch: id, footer: null };
  };
  const store = new ManifestStore(disk, crc32);
  const segments = [segment(1)];
  for (let i = 0; i < 2; i++) await world.settle(store.write({ identity, segments, installs: 0 }));
  // The first is under way for long when the second begins.
  world.disk.faults.callMs = 50;
  const purge = store.write({ identity, segments: segments.slice(), installs: 0 });
  world.disk.faults.callMs = 0.001;
  segments.push(segment(2));
  const roll = store.write({ identity, segments, installs: 0 });
  segments.push(segment(3));
  await world.settle(Promise.all([purge, roll]));
  const found = await world.settle(new ManifestStore(disk, crc32).read());
  assert.deepEqual(
    found?.segments.map(({ id }) => id),
    [1, 2, 3],
  );
});
