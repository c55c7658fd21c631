/** One seed of whole nodes: run it, and shrink what fails. */
import { judgePlan, type PlanOutcome } from "../judge-plan.ts";
import { NodeCluster } from "./cluster.ts";
import { drawPlan, type Plan } from "./plan.ts";

export interface Outcome extends PlanOutcome {
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

export function simulateNodes(
  seed: number,
  shrinks = true,
): Promise<{ outcome: Outcome; report: string | null }> {
  return judgePlan(drawPlan(seed), runNodes, shrinks);
}
