/** Seeds for `npm test`, in several files so that they run beside each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Totals } from "../totals.ts";
import { FAULTS } from "./plan.ts";
import { simulateNodes } from "./simulate.ts";

export function testSeeds(from: number, count: number): void {
  test(`seeds ${from} to ${from + count - 1} of whole nodes violate nothing and come to rest`, async () => {
    const totals = new Totals();
    for (let seed = from; seed < from + count; seed++) {
      const { outcome, report } = await simulateNodes(seed, false);
      assert.equal(report, null, `${report}\n${outcome.lines.slice(-60).join("\n")}`);
      totals.add(outcome);
    }
    // Each kind of fault was there; a plan that never hits anything would pass, too.
    const said = totals.describe();
    for (const kind of FAULTS) assert.match(said, new RegExp(`\\b${kind} [1-9]`), said);
  });
}
