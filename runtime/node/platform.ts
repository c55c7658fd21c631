/**
 * The platform on the node: modules. Node uses it as it is; Bun and Deno use the same parts with
 * their own name, HTTP server and the flags below, and replace nothing else.
 */
import type { HttpHost } from "../../src/platform/http.ts";
import type { Platform } from "../../src/platform/platform.ts";
import { nodeClock } from "./clock.ts";
import { nodeCompress } from "./compress.ts";
import { nodeCrypto } from "./crypto.ts";
import { nodeDisk } from "./disk.ts";
import { nodeDns } from "./dns.ts";
import { nodeHttp } from "./http.ts";
import { nodeNet } from "./net.ts";
import { nodeProcess } from "./process.ts";
import { nodeRandom } from "./random.ts";
import { internalNames, type ResolveOptions } from "./resolve.ts";

export interface NodePlatformOptions {
  readonly name?: "node" | "bun" | "deno";
  /** "bun 1.4.5"; what this runtime calls itself. */
  readonly runtime?: string;
  readonly http?: HttpHost;
  /**
   * True on Deno only: TLS runs over a Duplex around the socket, since pausing Deno's TLS socket
   * does not stop the reading. On Bun it would make the write side unbounded.
   */
  readonly wrapDuplex?: boolean;
  /**
   * True on Bun only: what is corked, or queued in several pieces, it joins in a copy before it sends. There
   * each piece is handed over by itself, which costs a call and no copy.
   */
  readonly joinsCorked?: boolean;
  /**
   * True on Deno only: large zstd blocks should go to a worker, because Deno's asynchronous
   * zlib blocks the loop. Nothing reads it as long as `Compress` is synchronous and its inputs
   * are a few MiB at most; it is named here so that the difference is not forgotten.
   */
  readonly offloadZstd?: boolean;
  /** Name servers and what is known of the runtime's resolver (dns.ts). */
  readonly dns?: ResolveOptions;
}

export function nodePlatform(options: NodePlatformOptions = {}): Platform {
  const resolving = options.dns ?? {};
  const internal = internalNames(process.env["FLY_NAMESERVER"], resolving);
  return {
    name: options.name ?? "node",
    clock: nodeClock,
    random: nodeRandom(),
    net: nodeNet(
      { wrapDuplex: options.wrapDuplex ?? false, joinsCorked: options.joinsCorked ?? false },
      internal,
    ),
    disk: nodeDisk,
    dns: nodeDns(internal, resolving),
    http: options.http ?? nodeHttp,
    crypto: nodeCrypto,
    compress: nodeCompress,
    process: nodeProcess(options.runtime),
  };
}
