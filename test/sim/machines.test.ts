/** Some seeds on simulated machines; `npm run sim -- --machines` runs as many as you like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPlan } from "./machines/plan.ts";
import { runPlan, simulateMachines } from "./machines/simulate.ts";
import { Totals } from "./totals.ts";

const SEEDS = 60;

test(`${SEEDS} seeds on simulated machines violate nothing, go on within a fault budget, come to rest`, async () => {
  const totals = new Totals();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { outcome, report } = await simulateMachines(seed);
    assert.equal(report, null, report ?? "");
    totals.add(outcome);
  }
  // Each kind of fault was there; a plan that never hits anything would pass, too.
  const said = totals.describe();
  for (const kind of [
    "powerLoss",
    "diskError",
    "fullDisk",
    "hangDisk",
    "replace",
    "bad sectors while down",
    "bad sectors under a running node",
    "oneWay",
    "change",
  ])
    assert.match(said, new RegExp(`${kind} [1-9]`), said);
});

test("who does not know that it came to vote learns it from the candidate that it refuses", async () => {
  assert.equal((await simulateMachines(301_982)).report, null);
});

test("a seed run twice on simulated machines leaves the same trace", async () => {
  const traces = new Set<number>();
  for (let seed = 1; seed <= 4; seed++) {
    const first = await runPlan(drawPlan(seed));
    const again = await runPlan(drawPlan(seed));
    assert.equal(first.trace, again.trace, `seed ${seed}`);
    traces.add(first.trace);
  }
  assert.equal(traces.size, 4);
});
