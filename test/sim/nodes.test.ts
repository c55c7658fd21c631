/** Some seeds of whole nodes; `npm run sim -- --nodes` runs as many as you like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPlan, FAULTS } from "./nodes/plan.ts";
import { runNodes, simulateNodes } from "./nodes/simulate.ts";
import { Totals } from "./totals.ts";

const SEEDS = 500;
/** Each was a bug: kept, whatever else the seeds may be one day. */
const REGRESSIONS = [4, 30, 35, 98, 229, 414] as const;

test(`${SEEDS} seeds of whole nodes violate nothing and come to rest`, async () => {
  const totals = new Totals();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { outcome, report } = await simulateNodes(seed);
    assert.equal(report, null, `${report}\n${outcome.lines.slice(-60).join("\n")}`);
    totals.add(outcome);
  }
  assert.ok(REGRESSIONS.every((seed) => seed <= SEEDS));
  // Each kind of fault was there; a plan that never hits anything would pass, too.
  const said = totals.describe();
  for (const kind of FAULTS) assert.match(said, new RegExp(`\\b${kind} [1-9]`), said);
});

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
