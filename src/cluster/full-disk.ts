/**
 * A node whose disk is full may not be able to take in the purge that would help it: the purge lies in
 * the log behind entries for which there is no room. What the others keep since they applied it tells
 * as much. It was committed, so this node drops the same from its log before it comes to that entry.
 */
import type { Logger } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { DurableLog } from "../storage/log.ts";

const LOOK_MS = 1_000;

export class FullDisk implements Service {
  readonly #log: DurableLog;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #keptFrom: () => number;

  /** `keptFrom`: the oldest entry that some other node still keeps for its files; 0 when nobody says. */
  constructor(log: DurableLog, clock: Clock, logger: Logger, keptFrom: () => number) {
    this.#log = log;
    this.#clock = clock;
    this.#logger = logger;
    this.#keptFrom = keptFrom;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#clock, LOOK_MS, signal);
      if (this.#log.full && !signal.aborted) await this.#purge();
    }
  }

  async #purge(): Promise<void> {
    const { firstIndex } = this.#log;
    const keptFrom = this.#keptFrom();
    if (keptFrom <= firstIndex) return;
    try {
      await this.#log.purgeBefore(keptFrom);
    } catch (error) {
      this.#logger.warn("Purging the log failed", { reason: (error as Error).message });
    }
    if (this.#log.firstIndex > firstIndex)
      this.#logger.info("The disk is full: what the others have purged is dropped here, too", {
        firstEntry: this.#log.firstIndex,
      });
  }
}
