/**
 * Who changed what stands in the log: a line for each write that was let in. Of requests that were refused there
 * is one line a minute at most, with their number: anyone can send them.
 */
import type { MiddlewareHandler } from "hono";
import type { Logger } from "../base/logger.ts";
import type { Clock } from "../platform/clock.ts";

const QUIET_MS = 60_000;
const REFUSED: ReadonlySet<number> = new Set([401, 403, 411, 413, 415]);

export function requestLog(logger: Logger, clock: Pick<Clock, "mono">): MiddlewareHandler {
  let refused = 0;
  let toldMs = Number.NEGATIVE_INFINITY;
  return async (context, next) => {
    await next();
    const { method, path } = context.req;
    const { status } = context.res;
    if (REFUSED.has(status)) {
      refused++;
      const now = clock.mono();
      if (now - toldMs < QUIET_MS) return;
      toldMs = now;
      logger.warn("Requests of the admin API are refused", {
        status,
        path: path.slice(0, 100),
        refused,
      });
      refused = 0;
      // Bodies may refer to secrets and are not written down.
    } else if (method !== "GET" && method !== "HEAD") {
      logger.info("Admin request", { method, path: path.slice(0, 100), status });
    }
  };
}
