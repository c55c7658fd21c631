/**
 * What happens to a cluster of whole nodes in one run, drawn from a seed before it begins. Any part of
 * the list of faults is a list: a failure is shrunk by leaving some out.
 */
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { weighted } from "../events.ts";

export const FAULTS = [
  "kill",
  "killAll",
  "powerLoss",
  "powerLossAll",
  "pause",
  "isolate",
  "oneWay",
  "cutSource",
  "hideSource",
  "transfer",
  "slowDisk",
  "fullDisk",
  "cutReplica",
  "rotate",
  "purge",
  "join",
  "promote",
  "demote",
  "remove",
  "replaceDisk",
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
  readonly voters: number;
  readonly latencyMs: number;
  readonly syncMs: number;
  readonly commitEveryMs: number;
  /** Before an event of a dump, now and then: a cut then falls into a transaction. */
  readonly eventDelayMs: number;
  readonly largeBytes: number;
  readonly lengthMs: number;
  readonly segmentBytes: number;
  /** Nodes are in three regions far from each other, and the leader places voters and itself. */
  readonly geo: boolean;
  readonly faults: readonly Fault[];
}

const LENGTH_MS = 20_000;
const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  kill: 4,
  killAll: 1,
  powerLoss: 3,
  powerLossAll: 1,
  pause: 2,
  isolate: 3,
  oneWay: 2,
  cutSource: 4,
  hideSource: 1,
  transfer: 3,
  slowDisk: 1,
  fullDisk: 1,
  cutReplica: 2,
  rotate: 2,
  purge: 1,
  join: 1,
  promote: 1,
  demote: 0.5,
  remove: 0.5,
  replaceDisk: 0.5,
};

export function drawPlan(seed: number): Plan {
  const random = new SeededRandom(seed).fork("nodes");
  const kinds = FAULTS.filter(() => random.below(3) === 0);
  const pick = weighted(random, kinds, WEIGHTS);
  const everyMs = [500, 1_500, 4_000][random.below(3)]!;
  const faults: Fault[] = [];
  for (let atMs = 3_000; kinds.length > 0; ) {
    atMs += everyMs * (0.5 + random.float());
    if (atMs >= LENGTH_MS) break;
    faults.push({ atMs, kind: pick(), a: random.below(1 << 20), b: random.below(1 << 20) });
  }
  return {
    seed,
    voters: random.below(6) === 0 ? 5 : 3,
    latencyMs: [0.2, 5, 40][random.below(3)]!,
    syncMs: [0.2, 3][random.below(2)]!,
    commitEveryMs: [15, 60, 250][random.below(3)]!,
    eventDelayMs: [0, 0, 8][random.below(3)]!,
    largeBytes: [200, 3_000, 40_000][random.below(3)]!,
    lengthMs: LENGTH_MS,
    segmentBytes: 64 * 1024,
    geo: new SeededRandom(seed).fork("geo").below(4) === 0,
    faults,
  };
}
