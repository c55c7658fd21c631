/**
 * What happens in one run on simulated machines, drawn from a seed before it begins: the cluster,
 * and faults at times. As in events.ts, each seed uses a subset of the faults, and any part of a
 * list is a list.
 *
 *   safety     any number of faults at once: nothing may be lost, progress is not asked for
 *   liveness   never more than a minority of voters is faulty: commits must go on all the time
 */
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { weighted } from "../events.ts";

export const FAULTS = [
  "powerLoss",
  "kill",
  "pause",
  "partition",
  "isolate",
  "oneWay",
  "cutPair",
  "heal",
  "slowDisk",
  "hangDisk",
  "diskError",
  "fullDisk",
  "badSectors",
  "replace",
  "change",
  "transfer",
  "wallJump",
] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly a: number;
  readonly b: number;
}

export interface Plan {
  readonly seed: number;
  readonly mode: "safety" | "liveness";
  readonly nodes: number;
  readonly voters: number;
  /** One way, between the two farthest nodes. */
  readonly delayMs: number;
  /** Of 1,000 messages. */
  readonly loss: number;
  readonly duplicates: number;
  readonly isReordering: boolean;
  /** Clocks go up to so much too fast or too slow. */
  readonly skew: number;
  readonly syncMs: number;
  readonly proposalMs: number;
  readonly lengthMs: number;
  readonly segmentBytes: number;
  readonly faults: readonly Fault[];
}

export const HEARTBEAT_MS = 50;
export const ELECTION_MS = 500;
const LENGTH_MS = 20_000;

/** How often each is drawn when it is drawn at all. */
const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  powerLoss: 4,
  kill: 2,
  pause: 2,
  partition: 2,
  isolate: 2,
  oneWay: 2,
  cutPair: 2,
  heal: 4,
  slowDisk: 1.5,
  hangDisk: 1,
  diskError: 1,
  fullDisk: 1,
  badSectors: 1.5,
  replace: 0.5,
  change: 2,
  transfer: 2,
  wallJump: 1,
};

/** What leaves a quorum whole and connected when it hits one voter at a time. */
const WITHIN_BUDGET: ReadonlySet<FaultKind> = new Set([
  "powerLoss",
  "kill",
  "pause",
  "isolate",
  "oneWay",
  "heal",
  "slowDisk",
  "hangDisk",
  "diskError",
  "fullDisk",
  "wallJump",
]);

export function drawPlan(seed: number): Plan {
  const random = new SeededRandom(seed).fork("plan");
  const mode = random.below(3) === 0 ? "liveness" : "safety";
  const voters = mode === "liveness" ? 3 + 2 * random.below(2) : 1 + random.below(5);
  const delayMs = [1, 20, 80][random.below(3)]!;
  return {
    seed,
    mode,
    voters,
    nodes: voters + random.below(2),
    delayMs,
    loss: mode === "liveness" ? random.below(2) * 5 : random.below(2) * random.below(200),
    duplicates: random.below(2) * random.below(100),
    isReordering: random.below(2) === 0,
    skew: random.below(2) * 0.1,
    syncMs: [0.2, 2, 20][random.below(3)]!,
    proposalMs: [10, 40, 200][random.below(3)]!,
    lengthMs: LENGTH_MS,
    segmentBytes: 64 * 1024,
    faults: drawFaults(random, mode),
  };
}

function drawFaults(random: SeededRandom, mode: Plan["mode"]): Fault[] {
  const possible = mode === "liveness" ? FAULTS.filter((one) => WITHIN_BUDGET.has(one)) : FAULTS;
  const kinds = possible.filter(() => random.below(2) === 0);
  const pick = weighted(random, kinds, WEIGHTS);
  const everyMs = mode === "liveness" ? 4_000 : [300, 1_000, 3_000][random.below(3)]!;
  const faults: Fault[] = [];
  for (let atMs = 1_500; kinds.length > 0; ) {
    atMs += everyMs * (0.5 + random.float());
    if (atMs >= LENGTH_MS) break;
    faults.push({ atMs, kind: pick(), a: random.below(1 << 20), b: random.below(1 << 20) });
  }
  return faults;
}
