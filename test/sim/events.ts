/**
 * The faults and inputs of one run, drawn from a seed before it begins. Each seed uses a subset of
 * them (swarm testing: a fault that is always on hides the bugs that need its absence). An event
 * that does not fit the moment does nothing, so any part of a list is a list: that is what makes a
 * failure shrinkable.
 */
import { SeededRandom } from "../../runtime/memory/random.ts";
import type { Tracer } from "../../src/raft/trace.ts";

export const KINDS = [
  "tick",
  "deliver",
  "disk",
  "propose",
  "drop",
  "duplicate",
  "crash",
  "restart",
  "partition",
  "oneWay",
  "heal",
  "pause",
  "change",
  "transfer",
  "compact",
  "readIndex",
  "campaign",
  "unreachable",
  "forgetLeader",
] as const;
export type EventKind = (typeof KINDS)[number];

export interface SimEvent {
  readonly kind: EventKind;
  readonly a: number;
  readonly b: number;
}

export interface SimOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly voters: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly asyncStorageWrites: boolean;
  readonly priorities: boolean;
  readonly maxInflight: number;
  readonly maxBytes: number;
  /** Begin with a log of entries that add the voters, as etcd raft's bootstrap does, and tell it all. */
  readonly tracer: Tracer | null;
}

/** How often each is drawn when it is drawn at all. */
const WEIGHTS: Readonly<Record<EventKind, number>> = {
  tick: 30,
  deliver: 60,
  disk: 40,
  propose: 8,
  drop: 4,
  duplicate: 4,
  crash: 1,
  restart: 3,
  partition: 0.6,
  oneWay: 0.6,
  heal: 1.2,
  pause: 1,
  change: 1,
  transfer: 0.8,
  compact: 0.8,
  readIndex: 1,
  campaign: 0.5,
  unreachable: 0.5,
  forgetLeader: 0.2,
};
/** Without these nothing happens. */
const ALWAYS: ReadonlySet<EventKind> = new Set(["tick", "deliver", "disk", "propose", "restart"]);

export function drawOptions(seed: number): SimOptions {
  const random = new SeededRandom(seed).fork("options");
  const nodes = 1 + random.below(6);
  return {
    seed,
    nodes,
    voters: 1 + random.below(Math.min(nodes, 5)),
    preVote: random.below(2) === 0,
    checkQuorum: random.below(2) === 0,
    asyncStorageWrites: random.below(2) === 0,
    priorities: random.below(3) === 0,
    maxInflight: [1, 3, 256][random.below(3)]!,
    maxBytes: [30, 200, 1_000_000][random.below(3)]!,
    tracer: null,
  };
}

export function drawEvents(seed: number, count: number): SimEvent[] {
  const random = new SeededRandom(seed).fork("events");
  const kinds = KINDS.filter((kind) => ALWAYS.has(kind) || random.below(2) === 0);
  const pick = weighted(random, kinds, WEIGHTS);
  return Array.from({ length: count }, () => {
    const kind = pick();
    return { kind, a: random.below(1 << 20), b: random.below(1 << 20) };
  });
}

/** Draws one of `kinds`, each as often as its weight says. */
export function weighted<K extends string>(
  random: SeededRandom,
  kinds: readonly K[],
  weights: Readonly<Record<K, number>>,
): () => K {
  const total = kinds.reduce((sum, kind) => sum + weights[kind], 0);
  return () => {
    let at = random.float() * total;
    for (const kind of kinds) {
      at -= weights[kind];
      if (at < 0) return kind;
    }
    return kinds[0]!;
  };
}
