/**
 * Waiting in tests, always with a deadline: never a fixed sleep, and a failure says what was
 * awaited and what was there instead.
 */
import { inspect } from "node:util";

const POLL_MS = 20;
/** A deadline is of a machine that does nothing else: beside other work all takes several times as long. */
const PATIENCE = 8;

export interface WaitOptions {
  readonly deadlineMs: number;
  /** What is awaited, for the error: "replica 3 to catch up". */
  readonly what: string;
  readonly pollMs?: number;
}

/**
 * Asks `condition` until it gives something truthy, and returns that. An exception counts as
 * "not yet" and is told at the deadline.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<NonNullable<T>> {
  const started = performance.now();
  const deadlineMs = options.deadlineMs * PATIENCE;
  let last: unknown;
  let failure: unknown = null;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as NonNullable<T>;
      last = value;
      failure = null;
    } catch (error) {
      failure = error;
    }
    if (performance.now() - started >= deadlineMs) break;
    await new Promise((resolve) => setTimeout(resolve, options.pollMs ?? POLL_MS));
  }
  const detail = failure === null ? `last value ${inspect(last)}` : `last error ${String(failure)}`;
  throw new Error(`Waited ${deadlineMs} ms in vain for ${options.what}: ${detail}`, {
    cause: failure,
  });
}
