/** The clock of one simulated process: virtual time, a wall clock that can be moved, early timers. */
import type { Clock } from "../../src/platform/clock.ts";
import type { Life } from "./life.ts";
import type { SeededRandom } from "./random.ts";

export interface ClockSettings {
  /** Wall clock at virtual time 0; change it to make the wall clock jump. */
  wallOffsetMs: number;
  /** Timers fire up to this much too early, as Node's do. */
  earlyMs: number;
  /** How fast the monotonic clock and its timers go; 1 is right. */
  rate: number;
}

export function memoryClock(life: Life, settings: ClockSettings, random: SeededRandom): Clock {
  return {
    mono: () => life.time.now * settings.rate,
    wall: () => Math.floor(settings.wallOffsetMs + life.time.now),
    after(ms, fn) {
      const early = settings.earlyMs > 0 ? random.float() * settings.earlyMs : 0;
      return life.after((ms - early) / settings.rate, "timer", fn);
    },
    soon(fn) {
      life.after(0, "soon", fn);
    },
  };
}
