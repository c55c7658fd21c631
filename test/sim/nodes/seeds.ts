/** Seeds for `npm test`, in several files so that they run beside each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Totals } from "../totals.ts";
import { simulateNodes } from "./simulate.ts";
import { judgeSum, SEEDS_EACH } from "./sum.ts";

/** The seeds from there on, as many as each file has. */
export function testSeeds(from: number): void {
  const last = from + SEEDS_EACH - 1;
  test(`seeds ${from} to ${last} of whole nodes violate nothing and come to rest`, async (t) => {
    const totals = new Totals();
    for (let seed = from; seed <= last; seed++) {
      const { outcome, report } = await simulateNodes(seed, false);
      assert.equal(report, null, `${report}\n${outcome.lines.slice(-60).join("\n")}`);
      totals.add(outcome);
    }
    const missing = judgeSum(from, totals.counts);
    if (missing === null)
      t.diagnostic("Which states all seeds reach is judged by the file that ends last");
    else assert.deepEqual(missing, [], `${missing.join("\n")}\n${totals.describe()}`);
  });
}
