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

  constructor(name: string, time: VirtualTime) {
    this.name = name;
    this.time = time;
  }

  get alive(): boolean {
    return this.#alive;
  }

  end(): void {
    this.#alive = false;
  }

  after(ms: number, label: string, fn: () => void): Cancel {
    if (!this.#alive) return () => {};
    return this.time.schedule(ms, `${this.name} ${label}`, () => {
      if (this.#alive) fn();
    });
  }

  /** Resolves after `ms`, unless the process is gone by then. */
  wait(ms: number, label: string): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, label, resolve);
    });
  }
}
