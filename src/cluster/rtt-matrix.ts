/**
 * How far the regions of a cluster are from each other: what its nodes have measured on their links,
 * each its own, and tell each other once a second; where nobody has measured, what geography estimates.
 * Pure: made anew whenever it is asked for.
 */
import type { Rtt } from "../peers/rtt.ts";
import type { SlowestLink } from "./policies.ts";

/** Of one link, as the node at one of its ends measures it. */
export interface LinkRtt {
  readonly from: number;
  readonly to: number;
  readonly smoothedMs: number;
  readonly worstMs: number;
}

/** One way of the matrix, as it is shown. */
export interface RegionRtt {
  readonly from: string;
  readonly to: string;
  /** There and back; null when nobody knows. */
  readonly rttMs: number | null;
  readonly measured: boolean;
}

/** Of two regions of which nothing is known: as far as an ocean. */
const UNKNOWN_MS = 100;

export class RttMatrix {
  readonly #links: readonly LinkRtt[];
  /** Sorted, of "from to" with from ≤ to. */
  readonly #measured = new Map<string, number[]>();
  readonly #estimate: (from: string, to: string) => number | null;
  readonly regions: readonly string[];

  constructor(
    regionOf: ReadonlyMap<number, string>,
    links: readonly LinkRtt[],
    estimate: (from: string, to: string) => number | null,
  ) {
    this.#estimate = estimate;
    this.regions = [...new Set(regionOf.values())].sort();
    this.#links = links.filter(({ from, to }) => regionOf.has(from) && regionOf.has(to));
    for (const { from, to, smoothedMs } of this.#links) {
      const way = wayOf(regionOf.get(from)!, regionOf.get(to)!);
      const known = this.#measured.get(way);
      if (known === undefined) this.#measured.set(way, [smoothedMs]);
      else known.push(smoothedMs);
    }
    for (const known of this.#measured.values()) known.sort((a, b) => a - b);
  }

  /** The middle of what was measured: one slow node does not move a region. */
  #medianMs(from: string, to: string): number | null {
    const known = this.#measured.get(wayOf(from, to));
    return known === undefined ? null : known[Math.floor((known.length - 1) / 2)]!;
  }

  /** There and back, milliseconds. */
  betweenMs(from: string, to: string): number {
    return this.#medianMs(from, to) ?? this.#estimate(from, to) ?? UNKNOWN_MS;
  }

  /** Of the links between these nodes: the longest, and what the most restless hardly exceeds; 0 without any. */
  slowest(ids: ReadonlySet<number>): SlowestLink {
    const among = this.#links.filter(({ from, to }) => ids.has(from) && ids.has(to));
    return {
      smoothedMs: Math.max(0, ...among.map(({ smoothedMs }) => smoothedMs)),
      worstMs: Math.max(0, ...among.map(({ worstMs }) => worstMs)),
    };
  }

  /** Each pair of regions once, and each region with itself where it was measured. */
  rows(): RegionRtt[] {
    const { regions } = this;
    return regions.flatMap((from, at) =>
      regions.slice(at).flatMap((to) => {
        const medianMs = this.#medianMs(from, to);
        if (from === to && medianMs === null) return [];
        const rttMs = medianMs ?? this.#estimate(from, to);
        return [{ from, to, rttMs, measured: medianMs !== null }];
      }),
    );
  }
}

function wayOf(a: string, b: string): string {
  return a <= b ? `${a} ${b}` : `${b} ${a}`;
}

/** As nodes tell each other: [to, smoothed, worst]. */
export type ToldRtts = readonly (readonly [number, number, number])[];

export function toldRtts(reports: readonly { id: number; rtt: Rtt | null }[]): ToldRtts {
  return reports.flatMap(({ id, rtt }) =>
    rtt === null ? [] : [[id, round(rtt.smoothedMs), round(rtt.worstMs)] as const],
  );
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** Of what came over a link; what makes no sense is left out. */
export function linksOf(from: number, told: unknown): LinkRtt[] {
  if (!Array.isArray(told)) return [];
  return told.flatMap((one: unknown) => {
    if (!Array.isArray(one) || one.length !== 3) return [];
    const [to, smoothedMs, worstMs] = one as unknown[];
    if (!isTime(smoothedMs) || !isTime(worstMs) || !Number.isSafeInteger(to)) return [];
    return [{ from, to: to as number, smoothedMs, worstMs }];
  });
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < 3_600_000;
}
