/**
 * How long what this node proposes as the leader takes until it is applied here: a quorum's sync and the
 * way there and back. Of the last entries only, in memory of a fixed size.
 */
const KEPT = 1024;
/** Proposed and not applied yet; more are not looked at. */
const MOST_WAITING = 4096;

interface Waiting {
  readonly index: number;
  readonly atMs: number;
}

export class CommitTimes {
  #waiting: Waiting[] = [];
  readonly #times: number[] = [];
  #next = 0;

  proposed(index: number, nowMs: number): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push({ index, atMs: nowMs });
  }

  /** Everything up to that entry. */
  applied(index: number, nowMs: number): void {
    const count = this.#waiting.findIndex((one) => one.index > index);
    for (const { atMs } of this.#waiting.splice(0, count < 0 ? this.#waiting.length : count)) {
      this.#times[this.#next] = nowMs - atMs;
      this.#next = (this.#next + 1) % KEPT;
    }
  }

  /** This node does not lead any more: what waits may be another leader's. */
  forget(): void {
    this.#waiting = [];
  }

  /** 0 ≤ share ≤ 1; null while nothing is known. */
  quantileMs(share: number): number | null {
    if (this.#times.length === 0) return null;
    const sorted = this.#times.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  }
}
