/**
 * One waiter on the stream for all connections: a `Wakeup` cannot forget a waiter, so a connection
 * that ended while nothing was committed would stay in its list. Here it is a member of a set.
 *
 * `version` counts wakes. Who finds nothing to read takes the version first, reads, and waits
 * only if it is still the same: nothing that came in between is missed.
 */
import type { BinlogStream } from "./stream.ts";

export class StreamSignal {
  version = 0;
  readonly #stream: Pick<BinlogStream, "advanced">;
  readonly #listeners = new Set<() => void>();

  constructor(stream: Pick<BinlogStream, "advanced">) {
    this.#stream = stream;
    this.#arm();
  }

  #arm(): void {
    this.#stream.advanced.once(() => {
      this.version++;
      this.#arm();
      for (const listener of [...this.#listeners]) listener();
    });
  }

  add(listener: () => void): void {
    this.#listeners.add(listener);
  }

  delete(listener: () => void): void {
    this.#listeners.delete(listener);
  }
}
