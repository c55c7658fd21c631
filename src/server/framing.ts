/**
 * From ranges of stored chunk bodies and built events to the parts of one write, with packet
 * numbers that run on. Pure.
 *
 * Stored bodies are framed already and carry packet numbers of their own. Where those equal the
 * connection's the bytes go out as they are, as views shared by all replicas; elsewhere the
 * range is copied and its numbers are shifted. Small ranges are gathered into one buffer either
 * way: a send costs more than a copy of them.
 */
import { assert } from "../base/assert.ts";
import type { BufferPool } from "../base/buffer-pool.ts";
import { readU24 } from "../base/bytes.ts";
import type { Chunk } from "../binlog/chunk.ts";
import {
  framedSize,
  frameEvent,
  MAX_PACKET_PAYLOAD,
  PACKET_HEADER_BYTES,
  shiftSequences,
} from "../binlog/frames.ts";

/** Ranges from here on are sent in place when their numbers fit. */
export const VIEW_MIN_BYTES: number = 16 * 1024;
/** Copies are made in pieces of this size, from a pool: large ones would be new memory each time. */
export const COPY_BYTES: number = 64 * 1024;

interface Segment {
  readonly bytes: Uint8Array;
  /** Where the first packet header stands in `bytes`. */
  readonly headerAt: number;
  readonly shift: number;
}

/** The packet number that a stored body has at `at`, a unit's start or the body's start or end. */
export function storedSequence(chunk: Chunk, at: number): number {
  if (at === 0) return chunk.firstSequence;
  if (at === chunk.body.length) return (chunk.firstSequence + chunk.packets) & 0xff;
  return chunk.body[at + 3]!;
}

export class Outbox {
  /** The number of the next packet. */
  sequence: number;
  /** Compressed connections do not look at the numbers inside: everything fits. */
  readonly #anyNumber: boolean;
  readonly #copies: BufferPool;
  #segments: Segment[] = [];
  /** Bytes taken in since the last `take`. */
  bytes = 0;
  /** Of all bytes so far, those that were copied because their numbers did not fit. */
  shiftedBytes = 0;

  /** `copies` has buffers of COPY_BYTES. */
  constructor(sequence: number, anyNumber: boolean, copies: BufferPool) {
    this.sequence = sequence & 0xff;
    this.#copies = copies;
    this.#anyNumber = anyNumber;
  }

  /** A small event that was built for this connection. */
  event(event: Uint8Array): void {
    assert(event.length < MAX_PACKET_PAYLOAD, "it fits in one packet");
    this.#push(frameEvent(event, this.sequence), framedSize(event.length), 0);
    this.sequence = (this.sequence + 1) & 0xff;
  }

  /** How far the connection's numbers are behind the stored ones at `at`; 0 when they fit. */
  misalignment(chunk: Chunk, at: number): number {
    if (this.#anyNumber) return 0;
    return (storedSequence(chunk, at) - this.sequence) & 0xff;
  }

  /** The stored bytes [from, to): unit boundaries, an event's frame, or the body's ends. */
  range(chunk: Chunk, from: number, to: number): void {
    if (to <= from) return;
    const shift = this.#anyNumber ? 0 : (this.sequence - storedSequence(chunk, from)) & 0xff;
    const headerAt = from === 0 ? chunk.firstPacketAt : from;
    this.#push(chunk.body.subarray(from, to), headerAt - from, shift);
    if (shift !== 0) this.shiftedBytes += to - from;
    this.sequence = (storedSequence(chunk, to) + shift) & 0xff;
  }

  #push(bytes: Uint8Array, headerAt: number, shift: number): void {
    this.#segments.push({ bytes, headerAt, shift });
    this.bytes += bytes.length;
  }

  /** What was gathered, for one write; what was shared stays shared. */
  take(): Taken {
    const segments = this.#segments;
    const out = new Parts(this.#copies);
    let from = 0;
    let gathered = 0;
    for (let i = 0; i < segments.length; i++) {
      const segment = segments[i]!;
      const small = segment.bytes.length < VIEW_MIN_BYTES;
      if (small && gathered + segment.bytes.length <= COPY_BYTES) {
        gathered += segment.bytes.length;
        continue;
      }
      out.gather(segments, from, i, gathered);
      if (small) {
        from = i;
        gathered = segment.bytes.length;
        continue;
      }
      if (segment.shift === 0) out.parts.push(segment.bytes);
      else out.shifted(segment);
      from = i + 1;
      gathered = 0;
    }
    out.gather(segments, from, segments.length, gathered);
    this.#segments = [];
    this.bytes = 0;
    return out;
  }
}

export interface Taken {
  readonly parts: readonly Uint8Array[];
  /** Buffers of the pool that are among the parts: to be given back when they were sent. */
  readonly copies: readonly Uint8Array[];
}

class Parts implements Taken {
  readonly parts: Uint8Array[] = [];
  readonly copies: Uint8Array[] = [];
  readonly #pool: BufferPool;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Room for `bytes`; from the pool unless that would waste most of a buffer. */
  #room(bytes: number): Uint8Array {
    if (bytes < VIEW_MIN_BYTES) return new Uint8Array(bytes);
    const buffer = this.#pool.take();
    this.copies.push(buffer);
    return buffer.subarray(0, bytes);
  }

  /** A large range with other numbers, in pieces of the pool's size. */
  shifted(segment: Segment): void {
    const { bytes, shift } = segment;
    const first = this.parts.length;
    for (let at = 0; at < bytes.length; at += COPY_BYTES) {
      const piece = bytes.subarray(at, at + COPY_BYTES);
      const room = this.#room(piece.length);
      room.set(piece);
      this.parts.push(room);
    }
    for (let at = segment.headerAt; at < bytes.length; ) {
      const numberAt = at + 3;
      const piece = this.parts[first + Math.floor(numberAt / COPY_BYTES)]!;
      const inPiece = numberAt % COPY_BYTES;
      piece[inPiece] = piece[inPiece]! + shift;
      at += PACKET_HEADER_BYTES + readU24(bytes, at);
    }
  }

  /** The small segments [from, to), which have `bytes` together, as one part. */
  gather(segments: readonly Segment[], from: number, to: number, bytes: number): void {
    if (bytes === 0) return;
    const room = this.#room(bytes);
    let at = 0;
    for (let i = from; i < to; i++) {
      const { bytes: piece, headerAt, shift } = segments[i]!;
      room.set(piece, at);
      if (shift !== 0) shiftSequences(room.subarray(at, at + piece.length), headerAt, shift);
      at += piece.length;
    }
    this.parts.push(room);
  }
}
