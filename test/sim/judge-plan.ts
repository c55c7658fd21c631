/** A plan with faults that is run, and shrunk when it violates something. */
import { Violation } from "./ghost.ts";
import type { RunFigures } from "./totals.ts";

export interface PlanOutcome extends RunFigures {
  readonly error: Error | null;
  readonly trace: number;
}

interface PlannedFault {
  readonly atMs: number;
  readonly kind: string;
  readonly a: number;
  readonly b: number;
}

interface Planned {
  readonly seed: number;
  readonly faults: readonly PlannedFault[];
}

/** What it violates is reported with the fewest faults found that still do. */
export async function judgePlan<P extends Planned, O extends PlanOutcome>(
  plan: P,
  run: (plan: P) => Promise<O>,
  shrinks: boolean,
): Promise<{ outcome: O; report: string | null }> {
  const outcome = await run(plan);
  if (outcome.error === null) return { outcome, report: null };
  const least = shrinks ? await shrink(plan, run, outcome.error) : plan;
  const { faults, ...rest } = least;
  const list = faults.map(({ atMs, kind, a, b }) => `  ${atMs.toFixed(3)} ${kind} ${a} ${b}`);
  const report =
    `${outcome.error.stack}\nseed ${plan.seed}, ${JSON.stringify(rest)}\n` +
    `${faults.length} faults:\n${list.join("\n")}`;
  return { outcome, report };
}

async function shrink<P extends Planned>(
  plan: P,
  run: (plan: P) => Promise<PlanOutcome>,
  error: Error,
): Promise<P> {
  let least = plan;
  for (let at = least.faults.length - 1; at >= 0; at--) {
    const candidate = { ...least, faults: least.faults.filter((_, i) => i !== at) };
    if (sameKind((await run(candidate)).error, error)) least = candidate;
  }
  return least;
}

function sameKind(a: Error | null, b: Error): boolean {
  if (a instanceof Violation && b instanceof Violation) return a.invariant === b.invariant;
  return a?.name === b.name;
}
