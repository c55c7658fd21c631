/**
 * Virtual time: a queue of events in the order (time, sequence). Nothing here waits for real
 * time. After every event the real event loop turns once, so that all promises which that event
 * settled have run before the next one; the order is then a function of the seed alone.
 */
import { encodeText } from "../../src/base/bytes.ts";
import { crc32 } from "../../src/base/crc32.ts";
import type { Cancel } from "../../src/platform/clock.ts";

interface Event {
  readonly at: number;
  readonly sequence: number;
  readonly label: string;
  /** Null once cancelled. */
  run: (() => void) | null;
}

export class VirtualTime {
  #now = 0;
  #sequence = 0;
  #heap: Event[] = [];
  #steps = 0;
  #trace = 0;
  /** Called with every event that runs; for looking at one seed closely. */
  onEvent: ((atMs: number, label: string) => void) | null = null;

  get now(): number {
    return this.#now;
  }

  /** Events run so far. */
  get steps(): number {
    return this.#steps;
  }

  /** A checksum over time and label of all events: equal for equal runs. */
  get traceHash(): number {
    return this.#trace;
  }

  schedule(delayMs: number, label: string, run: () => void): Cancel {
    const at = this.#now + Math.max(0, delayMs);
    const event: Event = { at, sequence: this.#sequence++, label, run };
    this.#push(event);
    return () => {
      event.run = null;
    };
  }

  /** Runs the next event; false when there is none up to `until`. */
  async step(until = Number.POSITIVE_INFINITY): Promise<boolean> {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until) return false;
      this.#pop();
      const { run } = event;
      if (run === null) continue;
      event.run = null;
      this.#now = event.at;
      this.#steps++;
      const line = encodeText(`${event.at} ${event.label}\n`);
      this.#trace = crc32(line, 0, line.length, this.#trace);
      this.onEvent?.(event.at, event.label);
      run();
      await settle();
      return true;
    }
  }

  /** Runs everything that is due within `ms` from now. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    while (await this.step(until));
    this.#now = until;
  }

  /** Runs until the condition holds, asked after every event; false if `deadlineMs` pass first. */
  async runUntil(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    const until = this.#now + deadlineMs;
    await settle();
    while (!condition()) {
      if (await this.step(until)) continue;
      this.#now = until;
      return condition();
    }
    return true;
  }

  /** Drives the simulation until the task is done; throws if it waits for what cannot come. */
  async run<T>(task: () => Promise<T>, deadlineMs = 24 * 3_600_000): Promise<T> {
    let settled = false;
    const promise = task().finally(() => {
      settled = true;
    });
    promise.catch(() => {});
    if (!(await this.runUntil(() => settled, deadlineMs))) {
      throw new Error(`Simulated task is not done after ${deadlineMs} ms of virtual time`);
    }
    return promise;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}

/** Lets all promises run that can. Not a timer: no real time has to pass. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
