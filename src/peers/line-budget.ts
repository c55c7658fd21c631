/** So many lines a minute, for what strangers can make a node say; what was left unsaid is counted. */
import type { Clock } from "../platform/clock.ts";

const MINUTE_MS = 60_000;

export class LineBudget {
  readonly #clock: Clock;
  readonly #perMinute: number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #said = 0;
  #unsaid = 0;

  constructor(clock: Clock, perMinute = 60) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** Null: be silent. Else how many lines were left unsaid before this one. */
  take(): number | null {
    const now = this.#clock.mono();
    if (now - this.#sinceMs >= MINUTE_MS) {
      this.#sinceMs = now;
      this.#said = 0;
    }
    if (this.#said >= this.#perMinute) {
      this.#unsaid++;
      return null;
    }
    this.#said++;
    const unsaid = this.#unsaid;
    this.#unsaid = 0;
    return unsaid;
  }
}
