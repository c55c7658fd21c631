/**
 * The log of one node of an interaction. It gives the application's newest state to whoever needs a
 * snapshot, and may hold only the log's end in memory, as one whose payloads live on the disk does.
 */
import { MemoryStorage } from "../../../src/raft/memory-storage.ts";
import { type COMPACTED, PENDING, type UNAVAILABLE } from "../../../src/raft/storage.ts";
import type { Entry, Snapshot } from "../../../src/raft/types.ts";

type Stored = readonly Entry[] | typeof COMPACTED | typeof UNAVAILABLE;

export class ScenarioStorage extends MemoryStorage {
  readonly history: Snapshot[];
  /** So many entries at the end need not be read first. */
  readonly #hotTail: number;
  /** The lowest index that was asked for in vain, and the lowest that was read since. */
  #wanted = Number.POSITIVE_INFINITY;
  #read = Number.POSITIVE_INFINITY;

  constructor(first: Snapshot, hotTail: number) {
    super();
    this.history = [first];
    this.#hotTail = hotTail;
  }

  override snapshot(): Snapshot {
    return this.history[this.history.length - 1]!;
  }

  override entries(low: number, high: number, maxBytes: number): Stored {
    const isCold = low <= this.lastIndex() - this.#hotTail && low < this.#read;
    if (low < this.firstIndex() || !isCold) return this.stored(low, high, maxBytes);
    this.#wanted = Math.min(this.#wanted, low);
    // One in memory never says so; the core takes it from any storage.
    return PENDING as never;
  }

  /** Whether they are in memory or not. */
  stored(low: number, high: number, maxBytes: number): Stored {
    return super.entries(low, high, maxBytes);
  }

  /** What was asked for has been read, with all behind it. False when nothing was. */
  load(): boolean {
    if (this.#wanted === Number.POSITIVE_INFINITY) return false;
    this.#read = Math.min(this.#read, this.#wanted);
    this.#wanted = Number.POSITIVE_INFINITY;
    return true;
  }
}
