import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeWorld } from "./world-node.ts";

const DAY_MS = 24 * 3_600_000;

test("A node scrubs its log until it stops, and shows what was found", async () => {
  const world = new NodeWorld(1);
  const { time } = world.world;
  const node = await world.start();
  assert.ok(await time.runUntil(() => node.notReady() === null, 10_000));
  for (let i = 0; node.status().storage.segments < 3; i++) {
    await time.run(() => node.setAccount(`account${i}`, { sha2: "ab".repeat(32), native: null }));
  }
  const disk = world.machine.disk("data");
  const [oldest] = disk.image
    .list("log")
    .filter((file) => file.endsWith(".seg"))
    .sort();
  // A sector of it: a single byte could be one of the padding.
  disk.faults.bitFlips = Array.from({ length: 512 }, (_, i) => ({
    path: `log/${oldest}`,
    offset: 32_768 + i,
    mask: 1,
  }));
  assert.deepEqual(node.status().storage.damage, []);
  await time.advance(3_600_000);
  assert.equal(node.status().storage.damage.length, 1);
  assert.ok(node.status().alarms.some((alarm) => /damaged on this disk/.test(alarm)));
  assert.equal(world.lines.filter((line) => /^error .*damaged/.test(line)).length, 1);
  await time.run(() => node.stop());
  const { steps } = time;
  await time.advance(2 * DAY_MS);
  assert.equal(time.steps, steps, "nothing is left running");
});
