/**
 * What a runtime gives to the core, as one value handed to the node at start.
 *
 * Rules of the seam, the same on Node, Bun, Deno and in memory:
 * - Bytes are `Uint8Array`. No stream, Buffer method, EventEmitter or AbortSignal crosses it.
 * - Reads are pulled, writes are arrays of parts, nothing is half-closed.
 * - Every wait settles when the thing it waits for is closed.
 * - Time, randomness and I/O come in only through here, so that the in-memory platform can
 *   replay a whole cluster from a seed.
 */
import type { Clock } from "./clock.ts";
import type { Compress } from "./compress.ts";
import type { Crypto } from "./crypto.ts";
import type { Disk } from "./disk.ts";
import type { Dns } from "./dns.ts";
import type { HttpHost } from "./http.ts";
import type { Net } from "./net.ts";
import type { Process } from "./process.ts";

export interface Platform {
  readonly name: "node" | "bun" | "deno" | "memory";
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
  /** Opens a data directory; paths given to the result are relative to it. */
  disk(root: string): Disk;
  readonly dns: Dns;
  readonly http: HttpHost;
  readonly crypto: Crypto;
  readonly compress: Compress;
  readonly process: Process;
}

export interface Random {
  /** Cryptographically strong on real runtimes; seeded in memory. */
  bytes(length: number): Uint8Array;
  /** Uniform in 0 … 2^32-1. */
  u32(): number;
}
