/**
 * The way to a peer and back, as measured once a second: smoothed, with how much it wanders (RFC 6298
 * §2), and the least of the last minute, which is the way itself without what waits on it.
 */
const SMOOTH = 1 / 8;
const WANDER = 1 / 4;
const LEAST_OF = 60;

export interface Rtt {
  readonly smoothedMs: number;
  /** What hardly any round trip exceeds: smoothed and four times what it wanders. */
  readonly worstMs: number;
  readonly leastMs: number;
}

export class RttEstimate {
  #smoothed = 0;
  #wander = 0;
  #recent: number[] = [];

  sample(ms: number): void {
    if (this.#recent.length === 0) {
      this.#smoothed = ms;
      // Not half of it as in the RFC: a time-out that was set too long once stays so.
      this.#wander = ms / 16;
    } else {
      this.#wander += WANDER * (Math.abs(ms - this.#smoothed) - this.#wander);
      this.#smoothed += SMOOTH * (ms - this.#smoothed);
    }
    this.#recent.push(ms);
    if (this.#recent.length > LEAST_OF) this.#recent.shift();
  }

  /** Null before the first sample. */
  get value(): Rtt | null {
    if (this.#recent.length === 0) return null;
    return {
      smoothedMs: this.#smoothed,
      worstMs: this.#smoothed + 4 * this.#wander,
      leastMs: Math.min(...this.#recent),
    };
  }
}
