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
  #stopped = false;
  /** What came due while the process was stopped, and is not done yet; null while there is nothing. */
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
    this.#stopped = true;
    this.#overdue ??= [];
  }

  resume(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#catchUp();
  }

  #catchUp(): void {
    this.time.schedule(0, `${this.name} resumed`, () => {
      if (this.#stopped || this.#overdue === null) return;
      const run = this.#overdue.shift();
      if (run === undefined) this.#overdue = null;
      else {
        run();
        this.#catchUp();
      }
    });
  }

  /** Something reaches the process from outside: now, or in its order once it runs again. */
  reach(act: () => void): void {
    if (this.#overdue === null || !this.#alive) act();
    else this.#overdue.push(act);
  }

  after(ms: number, label: string, fn: () => void): Cancel {
    if (!this.#alive) return () => {};
    let cancelled = false;
    const run = (): void => {
      if (this.#alive && !cancelled) fn();
    };
    const cancel = this.time.schedule(ms, `${this.name} ${label}`, () => this.reach(run));
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
