/** Reads from the disk what the core wants to send and has not in memory, a piece at a time. */
import type { Logger } from "../base/logger.ts";
import { type Service, Wakeup } from "../base/service.ts";
import type { DurableLog } from "../storage/log.ts";
import { EntryDamaged } from "../storage/storage.ts";
import type { LogStorage } from "./raft-storage.ts";

const PIECE_BYTES = 1024 * 1024;

export interface PeerReadsHost {
  readonly onRead: () => void;
  readonly onDamaged: () => void;
}

export class PeerReads implements Service {
  readonly #log: DurableLog;
  readonly #storage: LogStorage;
  readonly #logger: Logger;
  readonly #host: PeerReadsHost;
  readonly #wanted = new Wakeup();

  constructor(log: DurableLog, storage: LogStorage, logger: Logger, host: PeerReadsHost) {
    this.#log = log;
    this.#storage = storage;
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
      if (this.#storage.wantsSnapshot) await this.#storage.loadSnapshot();
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
        if (!(error instanceof EntryDamaged)) throw error;
        this.#logger.error("An entry that a peer needs is damaged here", { entry: error.index });
        this.#host.onDamaged();
        continue;
      }
      this.#host.onRead();
    }
  }
}
