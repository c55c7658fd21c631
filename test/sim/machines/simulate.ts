/** One seed on simulated machines: run it, and shrink what fails. */
import { judgePlan, type PlanOutcome } from "../judge-plan.ts";
import { MachineCluster } from "./cluster.ts";
import { drawPlan, type Plan } from "./plan.ts";

type Outcome = PlanOutcome;

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

export function simulateMachines(
  seed: number,
  shrinks = true,
): Promise<{ outcome: Outcome; report: string | null }> {
  return judgePlan(drawPlan(seed), runPlan, shrinks);
}
