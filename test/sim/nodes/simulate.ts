/** One seed of whole nodes: run it, and shrink what fails. */
import { Violation } from "../ghost.ts";
import type { RunFigures } from "../totals.ts";
import { NodeCluster } from "./cluster.ts";
import { drawPlan, type Plan } from "./plan.ts";

export interface Outcome extends RunFigures {
  readonly error: Error | null;
  readonly trace: number;
  /** The last log lines of every node. */
  readonly lines: readonly string[];
}

export async function runNodes(plan: Plan): Promise<Outcome> {
  const cluster = new NodeCluster(plan);
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
    commits: cluster.acked,
    counts: cluster.counts,
    lines: cluster.nodes.flatMap(({ name, lines }) =>
      lines.slice(-40).map((line) => `${name} ${line}`),
    ),
  };
}

export async function simulateNodes(
  seed: number,
  shrinks = true,
): Promise<{ outcome: Outcome; report: string | null }> {
  const plan = drawPlan(seed);
  const outcome = await runNodes(plan);
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
    const again = (await runNodes(candidate)).error;
    const same =
      again instanceof Violation && error instanceof Violation
        ? again.invariant === error.invariant
        : again?.name === error.name;
    if (same) least = candidate;
  }
  return least;
}
