/** One seed on simulated machines: run it, and shrink what fails. */
import { Violation } from "../ghost.ts";
import { MachineCluster } from "./cluster.ts";
import { drawPlan, type Plan } from "./plan.ts";

export interface Outcome {
  readonly error: Error | null;
  readonly trace: number;
  readonly virtualMs: number;
  readonly commits: number;
  readonly steps: number;
  readonly counts: Readonly<Record<string, number>>;
}

export async function runPlan(plan: Plan): Promise<Outcome> {
  const cluster = new MachineCluster(plan);
  let error: Error | null = null;
  try {
    await cluster.run();
  } catch (thrown) {
    error = thrown as Error;
  }
  const { now, traceHash, steps } = cluster.world.time;
  return {
    error,
    trace: traceHash,
    virtualMs: now,
    commits: cluster.ghost.committed.size,
    steps,
    counts: cluster.counts,
  };
}

/** The outcome, with the fewest faults that still violate the same. */
export async function simulateMachines(
  seed: number,
  shrinks = true,
): Promise<{ outcome: Outcome; report: string }> {
  const plan = drawPlan(seed);
  const outcome = await runPlan(plan);
  if (outcome.error === null) return { outcome, report: "" };
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
