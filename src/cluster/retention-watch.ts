/** Now and then the leader looks what may go (retention.ts), and purges it on all nodes. */
import type { Logger } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { NodeCore } from "./node-core.ts";
import { firstFileToKeep, type RetentionPolicy } from "./retention.ts";

const RETENTION_CHECK_MS = 30_000;

export interface RetentionParts {
  readonly core: NodeCore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The entry that the slowest reader or member still needs. */
  readonly slowestEntry: () => number;
  /** `firstKept` and all behind it stay. */
  readonly purge: (firstKept: string) => Promise<unknown>;
}

export class RetentionWatch implements Service {
  readonly #parts: RetentionParts;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts;
    for (;;) {
      await delay(clock, RETENTION_CHECK_MS, signal);
      if (signal.aborted) return;
      await this.#retain().catch((error: Error) =>
        logger.warn("Purging failed", { reason: error.message }),
      );
    }
  }

  async #retain(): Promise<void> {
    const { state, driver } = this.#parts.core;
    const { files } = state.stream;
    const newest = files[files.length - 1]?.lastTimestamp ?? 0;
    // The events' own clock: a jump of this machine's clock must not purge anything.
    const nowSeconds = Math.min(
      this.#parts.clock.wall() / 1000,
      newest + this.#quietSeconds(newest),
    );
    const { retention } = state.settings;
    const policy: RetentionPolicy = {
      retentionBytes: retention?.bytes ?? null,
      retentionHours: retention?.hours ?? null,
    };
    const keep = firstFileToKeep(files, policy, nowSeconds, this.#parts.slowestEntry());
    if (keep !== null && driver.leads) await this.#parts.purge(keep.name);
  }

  #newest = { timestamp: 0, seenMs: 0 };
  /** How long nothing newer came, on the monotonic clock. */
  #quietSeconds(newest: number): number {
    const now = this.#parts.clock.mono();
    if (newest !== this.#newest.timestamp) this.#newest = { timestamp: newest, seenMs: now };
    return (now - this.#newest.seenMs) / 1000;
  }
}
