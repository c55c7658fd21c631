/**
 * The way to a peer and back, as measured once a second over the last half minute. Medians and ranks,
 * no means: a process that stood still for five seconds says nothing about the way, and time-outs that
 * grew by it would make the next election wait.
 */
const SAMPLES = 30;
const RECENT = 5;
/** So many of the largest are taken for accidents. */
const ACCIDENTS = 2;

export interface Rtt {
  /** The middle of all. */
  readonly smoothedMs: number;
  /** What hardly any exceeds, but for accidents. */
  readonly worstMs: number;
  /** The way itself, without what waits on it. */
  readonly leastMs: number;
  /** The middle of the last few. */
  readonly recentMs: number;
}

export class RttEstimate {
  #samples: number[] = [];
  #lastEchoMs = Number.NEGATIVE_INFINITY;

  /**
   * What was said at that time came back: after so long. The same comes again while nothing newer was said,
   * which counts once: to a process that stood still all that waited for it would seem late.
   */
  echoed(saidMs: number, rttMs: number): void {
    if (saidMs <= this.#lastEchoMs) return;
    this.#lastEchoMs = saidMs;
    this.sample(rttMs);
  }

  sample(ms: number): void {
    this.#samples.push(ms);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** Null before the first sample. */
  get value(): Rtt | null {
    if (this.#samples.length === 0) return null;
    const sorted = this.#samples.toSorted((a, b) => a - b);
    const { length } = sorted;
    const accidents = Math.min(ACCIDENTS, Math.floor(length / 4));
    return {
      smoothedMs: middle(sorted),
      worstMs: sorted[length - 1 - accidents]!,
      leastMs: sorted[0]!,
      recentMs: middle(this.#samples.slice(-RECENT).sort((a, b) => a - b)),
    };
  }
}

function middle(sorted: readonly number[]): number {
  return sorted[Math.floor((sorted.length - 1) / 2)]!;
}
