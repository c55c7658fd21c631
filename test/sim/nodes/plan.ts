/**
 * What happens to a cluster of whole nodes in one run, drawn from a seed before it begins. Any part of
 * the list of faults is a list: a failure is shrunk by leaving some out. Each seed draws a few kinds of
 * faults; all of them together in one run would hide one behind the other.
 */
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { weighted } from "../events.ts";

/** By weight, where they are drawn. */
const WEIGHTS = {
  // Processes and machines.
  kill: 4,
  killAll: 1,
  powerLoss: 3,
  powerLossAll: 1,
  pause: 2,
  killLeaderInside: 5,
  pauseLeaderInside: 2,
  // The network.
  isolate: 3,
  oneWay: 2,
  foreign: 2,
  // The source.
  cutSource: 4,
  cutSourceInside: 6,
  hideSource: 1,
  crashSource: 2,
  switchSource: 2,
  recordOnly: 1,
  putBackSource: 2,
  purgeSource: 2,
  unfitSource: 0.7,
  stopSyncer: 1,
  staleChunk: 2,
  rotate: 2,
  // Disks.
  slowDisk: 1,
  fullDisk: 1,
  fullAll: 0.7,
  readError: 1.5,
  flip: 2,
  sector: 2,
  failedSync: 1,
  hungSync: 1,
  // What operators do.
  transfer: 3,
  cutReplica: 2,
  purge: 1,
  lag: 2,
  join: 1,
  promote: 1,
  demote: 0.5,
  remove: 0.5,
  replaceDisk: 0.5,
} as const satisfies Readonly<Record<string, number>>;
export type FaultKind = keyof typeof WEIGHTS;
export const FAULTS = Object.keys(WEIGHTS) as readonly FaultKind[];

export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly a: number;
  readonly b: number;
}

export interface Plan {
  readonly seed: number;
  readonly voters: number;
  /** All at once, or one at first that the others join and are promoted by. */
  readonly formation: "expect" | "bootstrap";
  readonly latencyMs: number;
  readonly syncMs: number;
  readonly commitEveryMs: number;
  /** Before an event of a dump, now and then: a cut then falls into a transaction. */
  readonly eventDelayMs: number;
  readonly largeBytes: number;
  /** Transactions of several chunks, up to so many MiB; 0: none. */
  readonly chunkMib: number;
  readonly lengthMs: number;
  readonly segmentBytes: number;
  readonly retentionBytes: number | null;
  /** The source begins a file so often; 0: only by faults. */
  readonly rotateEveryMs: number;
  /** Nodes are in three regions far from each other, and the leader places voters and itself. */
  readonly geo: boolean;
  readonly faults: readonly Fault[];
}

const LENGTH_MS = 14_000;
/** Each comes to something in few of the plans that have it. */
const RARE: ReadonlySet<FaultKind> = new Set(["lag", "sector", "flip"]);
/** Where they purge, retention finds nothing to do. */
const PURGES: ReadonlySet<FaultKind> = new Set(["lag", "purge"]);
/** Retention looks every half minute. */
const RETENTION_LENGTH_MS = 36_000;

export function drawPlan(seed: number): Plan {
  const random = new SeededRandom(seed).fork("nodes");
  const hasRetention = random.below(5) === 0;
  const chunkMib = random.below(3) === 0 ? 1 + random.below(3) : 0;
  // Where transactions stay open for a while, what falls into them is likely; what is rare anyway is, too.
  const isLikely = (kind: FaultKind): boolean =>
    RARE.has(kind) || (chunkMib > 0 && kind.endsWith("Inside"));
  const kinds = FAULTS.filter((kind) => random.below(isLikely(kind) ? 2 : 7) === 0).filter(
    (kind) => !(hasRetention && PURGES.has(kind)),
  );
  const pick = weighted(random, kinds, WEIGHTS);
  const lengthMs = hasRetention ? RETENTION_LENGTH_MS : LENGTH_MS;
  const everyMs = [500, 1_500, 3_000][random.below(3)]!;
  const faults: Fault[] = [];
  for (let atMs = 3_000; kinds.length > 0; ) {
    atMs += everyMs * (0.5 + random.float());
    if (atMs >= lengthMs) break;
    faults.push({ atMs, kind: pick(), a: random.below(1 << 20), b: random.below(1 << 20) });
  }
  return {
    seed,
    voters: random.below(6) === 0 ? 5 : 3,
    formation: random.below(5) === 0 ? "bootstrap" : "expect",
    latencyMs: [0.2, 5, 40][random.below(3)]!,
    syncMs: [0.2, 3][random.below(2)]!,
    commitEveryMs: chunkMib > 0 || hasRetention ? 250 : [15, 60, 250][random.below(3)]!,
    eventDelayMs: chunkMib > 0 ? 80 : [0, 0, 8][random.below(3)]!,
    largeBytes: [200, 3_000, 40_000][random.below(3)]!,
    chunkMib,
    lengthMs,
    segmentBytes: chunkMib > 0 ? 4 * 1024 * 1024 : 64 * 1024,
    retentionBytes: hasRetention ? 20_000 : null,
    rotateEveryMs: hasRetention || random.below(4) === 0 ? 2_000 : 0,
    geo: new SeededRandom(seed).fork("geo").below(4) === 0,
    faults,
  };
}
