/**
 * Looks for damage before a reader meets it: what replicas read long ago is otherwise never read
 * again, and a disk that loses it would be found out when it is needed. Sealed segments, one block
 * at a time with a pause behind each, so that commits and readers do not notice. The pass begins
 * anew after a restart: a place that was kept would be one more thing to be wrong.
 *
 * What it finds goes where a read's finding goes (`DurableLog.damage`), and is logged once.
 */
import type { Logger } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { VerifiedBlock } from "./storage.ts";

/** A start has better things to do. */
const FIRST_PAUSE_MS = 5 * 60_000;
/** From the beginning of a pass to that of the next one. */
const PASS_MS = 24 * 3_600_000;
/** Between two passes of a log so large that one takes a day. */
const LEAST_PAUSE_MS = 3_600_000;
const BYTES_PER_MS = (4 * 1024 * 1024) / 1000;
/** For blocks of a few bytes. */
const LEAST_BLOCK_PAUSE_MS = 10;

/** The part of the log that is needed (storage/log.ts). */
export interface Verifiable {
  readonly firstIndex: number;
  verifyFrom(index: number): Promise<VerifiedBlock | null>;
}

export class Scrub implements Service {
  readonly #log: Verifiable;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Last entries of blocks that the disk refused: told once. */
  readonly #refused = new Set<number>();

  constructor(log: Verifiable, clock: Clock, logger: Logger) {
    this.#log = log;
    this.#clock = clock;
    this.#logger = logger;
  }

  async run(signal: AbortSignal): Promise<void> {
    await delay(this.#clock, FIRST_PAUSE_MS, signal);
    while (!signal.aborted) {
      const began = this.#clock.mono();
      await this.#pass(signal);
      const took = this.#clock.mono() - began;
      await delay(this.#clock, Math.max(PASS_MS - took, LEAST_PAUSE_MS), signal);
    }
  }

  async #pass(signal: AbortSignal): Promise<void> {
    for (let index = this.#log.firstIndex; !signal.aborted; ) {
      const block = await this.#log.verifyFrom(index);
      if (block === null) return;
      this.#tell(block);
      // Purged meanwhile: there is nothing to look for below.
      index = Math.max(block.next, this.#log.firstIndex);
      await delay(this.#clock, Math.max(block.bytes / BYTES_PER_MS, LEAST_BLOCK_PAUSE_MS), signal);
    }
  }

  #tell(block: VerifiedBlock): void {
    for (const { fromIndex, toIndex, why } of block.found) {
      this.#logger.error(
        "Stored entries are damaged on this disk and are not served: stop the node, and binraft log verify shows where",
        { fromIndex, toIndex, why },
      );
    }
    if (block.unreadable === null || this.#refused.has(block.next)) return;
    this.#refused.add(block.next);
    this.#logger.error(
      "The disk does not give a block of the log: look at its health, and copy the data directory while it can be read",
      { lastIndex: block.next - 1, reason: block.unreadable },
    );
  }
}
