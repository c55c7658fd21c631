/**
 * Compression of MySQL's compressed protocol. Inputs are at most a few MiB. Decompression takes
 * the size that the frame states and throws when the result differs, longer or shorter (Bun and
 * Deno accept a truncated zstd frame silently, and a lying frame must not allocate more).
 */
export interface Compress {
  deflate(bytes: Uint8Array): Uint8Array;
  inflate(bytes: Uint8Array, size: number): Uint8Array;
  /** The same off the event loop where the runtime can (not on Deno), for what is large. */
  inflateLater(bytes: Uint8Array, size: number): Promise<Uint8Array>;
  /** Null where the runtime has no zstd. */
  readonly zstd: {
    compress(bytes: Uint8Array, level: number): Uint8Array;
    decompress(bytes: Uint8Array, size: number): Uint8Array;
    decompressLater(bytes: Uint8Array, size: number): Promise<Uint8Array>;
  } | null;
}
