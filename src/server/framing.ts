/**
 * From ranges of stored chunk bodies and built events to the parts of one write, with packet
 * numbers that run on. Pure.
 *
 * Stored bodies are framed already and carry packet numbers of their own. Where those equal the
 * connection's the bytes go out as they are, as views shared by all replicas; elsewhere the
 * range is copied and its numbers are shifted. Small ranges are gathered into one buffer either
 * way: a send costs more than a copy of them.
 */
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
const GATHER_MAX_BYTES = 64 * 1024;
const COPY_BYTES = 64 * 1024;

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

/** Packets that an event of `size` bytes takes. */
export function packetsOf(size: number): number {
  return Math.floor((size + 1) / MAX_PACKET_PAYLOAD) + 1;
}

export class Outbox {
  /** The number of the next packet. */
  sequence: number;
  /** Compressed connections do not look at the numbers inside: everything fits. */
  readonly #anyNumber: boolean;
  #segments: Segment[] = [];
  /** Bytes taken in since the last `take`. */
  bytes = 0;
  /** Of all bytes so far, those that were copied because their numbers did not fit. */
  shiftedBytes = 0;

  constructor(sequence: number, anyNumber: boolean) {
    this.sequence = sequence & 0xff;
    this.#anyNumber = anyNumber;
  }

  /** An event that was built for this connection. */
  event(event: Uint8Array): void {
    this.#push(frameEvent(event, this.sequence), framedSize(event.length), 0);
    this.sequence = (this.sequence + packetsOf(event.length)) & 0xff;
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

  /** The parts of the next write; what was shared stays shared. */
  take(): Uint8Array[] {
    const segments = this.#segments;
    const parts: Uint8Array[] = [];
    let from = 0;
    let gathered = 0;
    for (let i = 0; i < segments.length; i++) {
      const segment = segments[i]!;
      const small = segment.bytes.length < VIEW_MIN_BYTES;
      if (small && gathered + segment.bytes.length <= GATHER_MAX_BYTES) {
        gathered += segment.bytes.length;
        continue;
      }
      gather(segments, from, i, gathered, parts);
      if (small) {
        from = i;
        gathered = segment.bytes.length;
        continue;
      }
      if (segment.shift === 0) parts.push(segment.bytes);
      else pushShifted(segment, parts);
      from = i + 1;
      gathered = 0;
    }
    gather(segments, from, segments.length, gathered, parts);
    this.#segments = [];
    this.bytes = 0;
    return parts;
  }
}

/** Copies in pieces that the allocator uses again at once; a large one is new memory each time. */
function pushShifted(segment: Segment, parts: Uint8Array[]): void {
  const { bytes, shift } = segment;
  const first = parts.length;
  for (let at = 0; at < bytes.length; at += COPY_BYTES) {
    parts.push(bytes.slice(at, at + COPY_BYTES));
  }
  for (let at = segment.headerAt; at < bytes.length; ) {
    const numberAt = at + 3;
    const piece = parts[first + Math.floor(numberAt / COPY_BYTES)]!;
    const inPiece = numberAt % COPY_BYTES;
    piece[inPiece] = piece[inPiece]! + shift;
    at += PACKET_HEADER_BYTES + readU24(bytes, at);
  }
}

function gather(
  segments: readonly Segment[],
  from: number,
  to: number,
  bytes: number,
  parts: Uint8Array[],
): void {
  if (bytes === 0) return;
  const buffer = new Uint8Array(bytes);
  let at = 0;
  for (let i = from; i < to; i++) {
    const { bytes: piece, headerAt, shift } = segments[i]!;
    buffer.set(piece, at);
    if (shift !== 0) shiftSequences(buffer.subarray(at, at + piece.length), headerAt, shift);
    at += piece.length;
  }
  parts.push(buffer);
}
