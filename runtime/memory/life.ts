/**
 * One run of a simulated process, from start to exit, kill or power loss. Whatever the process
 * waited for never comes once it is over: its timers and I/O are dropped, its promises stay
 * open, as code of a dead process simply stops.
 */
import type { Cancel } from "../../src/platform/clock.ts";
import type { VirtualTime } from "./time.ts";

export class Life {
  readonly name: string;
  readonly time: VirtualTime;
  #alive = true;
  /** What came due while the process was stopped; null while it is not. */
  #overdue: (() => void)[] | null = null;

  constructor(name: string, time: VirtualTime) {
    this.name = name;
    this.time = time;
  }

  get isPaused(): boolean {
    return this.#overdue !== null;
  }

  get alive(): boolean {
    return this.#alive;
  }

  end(): void {
    this.#alive = false;
  }

  /** SIGSTOP: nothing runs until `resume`; then all that came due does, in its order. */
  pause(): void {
    this.#overdue ??= [];
  }

  resume(): void {
    const overdue = this.#overdue ?? [];
    this.#overdue = null;
    for (const run of overdue) this.time.schedule(0, `${this.name} resumed`, run);
  }

  after(ms: number, label: string, fn: () => void): Cancel {
    if (!this.#alive) return () => {};
    let cancelled = false;
    const run = (): void => {
      if (!this.#alive || cancelled) return;
      if (this.#overdue === null) fn();
      else this.#overdue.push(run);
    };
    const cancel = this.time.schedule(ms, `${this.name} ${label}`, run);
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** Resolves after `ms`, unless the process is gone by then. */
  wait(ms: number, label: string): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, label, resolve);
    });
  }
}
