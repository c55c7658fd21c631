/**
 * Assertions about our own code; they stay on in production. Never for input from outside: that
 * gets an error with a next step.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export function unreachable(value: never, message: string): never {
  throw new AssertionError(`${message}: ${String(value)}`);
}

/** A bug in binraft. The process ends: going on could act on a state that cannot be. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(`Broken invariant: ${message}`);
    this.name = "AssertionError";
  }
}
