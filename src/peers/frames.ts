/** Frames out of a byte stream, and memory for those on their way out (layout and caps: protocol.ts). */
import { BufferPool } from "../base/buffer-pool.ts";
import { concatBytes, MalformedBytes, readU32, writeU32 } from "../base/bytes.ts";
import { FRAME_CAPS, type FrameKind } from "./protocol.ts";

export const FRAME_HEAD_BYTES = 5;

export interface Frame {
  readonly kind: FrameKind;
  /** Valid until the next frame is read. */
  readonly body: Uint8Array;
}

export function frameHead(kind: FrameKind, bodyBytes: number): Uint8Array {
  const head = new Uint8Array(FRAME_HEAD_BYTES);
  writeFrameHead(head, kind, bodyBytes);
  return head;
}

export function writeFrameHead(frame: Uint8Array, kind: FrameKind, bodyBytes: number): void {
  writeU32(frame, 0, 1 + bodyBytes);
  frame[4] = kind;
}

/** A message with as many entries as the core puts into one. */
const LARGE_FRAME_BYTES = 1280 * 1024;
/** Smaller ones would leave most of that unused while they wait, hundreds of them for a slow peer. */
const SMALL_FRAME_BYTES = LARGE_FRAME_BYTES / 4;
/** What two busy peers have waiting. */
const SPARE_FRAMES = 8;

/**
 * Memory for frames, used again once they are sent: a new MiB for each peer and message would have
 * the collector run ten times a second.
 */
export class FrameBuffers {
  readonly #pool = new BufferPool(LARGE_FRAME_BYTES, SPARE_FRAMES);

  /** At least so many bytes; their content is whatever it was. */
  take(bytes: number): Uint8Array {
    const pooled = bytes > SMALL_FRAME_BYTES && bytes <= LARGE_FRAME_BYTES;
    return pooled ? this.#pool.take() : new Uint8Array(bytes);
  }

  /** Nobody reads it any more. */
  give(frame: Uint8Array): void {
    this.#pool.give(frame);
  }
}

/** Parses what arrives; a frame that came in pieces is put together in a buffer that is used again. */
export class FrameReader {
  #buffer: Uint8Array = new Uint8Array(64 * 1024);
  #have = 0;

  /** Calls `onFrame` for each whole frame. Throws MalformedBytes for a kind or length out of bounds. */
  push(bytes: Uint8Array, onFrame: (frame: Frame) => void): void {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#have === 0) {
        const whole = frameIn(rest);
        if (whole !== null) {
          onFrame(whole);
          rest = rest.subarray(FRAME_HEAD_BYTES + whole.body.length);
          continue;
        }
      }
      rest = this.#gather(rest, onFrame);
    }
  }

  /** Takes as much as the frame that has begun needs; returns what is behind it. */
  #gather(bytes: Uint8Array, onFrame: (frame: Frame) => void): Uint8Array {
    const known = this.#have >= FRAME_HEAD_BYTES;
    const needed = known
      ? FRAME_HEAD_BYTES + bodyLength(this.#buffer)
      : Math.min(FRAME_HEAD_BYTES, this.#have + bytes.length);
    const part = bytes.subarray(0, needed - this.#have);
    this.#reserve(this.#have + part.length);
    this.#buffer.set(part, this.#have);
    this.#have += part.length;
    if (this.#have >= FRAME_HEAD_BYTES) {
      const length = bodyLength(this.#buffer);
      if (this.#have === FRAME_HEAD_BYTES + length) {
        this.#have = 0;
        const body = this.#buffer.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + length);
        onFrame({ kind: this.#buffer[4] as FrameKind, body });
      }
    }
    return bytes.subarray(part.length);
  }

  /** Grows with what has come, not with what was announced. */
  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const bigger = new Uint8Array(Math.max(bytes, 2 * this.#buffer.length));
    bigger.set(this.#buffer.subarray(0, this.#have));
    this.#buffer = bigger;
  }
}

function frameIn(bytes: Uint8Array): Frame | null {
  if (bytes.length < FRAME_HEAD_BYTES) return null;
  const end = FRAME_HEAD_BYTES + bodyLength(bytes);
  if (bytes.length < end) return null;
  return { kind: bytes[4] as FrameKind, body: bytes.subarray(FRAME_HEAD_BYTES, end) };
}

function bodyLength(head: Uint8Array): number {
  const length = readU32(head, 0) - 1;
  const kind = head[4]!;
  const cap = FRAME_CAPS[kind as FrameKind] as number | undefined;
  if (cap === undefined) throw new MalformedBytes(`frame kind ${kind}`, 4);
  if (length < 0 || length > cap)
    throw new MalformedBytes(`a frame of kind ${kind} with ${length} bytes`, 0);
  return length;
}

/** A number and what is behind it. */
export function numbered(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const head = new Uint8Array(4);
  writeU32(head, 0, number);
  return concatBytes([head, ...parts]);
}
