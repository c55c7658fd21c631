/** Whole nodes for as long as is wanted. */
import { Totals } from "../totals.ts";
import { drawPlan } from "./plan.ts";
import { SEEDS_FOR_ALL, unreached } from "./reached.ts";
import { runNodes, simulateNodes } from "./simulate.ts";

const SAY_MS = 300_000;

/** Ends at the first violation, which it throws as a report. */
export async function longNodeRun(
  from: number,
  minutes: number,
  say: (line: string) => void,
): Promise<string> {
  const totals = new Totals();
  const began = performance.now();
  let said = began;
  const report = (): string => `nodes: ${totals.describe()}; 0 violations`;
  for (let seed = from; performance.now() - began < minutes * 60_000; seed++) {
    const outcome = await runNodes(drawPlan(seed));
    totals.add(outcome);
    if (outcome.error !== null) throw new Error((await simulateNodes(seed)).report ?? "");
    if (performance.now() - said < SAY_MS) continue;
    said = performance.now();
    say(report());
  }
  const missing = totals.seeds >= SEEDS_FOR_ALL ? unreached(totals.counts) : [];
  if (missing.length > 0) throw new Error(`${missing.join("\n")}\n${report()}`);
  return report();
}
