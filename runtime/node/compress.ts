/**
 * Compression by node:zlib, synchronous for the small frames that nearly all are, and asynchronous for
 * large ones, which blocks Deno's loop all the same. The stated size bounds the output and is
 * compared at the end, because Bun and Deno accept a zstd frame that was cut off.
 */
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import type { Compress } from "../../src/platform/compress.ts";

const inflateLater = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.inflate);
const unzstdLater = promisify<Uint8Array, zlib.ZstdOptions, Uint8Array>(
  zlib.zstdDecompress ?? zlib.inflate,
);

export const nodeCompress: Compress = {
  deflate: (bytes) => plain(zlib.deflateSync(bytes)),
  inflate: (bytes, size) => exact(zlib.inflateSync(bytes, bound(size)), size, "zlib"),
  inflateLater: async (bytes, size) => exact(await inflateLater(bytes, bound(size)), size, "zlib"),
  zstd:
    typeof zlib.zstdCompressSync === "function"
      ? {
          compress: (bytes, level) =>
            plain(
              zlib.zstdCompressSync(bytes, {
                params: { [zlib.constants.ZSTD_c_compressionLevel]: level },
              }),
            ),
          decompress: (bytes, size) =>
            exact(zlib.zstdDecompressSync(bytes, bound(size)), size, "zstd"),
          decompressLater: async (bytes, size) =>
            exact(await unzstdLater(bytes, bound(size)), size, "zstd"),
        }
      : null,
};

function bound(size: number): { maxOutputLength: number } {
  return { maxOutputLength: Math.max(1, size) };
}

function exact(bytes: Uint8Array, size: number, what: string): Uint8Array {
  if (bytes.length !== size) {
    throw new RangeError(`Wrong size of ${what} data: ${bytes.length} bytes instead of ${size}`);
  }
  return plain(bytes);
}

function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
