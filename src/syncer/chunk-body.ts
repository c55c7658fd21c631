/**
 * The chunk in the making, in the work buffer that the source's bytes are read into:
 *
 *   [ head | body: rewritten frames … end ) … [ next: not yet parsed … filled )
 *
 * Frames are moved to the body's end in place; room for the head is left before it, so that a
 * sealed chunk can be a part of the buffer. It is cut at the end of its last whole unit, or, when
 * a unit is larger than a chunk, wherever it is full; what stands behind the cut begins the next
 * chunk. Nothing here looks at what an event means, and no object is made per event.
 */
import { MAX_HEAD_BYTES, UnitKind } from "../binlog/chunk.ts";
import {
  type BuiltChunk,
  type ChunkCursor,
  ChunkTable,
  type SealOptions,
  sealChunk,
} from "../binlog/chunk-builder.ts";
import { FRAME_BYTES, MAX_PACKET_PAYLOAD, PACKET_HEADER_BYTES } from "../binlog/frames.ts";

/** Events up to this size are taken whole; larger ones pass through in pieces. */
export const WHOLE_BYTES: number = 256 * 1024;
export const CHUNK_BYTES: number = 1024 * 1024;
const READ_BYTES = 128 * 1024;
/** Of a work buffer: room for the head, a chunk, an event beyond it and what was just read. */
export const STREAM_BUFFER_BYTES: number = MAX_HEAD_BYTES + CHUNK_BYTES + WHOLE_BYTES + READ_BYTES;

export class ChunkBody {
  readonly start: number = MAX_HEAD_BYTES;
  readonly table: ChunkTable = new ChunkTable();
  readonly #cursor: ChunkCursor;
  readonly #chunkBytes: number;
  readonly #newBuffer: () => Uint8Array;

  bytes: Uint8Array;
  /** Of the same bytes: one read for four of them. */
  view: DataView;
  end: number;
  next: number;
  filled: number;

  /** It must be sealed before anything more is put into it. */
  full = false;
  ackWanted = false;
  /** Seconds; of the newest event that has one. */
  timestamp = 0;
  /** Of the events in it, and how many packets carry them. */
  #eventBytes = 0;
  #packets = 0;
  #firstPacketAt = -1;
  #firstEventAt = -1;
  /** Where the last whole unit ends, and the packets up to there. */
  #unitEnd: number;
  #packetsAtUnitEnd = 0;
  /** Where the unit began that has not ended; -1 without one. */
  #unitOpenAt = -1;
  #eventBytesAtUnitOpen = 0;

  constructor(cursor: ChunkCursor, chunkBytes: number, newBuffer: () => Uint8Array) {
    this.#cursor = cursor;
    this.#chunkBytes = chunkBytes;
    this.#newBuffer = newBuffer;
    this.bytes = newBuffer();
    this.view = viewOf(this.bytes);
    this.end = this.next = this.filled = this.#unitEnd = this.start;
  }

  get empty(): boolean {
    return this.end === this.start;
  }

  get hasWholeUnit(): boolean {
    return this.#unitEnd > this.start;
  }

  /** Bytes that fit into it still; negative when its last event was larger than a chunk. */
  get room(): number {
    return this.start + this.#chunkBytes - this.end;
  }

  /** Where the next event stands in the source's file. */
  get fileOffset(): number {
    return this.#cursor.fileOffset + this.#eventBytes;
  }

