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
    // Nearly each kind of fault was there; a plan that never hits anything would pass, too.
    const said = totals.describe();
    const seen = FAULTS.filter((kind) => new RegExp(`\\b${kind} [1-9]`).test(said));
    assert.ok(seen.length >= FAULTS.length - 4, said);
  });
}
