/** One seed on simulated machines: run it, and shrink what fails. */
import { Violation } from "../ghost.ts";
import type { RunFigures } from "../totals.ts";
import { MachineCluster } from "./cluster.ts";
import { drawPlan, type Plan } from "./plan.ts";

export interface Outcome extends RunFigures {
  readonly error: Error | null;
  readonly trace: number;
}

export async function runPlan(plan: Plan): Promise<Outcome> {
  const cluster = new MachineCluster(plan);
  let error: Error | null = null;
  try {
    await cluster.run();
  } catch (thrown) {
    error = thrown as Error;
  }
  const { now, traceHash } = cluster.world.time;
  return {
    error,
    trace: traceHash,
    virtualMs: now,
    commits: cluster.ghost.committed.size,
    counts: cluster.counts,
  };
}

/** What it violates is reported with the fewest faults found that still do. */
export async function simulateMachines(
  seed: number,
  shrinks = true,
): Promise<{ outcome: Outcome; report: string | null }> {
  const plan = drawPlan(seed);
  const outcome = await runPlan(plan);
  if (outcome.error === null) return { outcome, report: null };
  const least = shrinks ? await shrink(plan, outcome.error) : plan;
  const { faults, ...rest } = least;
  const list = faults.map(({ atMs, kind, a, b }) => `  ${atMs.toFixed(3)} ${kind} ${a} ${b}`);
  const report =
    `${outcome.error.stack}\nseed ${seed}, ${JSON.stringify(rest)}\n` +
    `${faults.length} faults:\n${list.join("\n")}`;
  return { outcome, report };
}

async function shrink(plan: Plan, error: Error): Promise<Plan> {
  let least = plan;
  for (let at = least.faults.length - 1; at >= 0; at--) {
    const candidate = { ...least, faults: least.faults.filter((_, i) => i !== at) };
    const again = (await runPlan(candidate)).error;
    if (sameKind(again, error)) least = candidate;
  }
  return least;
}

function sameKind(a: Error | null, b: Error): boolean {
  if (a instanceof Violation && b instanceof Violation) return a.invariant === b.invariant;
  return a?.name === b.name;
}
