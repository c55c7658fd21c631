/**
 * Reading the stream out of the log: entries in order, without those that are not of the stream
 * (control entries, refused chunks, broken tails) and never beyond the visible end.
 */
import { type Chunk, decodeChunk, isChunk } from "../binlog/chunk.ts";
import { deadAt } from "../binlog/dead-ranges.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import type { StreamState } from "../binlog/stream-state.ts";
import { type Entry, EntryType } from "../raft/types.ts";
import {
  type StreamPiece,
  type StreamPieces,
  StreamPurged,
  type StreamReader,
} from "../server/stream.ts";
import type { DurableLog } from "../storage/log.ts";

/** About what one call of `next` gives: a socket's worth. */
const READ_BYTES = 512 * 1024;

/** Chunks of entries that are in memory, decoded once for all readers. */
const decoded = new WeakMap<Entry, Chunk>();

export function chunkOf(entry: Entry): Chunk {
  let chunk = decoded.get(entry);
  if (chunk === undefined) {
    chunk = decodeChunk(entry.data);
    decoded.set(entry, chunk);
  }
  return chunk;
}

export class LogStreamReader implements StreamReader {
  readonly #log: DurableLog;
  readonly #state: StreamState;
  #entry: number;
  #offset = 0;

  constructor(log: DurableLog, state: StreamState, entry: number) {
    this.#log = log;
    this.#state = state;
    this.#entry = entry;
  }

  get entry(): number {
    return this.#entry;
  }

  seek(entry: number): void {
    this.#entry = entry;
    this.#offset = 0;
  }

  async next(): Promise<StreamPieces | null> {
    for (;;) {
      const visible = this.#state.visible;
      if (this.#entry > visible.entry) return null;
      if (this.#entry === visible.entry && this.#offset >= visible.offset) return null;
      if (this.#entry < this.#log.firstIndex) throw new StreamPurged(this.#entry);
      const lease = await this.#log.read(this.#entry, READ_BYTES);
      let pieces: StreamPiece[];
      try {
        pieces = this.#take(lease.entries);
      } catch (error) {
        lease.release();
        throw error;
      }
      if (this.#entry <= visible.entry) this.#log.readAhead(this.#entry);
      if (pieces.length > 0) return { pieces, release: lease.release, hold: lease.hold };
      lease.release();
    }
  }

  /** Moves past the entries and returns what of them is visible stream. */
  #take(entries: readonly Entry[]): StreamPiece[] {
    const visible = this.#state.visible;
    const pieces: StreamPiece[] = [];
    let bytes = 0;
    for (const entry of entries) {
      if (entry.index > visible.entry || bytes >= READ_BYTES) break;
      if (entry.index < this.#entry) continue;
      // A change of the members may begin with the same byte.
      if (entry.type === EntryType.NORMAL && isChunk(entry.data)) {
        const chunk = chunkOf(entry);
        const to = streamBytesOf(this.#state, entry.index, chunk);
        if (to > this.#offset) {
          const file = fileAt(this.#state.files, entry.index);
          // Of a purged file some may still be here. Passed over, it would be missing at a replica.
          if (file === null) throw new StreamPurged(entry.index);
          pieces.push({ entry: entry.index, chunk, from: this.#offset, to, file });
          bytes += to - this.#offset;
        }
        // The visible end in mid-chunk: the rest comes later.
        if (entry.index === visible.entry && to < chunk.body.length && to === visible.offset) {
          this.#offset = to;
          break;
        }
      }
      this.#entry = entry.index + 1;
      this.#offset = 0;
    }
    return pieces;
  }
}

/** How far the body of an entry's chunk belongs to the visible stream. */
export function streamBytesOf(state: StreamState, index: number, chunk: Chunk): number {
  const { visible, dead } = state;
  if (index > visible.entry) return 0;
  const end = index === visible.entry ? visible.offset : chunk.body.length;
  const range = deadAt(dead, index);
  if (range === null) return end;
  return Math.min(end, range.from.entry === index ? range.from.offset : 0);
}

/** The file that an entry's chunk belongs to. */
function fileAt(files: readonly BinlogFile[], index: number): BinlogFile | null {
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (files[middle]!.startEntry <= index) low = middle + 1;
    else high = middle;
  }
  return files[low - 1] ?? null;
}
