/**
 * Reading entries: from what is in memory since it was appended, else from blocks of the disk, which
 * are checked each time and shared by all readers.
 *
 * Entries behind a cut are never given out, also where a block was loaded before it was cut.
 */
import { assert } from "../base/assert.ts";
import type { BufferPool } from "../base/buffer-pool.ts";
import type { DiskFile } from "../platform/disk.ts";
import type { Entry } from "../raft/types.ts";
import { judgeBatch, type ReadRecord, readRecords } from "./batch.ts";
import { type Block, BlockCache, type Lease } from "./block-cache.ts";
import { withoutDamage } from "./damage.ts";
import { readReadable } from "./files.ts";
import { type Crc32, RecordType } from "./format.ts";
import type { HotTail } from "./hot-tail.ts";
import type { BlockRef, LogIndex } from "./log-index.ts";
import { PinnedBuffer } from "./pinned-buffer.ts";
import { type DamagedRange, EntryDamaged, EntryGone, type VerifiedBlock } from "./storage.ts";

export interface ReaderParts {
  readonly index: LogIndex;
  readonly files: ReadonlyMap<number, DiskFile>;
  readonly hot: HotTail;
  readonly blockBytes: number;
  readonly pool: BufferPool;
  readonly crc32: Crc32;
  /** Known damage; what reads find is added. */
  readonly damage: DamagedRange[];
}

export class LogReader {
  readonly #index: LogIndex;
  readonly #files: ReadonlyMap<number, DiskFile>;
  readonly #hot: HotTail;
  readonly #cache: BlockCache;
  readonly #pool: BufferPool;
  readonly #crc32: Crc32;
  readonly damage: DamagedRange[];

  constructor(parts: ReaderParts) {
    this.#index = parts.index;
    this.#files = parts.files;
    this.#hot = parts.hot;
    this.#cache = new BlockCache(parts.blockBytes);
    this.#pool = parts.pool;
    this.#crc32 = parts.crc32;
    this.damage = parts.damage;
  }

  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /** These entries are whole again. Blocks that were read without them are read anew. */
  repaired(fromIndex: number, toIndex: number): void {
    withoutDamage(this.damage, fromIndex, toIndex);
  }

  /** A segment was purged or changed. */
  forget(segment: number): void {
    this.#cache.drop(`${segment}:`);
  }

