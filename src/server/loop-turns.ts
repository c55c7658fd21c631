/**
 * Turns of the event loop for large pieces of work: of all that wait here one goes on in each
 * turn, in the order in which they came. So many clients with much to do at the same moment cost
 * the rest of the node (heartbeats, elections, other replicas) one piece at a time.
 */
import type { Clock } from "../platform/clock.ts";

export class LoopTurns {
  readonly #clock: Pick<Clock, "soon">;
  readonly #waiting: (() => void)[] = [];
  #armed = false;
  /** The end of what `alone` was given so far. */
  #alone: Promise<void> = Promise.resolve();

  constructor(clock: Pick<Clock, "soon">) {
    this.#clock = clock;
  }

  /** Resolves in a turn that nobody else here has. Its length is bounded by that of connections. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#arm();
    });
  }

  /**
   * For work that is done off the loop: one at a time in all, since it takes threads that the log's files
   * need, too.
   */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#alone.then(() => this.next()).then(work);
    this.#alone = run.then(
      () => {},
      () => {},
    );
    return run;
  }

  /** Resolves in the next turn, beside others: for what is small. */
  soon(): Promise<void> {
    return new Promise((resolve) => this.#clock.soon(resolve));
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#clock.soon(() => {
      this.#armed = false;
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#arm();
    });
  }
}
