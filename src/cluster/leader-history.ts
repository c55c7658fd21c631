/** How often this node saw terms and leaders begin, and when it heard of a leader last. */
import type { Clock } from "../platform/clock.ts";

export class LeaderHistory {
  readonly #clock: Clock;
  #term: number;
  #leader = 0;
  #heardMs: number | null = null;
  /** Terms that began since this process started. */
  elections = 0;
  leaderChanges = 0;

  constructor(clock: Clock, term: number) {
    this.#clock = clock;
    this.#term = term;
  }

  /** True when the leader is another one than before, 0 being none. */
  note(term: number, leader: number): boolean {
    if (term !== this.#term) this.elections++;
    this.#term = term;
    if (leader === this.#leader) return false;
    if (leader !== 0) this.leaderChanges++;
    this.#leader = leader;
    return true;
  }

  heard(): void {
    this.#heardMs = this.#clock.mono();
  }

  /** Since a leader was last heard of, milliseconds; null when none ever was. */
  get silentMs(): number | null {
    return this.#heardMs === null ? null : this.#clock.mono() - this.#heardMs;
  }
}