  /** Takes in as much of `bytes` as fits behind what is not yet parsed; returns how many. */
  fill(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, this.bytes.length - this.filled);
    this.bytes.set(length === bytes.length ? bytes : bytes.subarray(0, length), this.filled);
    this.filled += length;
    return length;
  }

  openUnit(): void {
    this.#unitOpenAt = this.end;
    this.#eventBytesAtUnitOpen = this.#eventBytes;
  }

  closeUnit(kind: UnitKind): void {
    this.table.addUnit(
      kind,
      false,
      this.end - this.#unitOpenAt,
      this.#eventBytes - this.#eventBytesAtUnitOpen,
    );
    this.#unitEnd = this.end;
    this.#packetsAtUnitEnd = this.#packets;
    this.#unitOpenAt = -1;
  }

  /** The whole event at `event` becomes the next frame. */
  addEvent(event: number, size: number): void {
    const buffer = this.bytes;
    // Into place: nothing moves as long as nothing was dropped before it.
    const w = this.end;
    if (w + FRAME_BYTES !== event) buffer.copyWithin(w + FRAME_BYTES, event, event + size);
    const payload = size + 1;
    buffer[w] = payload;
    buffer[w + 1] = payload >>> 8;
    buffer[w + 2] = payload >>> 16;
    buffer[w + 3] = this.#cursor.sequence + this.#packets++;
    buffer[w + 4] = 0;
    if (this.#firstPacketAt < 0) this.#firstPacketAt = w;
    if (this.#firstEventAt < 0) this.#firstEventAt = w;
    this.end = w + FRAME_BYTES + size;
    this.next = event + size;
    this.#eventBytes += size;
    this.timestamp = this.view.getUint32(w + FRAME_BYTES, true) || this.timestamp;
  }

  /** The frame of an event of which pieces follow; returns what its first packet holds of it. */
  beginLarge(event: number, size: number): number {
    this.timestamp = this.view.getUint32(event, true) || this.timestamp;
    if (this.#firstEventAt < 0) this.#firstEventAt = this.end;
    const length = this.addPacketHeader(size + 1);
    this.bytes[this.end++] = 0;
    this.next = event;
    return length - 1;
  }

  /** A packet's header for `payload` bytes, or for as many as a packet holds; returns how many. */
  addPacketHeader(payload: number): number {
    const length = Math.min(payload, MAX_PACKET_PAYLOAD);
    const buffer = this.bytes;
    const w = this.end;
    if (this.#firstPacketAt < 0) this.#firstPacketAt = w;
    buffer[w] = length;
    buffer[w + 1] = length >>> 8;
    buffer[w + 2] = length >>> 16;
    buffer[w + 3] = this.#cursor.sequence + this.#packets++;
    this.end = w + PACKET_HEADER_BYTES;
    return length;
  }

  /** The next `length` bytes are a piece of a large event. */
  addPiece(length: number): void {
    if (this.end !== this.next) {
      this.bytes.copyWithin(this.end, this.next, this.next + length);
    }
    this.end += length;
    this.next += length;
    this.#eventBytes += length;
  }

  /** Cuts the chunk and carries over what is behind the cut; null when it is empty. */
  seal(inTransaction: boolean): BuiltChunk | null {
    const whole = this.hasWholeUnit;
    const cut = whole ? this.#unitEnd : this.end;
    this.full = false;
    if (cut === this.start) return null;
    let eventBytes = this.#eventBytes;
    let packets = this.#packets;
    if (!whole) this.table.addUnit(UnitKind.TRANSACTION, true, cut - this.start, eventBytes);
    else if (this.#unitOpenAt >= 0) {
      eventBytes = this.#eventBytesAtUnitOpen;
      packets = this.#packetsAtUnitEnd;
    }
    const carried = !inTransaction ? "none" : whole ? "next" : "both";
    const options: SealOptions = {
      start: this.start,
      cut,
      copy: cut - this.start < this.#chunkBytes / 4,
      table: this.table.take(carried),
      eventBytes,
      packets,
      firstPacketAt: behind(this.#firstPacketAt, this.start, cut),
      firstEventAt: behind(this.#firstEventAt, this.start, cut),
      timestamp: this.timestamp,
      ackWanted: this.ackWanted && whole,
      open: !whole,
    };
    // A chunk that keeps the buffer gets its table where the carried bytes stand: move them first.
    const old = this.bytes;
    const built = options.copy ? sealChunk(old, this.#cursor, options) : null;
    this.#carry(cut, options.copy);
    this.#eventBytes -= eventBytes;
    this.#packets -= packets;
    this.#packetsAtUnitEnd = 0;
    this.#eventBytesAtUnitOpen = 0;
    this.#unitOpenAt = inTransaction ? this.start : -1;
    if (whole) this.ackWanted = false;
    return built ?? sealChunk(old, this.#cursor, options);
  }

  /** Moves [cut, end) and [next, filled) to where the next chunk's body begins. */
  #carry(cut: number, sameBuffer: boolean): void {
    const old = this.bytes;
    if (!sameBuffer) {
      this.bytes = this.#newBuffer();
      this.view = viewOf(this.bytes);
    }
    const next = this.start + (this.end - cut);
    this.bytes.set(old.subarray(cut, this.end), this.start);
    this.bytes.set(old.subarray(this.next, this.filled), next);
    this.filled = next + (this.filled - this.next);
    this.end = this.next = next;
    this.#unitEnd = this.start;
    // What was carried over begins with a unit; without any, the next header will tell.
    this.#firstPacketAt = this.#firstEventAt = next > this.start ? this.start : -1;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Offset in the body; its end when there is none before the cut. */
function behind(at: number, start: number, cut: number): number {
  return at < 0 || at > cut ? cut - start : at - start;
}
