/** The newest entries, in memory since they were appended: what live readers and peers want. */
import type { BufferPool } from "../base/buffer-pool.ts";
import type { Entry } from "../raft/types.ts";
import { PinnedBuffer } from "./pinned-buffer.ts";

/**
 * What an entry holds in memory beside its payload: itself, its pin, and its decoded chunk
 * (cluster/stream-reader.ts). Measured: 1.9 KiB each, more than the payload of a small transaction.
 */
export const ENTRY_OVERHEAD_BYTES = 2048;

interface Slot {
  readonly entry: Entry;
  readonly buffer: PinnedBuffer;
}

export interface HotRun {
  readonly entries: readonly Entry[];
  /** Their bytes stay until the function that this returns is called. */
  pin(): () => void;
}

export class HotTail {
  readonly #maxBytes: number;
  readonly #pool: BufferPool;
  #slots: Slot[] = [];
  /** Slots before this position were evicted. */
  #head = 0;
  #bytes = 0;

  constructor(maxBytes: number, pool: BufferPool) {
    this.#maxBytes = maxBytes;
    this.#pool = pool;
  }

  push(entry: Entry): void {
    this.#slots.push({ entry, buffer: new PinnedBuffer(this.#pool, entry.data) });
    this.#bytes += cost(entry);
    while (this.#bytes > this.#maxBytes && this.#head < this.#slots.length - 1) {
      this.#drop(this.#slots[this.#head]!);
      this.#head++;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }

  #drop(slot: Slot): void {
    this.#bytes -= cost(slot.entry);
    slot.buffer.drop();
  }

  truncateAfter(index: number): void {
    while (this.#slots.length > this.#head && this.#slots.at(-1)!.entry.index > index) {
      this.#drop(this.#slots.pop()!);
    }
  }

  has(index: number): boolean {
    const first = this.#slots[this.#head];
    return first !== undefined && index >= first.entry.index;
  }

  /** Consecutive entries from `index` on, at most `maxBytes` but at least one; null when not here. */
  read(index: number, maxBytes: number): HotRun | null {
    const first = this.#slots[this.#head];
    if (first === undefined || index < first.entry.index) return null;
    const from = this.#head + (index - first.entry.index);
    let to = from;
    let bytes = 0;
    while (to < this.#slots.length && (to === from || bytes < maxBytes)) {
      bytes += this.#slots[to++]!.entry.data.length + 64;
    }
    if (to === from) return null;
    const slots = this.#slots.slice(from, to);
    return {
      entries: slots.map((slot) => slot.entry),
      pin: () => {
        const pins = slots.map((slot) => slot.buffer.pin());
        return () => {
          for (const unpin of pins) unpin();
        };
      },
    };
  }
}

/** What an entry really holds in memory: payloads may be views of larger buffers. */
function cost(entry: Entry): number {
  return entry.data.buffer.byteLength + ENTRY_OVERHEAD_BYTES;
}
