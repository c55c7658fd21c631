/** A log on the simulated disk of one machine, for tests: opens, appends, crashes, opens again. */

import type { MemoryDisk } from "../../../runtime/memory/disk.ts";
import { World } from "../../../runtime/memory/world.ts";
import { BufferPool } from "../../../src/base/buffer-pool.ts";
import type { Entry } from "../../../src/raft/types.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { type OpenOptions, openLog } from "../../../src/storage/open.ts";

export class LogWorld {
  readonly world: World;
  readonly reports: string[] = [];
  readonly failures: Error[] = [];
  log: DurableLog | null = null;

  constructor(seed: number) {
    this.world = new World(seed);
  }

  get disk(): MemoryDisk {
    return this.world.machine("a").disk("data");
  }

  /** Runs the virtual clock until the promise settles. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const mark = (): void => {
      done = true;
    };
    promise.then(mark, mark);
    await this.world.time.runUntil(() => done, 600_000);
    return promise;
  }

  async open(options: Partial<OpenOptions> = {}): Promise<DurableLog> {
    const platform = this.world.machine("a").start();
    const opening = openLog(platform.disk("data"), platform.clock, platform.crypto.crc32, {
      identity: { raftId: 1 },
      segmentBytes: 64 * 1024,
      hotBytes: 4096,
      blockBytes: 1024 * 1024,
      pool: new BufferPool(1, 0),
      checkpoint: () => null,
      onFatal: (error) => this.failures.push(error),
      random: (length) => platform.random.bytes(length),
      report: (message) => this.reports.push(message),
      ...options,
    });
    this.log = await this.settle(opening);
    return this.log;
  }

  /** Appends one batch of entries with these payloads, in term 1. */
  async append(payloads: readonly Uint8Array[], commit = 0): Promise<void> {
    const log = this.log!;
    const entries = payloads.map(
      (data, i): Entry => ({ index: log.lastIndex + 1 + i, term: 1, type: 0, data }),
    );
    await this.settle(log.append({ hardState: { term: 1, vote: 1, commit }, entries }));
  }

  /** All entries from the first to the last, by reading. */
  async readAll(): Promise<Entry[]> {
    const log = this.log!;
    const out: Entry[] = [];
    for (let index = log.firstIndex; index <= log.lastIndex; ) {
      const lease = await this.settle(log.read(index, 10_000));
      for (const entry of lease.entries) out.push({ ...entry, data: entry.data.slice() });
      lease.release();
      index = out.at(-1)!.index + 1;
    }
    return out;
  }
}

export function payload(seed: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let x = seed * 2_654_435_761;
  for (let i = 0; i < length; i++) {
    x = (x * 1_103_515_245 + 12_345) >>> 0;
    // Runs of zeros, so that whole sectors of them occur.
    out[i] = (i >> 10) % 3 === 1 ? 0 : x >>> 24;
  }
  return out;
}
