/**
 * The compressed protocol (manual, "Compressed Packet"):
 *
 *   u24 length of the body | u8 sequence | u24 length before compression, 0 = not compressed | body
 *
 * A frame holds any run of bytes of the packet stream: packets and frames do not align. Frames are
 * numbered like packets, on their own. zlib bodies are plain zlib streams, zstd bodies one frame.
 *
 * The length before compression is what decompression may produce, exactly: a body that gives more
 * or less is malformed, so a frame never costs more than the 16 MiB that it announces.
 */
import { concatBytes, MalformedBytes } from "../base/bytes.ts";
import type { Compress } from "../platform/compress.ts";
import { ByteQueue } from "./byte-queue.ts";
import { CLIENT_COMPRESS, CLIENT_ZSTD, hasFlag } from "./capabilities.ts";
import { type FramedPackets, PACKET_MAX_BYTES, PacketTooLarge } from "./packet.ts";

export const FRAME_HEADER_BYTES = 7;
/** Shorter bodies are sent as they are, as MySQL does. */
export const COMPRESS_MIN_BYTES = 50;
/** How much of the stream goes into one frame that we send: bounds the time of one compression. */
export const FRAME_PAYLOAD_BYTES = 262_144;

export type CompressionAlgorithm = "zlib" | "zstd";

export interface FrameCodec {
  compress(bytes: Uint8Array): Uint8Array;
  /** Throws unless the result has exactly `size` bytes. */
  decompress(bytes: Uint8Array, size: number): Uint8Array;
  /** The same off the event loop, where that can be. */
  decompressLater(bytes: Uint8Array, size: number): Promise<Uint8Array>;
}

/** zlib wins when both flags are set, as in MySQL. */
export function agreedCompression(capabilities: number): CompressionAlgorithm | null {
  if (hasFlag(capabilities, CLIENT_COMPRESS)) return "zlib";
  return hasFlag(capabilities, CLIENT_ZSTD) ? "zstd" : null;
}

/** Null when the runtime lacks the algorithm. `level` is for zstd only. */
export function frameCodec(
  compress: Compress,
  algorithm: CompressionAlgorithm,
  level: number,
): FrameCodec | null {
  if (algorithm === "zlib") {
    return {
      compress: (bytes) => compress.deflate(bytes),
      decompress: (bytes, size) => compress.inflate(bytes, size),
      decompressLater: (bytes, size) => compress.inflateLater(bytes, size),
    };
  }
  const zstd = compress.zstd;
  if (zstd === null) return null;
  return {
    compress: (bytes) => zstd.compress(bytes, level),
    decompress: (bytes, size) => zstd.decompress(bytes, size),
    decompressLater: (bytes, size) => zstd.decompressLater(bytes, size),
  };
}

export class CompressedFrameDecoder {
  /** The number that the next frame must have, in either direction. */
  sequence = 0;
  /** False while a dump streams: semi-sync ACKs restart the numbers in mid-flight. */
  checkSequence = true;
  /** Caps a frame, sent and decompressed; checked in its header, before anything is buffered. */
  maxFrameBytes: number = PACKET_MAX_BYTES;
  readonly #codec: FrameCodec;
  readonly #queue = new ByteQueue();

  constructor(codec: FrameCodec) {
    this.#codec = codec;
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  /**
   * What the next frame that says anything needs, sent or decompressed, whichever is more; 0 while its header
   * has not come. Drops empty frames before it, so that what is asked about is what `next` gives.
   */
  announcedBytes(): number {
    for (;;) {
      if (this.#queue.length < FRAME_HEADER_BYTES) return 0;
      const announced = Math.max(this.#queue.peekU24(0), this.#queue.peekU24(4));
      if (announced > 0) return announced;
      this.#checkHeader(0);
      this.#passHeader();
    }
  }

  get isComplete(): boolean {
    const { length } = this.#queue;
    return length >= FRAME_HEADER_BYTES && length >= FRAME_HEADER_BYTES + this.#queue.peekU24(0);
  }

  /** The next run of packet bytes, or null until more bytes come. */
  next(): Uint8Array | null {
    const frame = this.#take();
    if (frame === null) return null;
    const { body, size } = frame;
    if (size === 0) return body;
    try {
      return exactly(this.#codec.decompress(body, size), size);
    } catch (cause) {
      throw malformedFrame(cause);
    }
  }

  /** The same for a large frame: the event loop does other things meanwhile. One call at a time. */
  async nextLater(): Promise<Uint8Array | null> {
    const frame = this.#take();
    if (frame === null) return null;
    const { body, size } = frame;
    if (size === 0) return body;
    try {
      return exactly(await this.#codec.decompressLater(body, size), size);
    } catch (cause) {
      throw malformedFrame(cause);
    }
  }

  #take(): { readonly body: Uint8Array; readonly size: number } | null {
    const announced = this.announcedBytes();
    if (announced === 0) return null;
    this.#checkHeader(announced);
    if (!this.isComplete) return null;
    const length = this.#queue.peekU24(0);
    const size = this.#queue.peekU24(4);
    this.#passHeader();
    return { body: this.#queue.take(length), size };
  }

  #checkHeader(announced: number): void {
    const sequence = this.#queue.peek(3);
    if (this.checkSequence && sequence !== this.sequence) {
      throw new MalformedBytes(`frame number ${sequence} where ${this.sequence} must come`, 3);
    }
    if (announced > this.maxFrameBytes) throw new PacketTooLarge(announced, this.maxFrameBytes);
  }

  #passHeader(): void {
    this.sequence = (this.#queue.peek(3) + 1) & 0xff;
    this.#queue.skip(FRAME_HEADER_BYTES);
  }
}

function exactly(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length === size) return bytes;
  throw new RangeError(`it gives ${bytes.length} bytes, not ${size}`);
}

function malformedFrame(cause: unknown): MalformedBytes {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MalformedBytes(`compressed frame: ${reason}`, 0);
}

/** Frames a run of packet bytes, numbered from `sequence` on. */
export function encodeCompressedFrames(
  codec: FrameCodec,
  parts: readonly Uint8Array[],
  sequence: number,
): FramedPackets {
  const bytes = parts.length === 1 ? parts[0]! : concatBytes(parts);
  const out: Uint8Array[] = [];
  let next = sequence;
  for (let at = 0; at < bytes.length; at += FRAME_PAYLOAD_BYTES) {
    const plain = bytes.subarray(at, at + FRAME_PAYLOAD_BYTES);
    const small = plain.length >= COMPRESS_MIN_BYTES ? codec.compress(plain) : plain;
    const compressed = small.length < plain.length;
    const body = compressed ? small : plain;
    out.push(frameHeader(body.length, next, compressed ? plain.length : 0), body);
    next = (next + 1) & 0xff;
  }
  return { parts: out, sequence: next };
}

function frameHeader(length: number, sequence: number, size: number): Uint8Array {
  return Uint8Array.of(
    length,
    length >>> 8,
    length >>> 16,
    sequence,
    size,
    size >>> 8,
    size >>> 16,
  );
}
