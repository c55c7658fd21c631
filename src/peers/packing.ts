/**
 * Frames made smaller on their way over an ocean: binlogs of rows shrink three times and more, and bytes
 * between regions are what is paid for. Each frame stands for itself, so nothing is lost with a link.
 *
 *   PACKED   u8 method · u8 kind of the frame inside · u32 its body's length · packed body
 *
 * What hardly shrinks is sent as it is, and then it is not tried for a while.
 */
import { MalformedBytes, readU32, writeU32 } from "../base/bytes.ts";
import type { Compress } from "../platform/compress.ts";
import type { Frame } from "./frames.ts";
import { FRAME_CAPS, FrameKind, type PackMethod } from "./protocol.ts";

const HEAD_BYTES = 6;
/** Below it there is little to gain, and heartbeats are not to wait. */
const LEAST_BYTES = 1024;
/** What saves less than this share is not worth the work at the other end. */
const WORTH = 0.9;
/** So many frames pass untried after one that was not worth it. */
const REST_FRAMES = 16;
/** Fast: a level higher saves a few percent and takes twice as long. */
const ZSTD_LEVEL = 1;

const METHODS: readonly PackMethod[] = ["zstd", "deflate"];

/** What this runtime can unpack, the best first. */
export function packMethods({ zstd }: Compress): readonly PackMethod[] {
  return zstd === null ? ["deflate"] : METHODS;
}

/** By the best method that both know; null when there is none. */
export function packerFor(
  compress: Compress,
  unpacks: readonly string[] | undefined,
): Packer | null {
  const method = packMethods(compress).find((one) => unpacks?.includes(one));
  return method === undefined ? null : new Packer(compress, method);
}

export class Packer {
  readonly #compress: Compress;
  readonly #method: PackMethod;
  #rest = 0;

  constructor(compress: Compress, method: PackMethod) {
    this.#compress = compress;
    this.#method = method;
  }

  /** The body of a PACKED frame; null when this one goes as it is. */
  pack(kind: FrameKind, body: Uint8Array): Uint8Array | null {
    if (body.length < LEAST_BYTES) return null;
    if (this.#rest > 0) {
      this.#rest--;
      return null;
    }
    const packed =
      this.#method === "zstd"
        ? this.#compress.zstd!.compress(body, ZSTD_LEVEL)
        : this.#compress.deflate(body);
    if (packed.length > WORTH * body.length) {
      this.#rest = REST_FRAMES;
      return null;
    }
    const out = new Uint8Array(HEAD_BYTES + packed.length);
    out[0] = METHODS.indexOf(this.#method) + 1;
    out[1] = kind;
    writeU32(out, 2, body.length);
    out.set(packed, HEAD_BYTES);
    return out;
  }
}

/** Throws MalformedBytes. */
export function unpack(compress: Compress, packed: Uint8Array): Frame {
  if (packed.length < HEAD_BYTES) throw new MalformedBytes("a packed frame", 0);
  const method = METHODS[packed[0]! - 1];
  const kind = packed[1] as FrameKind;
  const size = readU32(packed, 2);
  if (kind !== FrameKind.RAFT && kind !== FrameKind.ENTRIES)
    throw new MalformedBytes(`a packed frame of kind ${kind}`, 1);
  if (size > FRAME_CAPS[kind]) throw new MalformedBytes(`a packed frame of ${size} bytes`, 2);
  const bytes = packed.subarray(HEAD_BYTES);
  try {
    if (method === "deflate") return { kind, body: compress.inflate(bytes, size) };
    if (method === "zstd" && compress.zstd !== null)
      return { kind, body: compress.zstd.decompress(bytes, size) };
  } catch (error) {
    throw new MalformedBytes(`a packed frame: ${(error as Error).message}`, HEAD_BYTES);
  }
  throw new MalformedBytes(`a frame packed by method ${packed[0]}`, 0);
}
