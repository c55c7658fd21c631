/** The newest entries, in memory since they were appended: what live readers and peers want. */
import type { BufferPool } from "../base/buffer-pool.ts";
import type { Entry } from "../raft/types.ts";

export class HotTail {
  readonly #maxBytes: number;
  readonly #pool: BufferPool;
  #entries: Entry[] = [];
  /** Entries whose bytes a reader may still be sending: their buffers are left to the collector. */
  readonly #lent = new WeakSet<Entry>();
  /** Entries before this position were evicted. */
  #head = 0;
  #bytes = 0;

  constructor(maxBytes: number, pool: BufferPool) {
    this.#maxBytes = maxBytes;
    this.#pool = pool;
  }

  get firstIndex(): number {
    return this.#entries[this.#head]?.index ?? Number.POSITIVE_INFINITY;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += cost(entry);
    while (this.#bytes > this.#maxBytes && this.#head < this.#entries.length - 1) {
      this.#evict(this.#entries[this.#head]!);
      this.#head++;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  #evict(entry: Entry): void {
    this.#bytes -= cost(entry);
    if (!this.#lent.has(entry)) this.#pool.give(entry.data);
  }

  truncateAfter(index: number): void {
    while (this.#entries.length > this.#head && this.#entries.at(-1)!.index > index) {
      this.#bytes -= cost(this.#entries.pop()!);
    }
  }

  /**
   * Consecutive entries from `index` on, at most `maxBytes` but at least one; null when not here.
   * `lend` says that their bytes may be in use for an unknown time.
   */
  read(index: number, maxBytes: number, lend: boolean): readonly Entry[] | null {
    const first = this.#entries[this.#head];
    if (first === undefined || index < first.index) return null;
    const from = this.#head + (index - first.index);
    let to = from;
    let bytes = 0;
    while (to < this.#entries.length && (to === from || bytes < maxBytes)) {
      const entry = this.#entries[to++]!;
      if (lend) this.#lent.add(entry);
      bytes += cost(entry);
    }
    return to > from ? this.#entries.slice(from, to) : null;
  }
}

/** What an entry really holds in memory: payloads may be views of larger buffers. */
function cost(entry: Entry): number {
  return entry.data.buffer.byteLength + 64;
}
