/**
 * The shape of everything long-lived. `run` resolves once the service has stopped because the
 * signal was aborted, and rejects when it failed; who started it decides whether to start it
 * again. One tree of signals starts in `main`.
 */
export interface Service {
  run(signal: AbortSignal): Promise<void>;
}

/** A gate that many waiters pass when it is opened, and that then closes again. */
export class Wakeup {
  #waiters: (() => void)[] = [];

  wake(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Runs `fn` once at the next `wake`. */
  once(fn: () => void): void {
    this.#waiters.push(fn);
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}
