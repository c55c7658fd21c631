/**
 * Time of a real process. Node fires timers up to 1 ms early; that is left as it is, because the
 * contract tells callers to read `mono()` again. Delays above the limit of setTimeout (about 24
 * days, after which Node would fire at once) are cut into steps.
 */
import type { Cancel, Clock } from "../../src/platform/clock.ts";

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export const nodeClock: Clock = {
  mono: () => performance.now(),
  wall: () => Date.now(),
  after(ms: number, fn: () => void): Cancel {
    let timer: ReturnType<typeof setTimeout>;
    const arm = (left: number): void => {
      const step = Math.min(left, LONGEST_TIMEOUT_MS);
      timer = setTimeout(() => (left > step ? arm(left - step) : fn()), step);
    };
    arm(Math.max(0, ms));
    return () => clearTimeout(timer);
  },
  soon(fn: () => void): void {
    setImmediate(fn);
  },
};