  /**
   * Consecutive entries from `index` on: at least one, about `maxBytes`. Release the lease when
   * they were read, and hold what a socket still has to send. Rejects with EntryDamaged, or with EntryGone.
   */
  async read(index: number, maxBytes: number): Promise<Lease> {
    assert(
      index >= this.#index.firstIndex && index <= this.#index.lastIndex,
      `entry ${index} is in the log`,
    );
    const hot = this.#hot.read(index, maxBytes);
    if (hot !== null) return { entries: hot.entries, release: hot.pin(), hold: hot.pin };
    const ref = this.#index.blocks[this.#index.find(index)];
    if (ref === undefined) throw new EntryDamaged(index, this.#damageAt(index) ?? "it was lost");
    const { key, cost, load } = this.#blockAt(ref);
    const { epoch } = this.#index;
    const lease = await this.#cache.acquire(key, cost, load);
    if (this.#index.epoch !== epoch) {
      // What the log held then may be what others never had.
      lease.release();
      throw new EntryGone(index);
    }
    const now = this.#index.blocks[this.#index.find(index)];
    if (now !== undefined && now !== ref) {
      // Meanwhile it was cut off and another entry took its place. (Purged is not cut off.)
      lease.release();
      return this.read(index, maxBytes);
    }
    const { entries } = lease;
    const from = entries.findIndex((entry) => entry.index === index);
    if (from < 0) {
      lease.release();
      throw new EntryDamaged(index, this.#damageAt(index) ?? "its block does not hold it");
    }
    // Up to the next one that is lost, which the caller meets at its own index, and not beyond a cut:
    // the block may have been loaded before it.
    let to = from + 1;
    while (
      to < entries.length &&
      entries[to]!.index === entries[to - 1]!.index + 1 &&
      entries[to]!.index <= ref.lastIndex
    ) {
      to++;
    }
    const run = from === 0 && to === entries.length ? entries : entries.slice(from, to);
    return { entries: run, release: lease.release, hold: lease.hold };
  }

  /** Reads what stands at `index` into the cache, if there is room for it: who asks next finds it. */
  readAhead(index: number): void {
    if (index < this.#index.firstIndex || index > this.#index.lastIndex || this.#hot.has(index))
      return;
    const ref = this.#index.blocks[this.#index.find(index)];
    if (ref === undefined) return;
    const { key, cost, load } = this.#blockAt(ref);
    this.#cache.warm(key, cost, load);
  }

  /**
   * Reads the first block of a sealed segment that ends at `index` or later, and checks it as every
   * read does. Past the cache, which would have no room for readers otherwise, and which may hold
   * what the disk has lost. Null when no block is left.
   */
  async verifyFrom(index: number, activeSegment: number): Promise<VerifiedBlock | null> {
    const ref = this.#index.blockFrom(index);
    if (ref === undefined || ref.segment === activeSegment) return null;
    const bytes = ref.end - ref.at;
    const next = ref.lastIndex + 1;
    const known = new Set(this.damage);
    let unreadable: string | null = null;
    try {
      (await this.#loadBlock(ref, bytes)).buffer.drop();
    } catch (error) {
      // A segment that was purged meanwhile is nothing to report.
      if (this.#files.has(ref.segment)) unreadable = (error as Error).message;
    }
    return { next, bytes, found: this.damage.filter((range) => !known.has(range)), unreadable };
  }

  #blockAt(ref: BlockRef): { key: string; cost: number; load: () => Promise<Block> } {
    const bytes = ref.end - ref.at;
    return {
      // A block that grew is another one.
      key: `${ref.segment}:${ref.at}:${ref.end}`,
      cost: Math.max(bytes, this.#pool.bufferBytes),
      load: () => this.#loadBlock(ref, bytes),
    };
  }

  #damageAt(index: number): string | undefined {
    return this.damage.find((d) => index >= d.fromIndex && index <= d.toIndex)?.why;
  }

  async #loadBlock(ref: BlockRef, size: number): Promise<Block> {
    const file = this.#files.get(ref.segment);
    // Whoever waited for room in the cache may come after a purge.
    if (file === undefined) throw new EntryGone(ref.firstIndex);
    const pool = this.#pool;
    const pooled = size <= pool.bufferBytes ? pool.take() : new Uint8Array(size);
    const bytes = pooled.subarray(0, size);
    const { epoch } = this.#index;
    const read = await this.#readFile(file, ref, bytes);
    const damaged = (from: number, to: number, why: string): void => {
      // Of a log that was replaced meanwhile nobody wants to know.
      if (this.#index.epoch === epoch) this.#damaged(from, to, why);
    };
    const entries: Entry[] = [];
    let seen = ref.firstIndex - 1;
    let at = 0;
    while (at < read) {
      const found = ref.inside
        ? readRecords(bytes.subarray(0, read), this.#crc32)
        : wholeBatch(bytes, at, this.#crc32);
      if (found === null) {
        // Not those before it; and what was cut off may be what is lost.
        if (seen < ref.lastIndex)
          damaged(seen + 1, ref.lastIndex, `block at ${ref.at} of segment ${ref.segment}`);
        break;
      }
      for (const record of found.records) {
        if (record.type !== RecordType.ENTRY || record.index > ref.lastIndex) continue;
        seen = record.index;
        if (!record.whole) {
          damaged(
            record.index,
            record.index,
            "its payload does not match its CRC, or cannot be read",
          );
          continue;
        }
        const data = bytes.subarray(record.at, record.at + record.length);
        const { index, term, entryType } = record;
        entries.push({ index, term, type: entryType as Entry["type"], data });
      }
      at += found.bytes;
    }
    return { entries, buffer: new PinnedBuffer(pool, pooled) };
  }

  /** A purge closes the file below a read that is under way. */
  async #readFile(file: DiskFile, ref: BlockRef, bytes: Uint8Array): Promise<number> {
    try {
      return await readReadable(file, ref.at, bytes);
    } catch (error) {
      if (!this.#files.has(ref.segment)) throw new EntryGone(ref.firstIndex);
      throw error;
    }
  }

  #damaged(fromIndex: number, toIndex: number, why: string): void {
    if (this.#damageAt(fromIndex) === undefined) this.damage.push({ fromIndex, toIndex, why });
  }
}

function wholeBatch(
  bytes: Uint8Array,
  at: number,
  crc32: Crc32,
): { records: readonly ReadRecord[]; bytes: number } | null {
  const verdict = judgeBatch(bytes, at, crc32);
  if (verdict.kind !== "whole" && verdict.kind !== "payload-damage") return null;
  return { records: verdict.records, bytes: verdict.header.length };
}
