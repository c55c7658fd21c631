/** Some seeds of whole nodes; `npm run sim -- --nodes` runs as many as you like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPlan } from "./nodes/plan.ts";
import { testSeeds } from "./nodes/seeds.ts";
import { runNodes } from "./nodes/simulate.ts";

testSeeds(1);

test("a seed of whole nodes run twice leaves the same trace", async () => {
  const traces = new Set<number>();
  for (let seed = 1; seed <= 3; seed++) {
    const first = await runNodes(drawPlan(seed));
    const again = await runNodes(drawPlan(seed));
    assert.equal(first.trace, again.trace, `seed ${seed}`);
    traces.add(first.trace);
  }
  assert.equal(traces.size, 3);
});
