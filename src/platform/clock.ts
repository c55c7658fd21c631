/** Time. The monotonic clock decides; the wall clock is only written down or shown. */
export interface Clock {
  /** Milliseconds, monotonic, with a fraction. The only clock that elections and leases use. */
  mono(): number;
  /** Milliseconds since 1970-01-01 UTC. */
  wall(): number;
  /**
   * Runs `fn` once after `ms`. It may fire up to 1 ms early (Node does): a caller that decides
   * by time reads `mono()` again. Returns a function that cancels it.
   */
  after(ms: number, fn: () => void): Cancel;
  /** Runs `fn` in the next turn of the event loop, after pending I/O. */
  soon(fn: () => void): void;
}

export type Cancel = () => void;

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
