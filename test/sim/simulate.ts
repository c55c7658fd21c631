/** One seed: run it, run it again for determinism, and shrink what fails. */
import { Cluster } from "./cluster.ts";
import { drawEvents, drawOptions, type SimEvent, type SimOptions } from "./events.ts";
import { Violation } from "./ghost.ts";
import type { RunFigures } from "./totals.ts";

export class Failure {
  readonly options: SimOptions;
  readonly events: readonly SimEvent[];
  readonly error: Error;
  constructor(options: SimOptions, events: readonly SimEvent[], error: Error) {
    this.options = options;
    this.events = events;
    this.error = error;
  }

  report(): string {
    const list = this.events.map(({ kind, a, b }) => `  ${kind} ${a} ${b}`).join("\n");
    return (
      `${this.error.stack}\nseed ${this.options.seed}, options ` +
      `${JSON.stringify(this.options)}\n${this.events.length} events:\n${list}`
    );
  }
}

/** Null when nothing was violated. */
export function simulate(seed: number, count: number, shrinks = true): Failure | null {
  const options = drawOptions(seed);
  const events = drawEvents(seed, count);
  const first = run(options, events);
  if (first.error === null) return null;
  const least = shrinks ? shrink(options, events, first.error) : events;
  return new Failure(options, least, first.error);
}

export function run(options: SimOptions, events: readonly SimEvent[]): CoreRun {
  const cluster = new Cluster(options);
  let error: Error | null = null;
  try {
    for (const event of events) cluster.apply(event);
    cluster.converge();
  } catch (thrown) {
    error = thrown as Error;
  }
  const { trace, counts, ticks, ghost } = cluster;
  const virtualMs = (ticks / options.nodes) * TICK_MS;
  return { error, trace, counts, virtualMs, commits: ghost.committed.size };
}

/** What one run came to. */
export interface CoreRun extends RunFigures {
  readonly error: Error | null;
  readonly trace: number;
}

/** What a tick stands for when simulated time is counted. */
const TICK_MS = 100;

/** Removes ever smaller pieces as long as the same invariant still breaks. */
function shrink(options: SimOptions, events: readonly SimEvent[], error: Error): SimEvent[] {
  let least = [...events];
  const same = (candidate: SimEvent[]): boolean => {
    const again = run(options, candidate).error;
    if (!(error instanceof Violation) || !(again instanceof Violation)) {
      return again?.message === error.message;
    }
    return again.invariant === error.invariant;
  };
  for (let size = Math.ceil(least.length / 2), tries = 0; size >= 1 && tries < 400; ) {
    let removed = false;
    for (let at = 0; at < least.length && tries < 400; tries++) {
      const candidate = [...least.slice(0, at), ...least.slice(at + size)];
      if (same(candidate)) {
        least = candidate;
        removed = true;
      } else at += size;
    }
    if (!removed || size > least.length) size = Math.floor(size / 2);
  }
  return least;
}
