/** The platform of one process of a simulated machine; made by `Machine.start`. */

import type { Compress } from "../../src/platform/compress.ts";
import type { Platform } from "../../src/platform/platform.ts";
import { nodeCompress } from "../node/compress.ts";
import { memoryClock } from "./clock.ts";
import { memoryCrypto } from "./crypto.ts";
import { memoryDns } from "./dns.ts";
import type { Life } from "./life.ts";
import { memoryProcess } from "./process.ts";
import type { SeededRandom } from "./random.ts";
import type { Machine } from "./world.ts";

/** Nothing happens off the loop here: a seed decides what comes when. */
const { zstd } = nodeCompress;
const memoryCompress: Compress = {
  ...nodeCompress,
  inflateLater: async (bytes, size) => nodeCompress.inflate(bytes, size),
  zstd: zstd && { ...zstd, decompressLater: async (bytes, size) => zstd.decompress(bytes, size) },
};

export interface MemoryPlatformOptions {
  readonly machine: Machine;
  readonly life: Life;
  readonly random: SeededRandom;
  readonly pid: number;
  readonly onExit: (code: number) => void;
}

export function memoryPlatform(options: MemoryPlatformOptions): Platform {
  const { machine, life, random } = options;
  const { world } = machine;
  const addressOf = (name: string): string | null =>
    world.network.find(machine, name)?.address ?? null;
  return {
    name: "memory",
    clock: memoryClock(life, machine.clock, random.fork("clock")),
    random,
    net: world.network.netOf(machine, life),
    disk: (root) => machine.disk(root).open(root, life),
    dns: memoryDns(life, world.dns, addressOf),
    http: world.http.hostOf(machine.name, life),
    crypto: memoryCrypto(random.fork("crypto")),
    compress: memoryCompress,
    process: memoryProcess(machine.process, machine.name, options.pid, options.onExit),
  };
}
