/** How many may do something at once; who comes too many is told to come again. */
import type { MiddlewareHandler } from "hono";
import type { Clock } from "../platform/clock.ts";
import { LoopTurns } from "../server/loop-turns.ts";
import { ApiError } from "./problem.ts";

/**
 * At work at once, reads and writes apart: a write may wait for a quorum that does not come, and who is on call
 * has to see why. Each holds the event loop for a moment, which the log waits for.
 */
const MOST_AT_WORK = 16;
/** Downloads last long, cost little at a time, and hold memory each. */
const MOST_DOWNLOADS = 8;

export class Places {
  readonly #most: number;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Throws when there is none. What is returned gives it back, once, however often it is called. */
  take(): () => void {
    if (this.#taken >= this.#most)
      throw new ApiError(503, "BR4012", "Too many requests at once", "try again in a second");
    this.#taken++;
    let isTaken = true;
    return () => {
      if (isTaken) this.#taken--;
      isTaken = false;
    };
  }
}

export function downloadPlaces(): Places {
  return new Places(MOST_DOWNLOADS);
}

/**
 * Of requests that come at once one begins in each turn of the event loop, refused ones too: together they
 * would hold it for as long as it takes to answer them all.
 */
export function oneInATurn(clock: Pick<Clock, "soon">): MiddlewareHandler {
  const turns = new LoopTurns(clock);
  return async (_, next) => {
    await turns.next();
    await next();
  };
}

/** For requests that have passed all other guards, so that a stranger takes no place. Health is always answered. */
export function loadGuard(isOpen: (path: string) => boolean): MiddlewareHandler {
  const reads = new Places(MOST_AT_WORK);
  const writes = new Places(MOST_AT_WORK);
  return async (context, next) => {
    if (isOpen(context.req.path)) return next();
    const { method } = context.req;
    const free = (method === "GET" || method === "HEAD" ? reads : writes).take();
    try {
      await next();
    } finally {
      free();
    }
  };
}
