/**
 * Both simulators in turn for as long as is wanted: many seeds of bare cores, then one of whole
 * machines, which costs about as much.
 */
import { drawEvents, drawOptions } from "./events.ts";
import { drawPlan } from "./machines/plan.ts";
import { runPlan, simulateMachines } from "./machines/simulate.ts";
import { run, simulate } from "./simulate.ts";
import { Totals } from "./totals.ts";

const EVENTS = 1_500;
const CORES_PER_MACHINES = 100;
const SAY_MS = 300_000;

/** Ends at the first violation, which it throws as a report. */
export async function longRun(
  from: number,
  minutes: number,
  say: (line: string) => void,
): Promise<string> {
  const cores = new Totals();
  const machines = new Totals();
  const began = performance.now();
  let said = began;
  const report = (): string =>
    `cores: ${cores.describe()}\nmachines: ${machines.describe()}\n0 violations`;
  for (let seed = from; performance.now() - began < minutes * 60_000; seed++) {
    for (let i = 0; i < CORES_PER_MACHINES; i++) {
      const one = (seed - 1) * CORES_PER_MACHINES + i + 1;
      const ran = run(drawOptions(one), drawEvents(one, EVENTS));
      cores.add(ran);
      if (ran.error !== null) throw new Error(simulate(one, EVENTS)!.report());
    }
    const outcome = await runPlan(drawPlan(seed));
    machines.add(outcome);
    if (outcome.error !== null) throw new Error((await simulateMachines(seed)).report ?? "");
    if (performance.now() - said < SAY_MS) continue;
    said = performance.now();
    say(report());
  }
  return report();
}
