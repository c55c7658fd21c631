/**
 * Reads from the disk what the core wants to send and has not in memory, a piece at a time. What is
 * damaged is told; a read that fails otherwise, as for want of memory, is tried again: it is no
 * reason to end.
 */
import type { Logger } from "../base/logger.ts";
import { type Service, Wakeup } from "../base/service.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { DurableLog } from "../storage/log.ts";
import { EntryDamaged, EntryGone } from "../storage/storage.ts";
import type { LogStorage } from "./raft-storage.ts";

const PIECE_BYTES = 1024 * 1024;
const RETRY_MS = 1_000;

export interface PeerReadsHost {
  readonly onRead: () => void;
  readonly onDamaged: () => void;
}

export class PeerReads implements Service {
  readonly #log: DurableLog;
  readonly #storage: LogStorage;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #host: PeerReadsHost;
  readonly #wanted = new Wakeup();

  constructor(
    log: DurableLog,
    storage: LogStorage,
    clock: Clock,
    logger: Logger,
    host: PeerReadsHost,
  ) {
    this.#log = log;
    this.#storage = storage;
    this.#clock = clock;
    this.#logger = logger;
    this.#host = host;
  }

  /** The core may want something, or all ends. */
  wake(): void {
    this.#wanted.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { wanted } = this.#storage;
    while (!signal.aborted) {
      if (this.#storage.wantsSnapshot) await this.#loadSnapshot(signal);
      const [first] = wanted;
      if (first === undefined) {
        await this.#wanted.wait();
        continue;
      }
      wanted.delete(first);
      try {
        // Since it was asked for it may have been cut off, or purged: then the core asks anew.
        if (first >= this.#log.firstIndex && first <= this.#log.lastIndex)
          this.#storage.stage(await this.#log.read(first, PIECE_BYTES));
      } catch (error) {
        if (error instanceof EntryDamaged) {
          this.#logger.error("An entry that a peer needs is damaged here", { entry: error.index });
          this.#host.onDamaged();
          continue;
        }
        if (!(error instanceof EntryGone)) await this.#later(error as Error, signal);
      }
      this.#host.onRead();
    }
  }

  async #loadSnapshot(signal: AbortSignal): Promise<void> {
    try {
      await this.#storage.loadSnapshot();
    } catch (error) {
      await this.#later(error as Error, signal);
    }
  }

  async #later({ message }: Error, signal: AbortSignal): Promise<void> {
    this.#logger.warn("What a peer needs cannot be read now: it is tried again", {
      reason: message,
    });
    await delay(this.#clock, RETRY_MS, signal);
  }
}
