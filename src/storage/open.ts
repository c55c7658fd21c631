/**
 * Opening a data directory: take the lock, read the manifest, make a log or load the one that is there
 * (load.ts; contract: storage.ts).
 */
import { assert } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import type { Clock } from "../platform/clock.ts";
import type { Disk } from "../platform/disk.ts";
import { EMPTY_HARD_STATE } from "../raft/types.ts";
import { type Crc32, encodeSegmentHeader } from "./format.ts";
import { loadLog } from "./load.ts";
import { DurableLog } from "./log.ts";
import { hexBytes, type Identity, type Manifest, ManifestStore } from "./manifest.ts";
import { LOG_DIR, NextSegment, segmentPath } from "./segment-file.ts";
import { LogCorrupt, type Salvage, type StorageOptions } from "./storage.ts";

export interface OpenOptions extends StorageOptions {
  /** Of the node that an empty directory becomes; what is left out is made up. */
  readonly identity: {
    readonly raftId: number;
    /** 32 hex digits each. */
    readonly clusterId?: string;
    readonly diskUuid?: string;
    readonly foundedMs?: number | null;
  };
  readonly random: (length: number) => Uint8Array;
  readonly salvage?: Salvage | null;
  /** Told what was found and done, in sentences. */
  readonly report: (message: string) => void;
}

/** Rejects with LogCorrupt, UnknownFormat, or DiskError (ELOCKED: another process has it). */
export async function openLog(
  disk: Disk,
  clock: Clock,
  crc32: Crc32,
  options: OpenOptions,
): Promise<DurableLog> {
  const release = await disk.lock();
  try {
    const store = new ManifestStore(disk, crc32);
    const found = await store.read();
    // What the last process wrote can be read and yet not be durable: it was killed before its sync
    // returned, or the sync failed, after which the kernel shows what it never wrote. Before anything
    // builds on it, it is written again. (The last batch of the log: loadActive.)
    if (found !== null) await store.write(found);
    const manifest = found ?? (await createLog(disk, clock, crc32, store, options));
    const parts = {
      disk,
      clock,
      crc32,
      manifest: store,
      identity: manifest.identity,
      options,
      release,
    };
    const { report, salvage = null } = options;
    return new DurableLog(parts, await loadLog(parts, manifest, { report, salvage }));
  } catch (error) {
    await release();
    throw error;
  }
}

async function createLog(
  disk: Disk,
  clock: Clock,
  crc32: Crc32,
  store: ManifestStore,
  options: OpenOptions,
): Promise<Manifest> {
  await disk.makeDir(LOG_DIR);
  const strays = (await disk.list(LOG_DIR)).filter((name) => name.endsWith(".seg"));
  // One without a manifest is from a first start that was cut short: it holds nothing.
  if (strays.length > 1) {
    throw new LogCorrupt(
      `"${disk.root}" holds ${strays.length} log segments and no manifest: it is damaged or was copied ` +
        "in part. Restore it from a backup, or start a new node in an empty directory",
    );
  }
  for (const name of strays) await disk.remove(`${LOG_DIR}/${name}`);
  const given = options.identity;
  for (const hex of [given.diskUuid, given.clusterId]) {
    assert(hex === undefined || /^[0-9a-f]{32}$/.test(hex), "an identity has 32 hex digits");
  }
  const identity: Identity = {
    diskUuid: given.diskUuid ?? toHex(options.random(16)),
    clusterId: given.clusterId ?? toHex(options.random(16)),
    raftId: given.raftId,
    foundedMs: given.foundedMs ?? null,
  };
  let failure: Error | null = null;
  const next = new NextSegment(disk, clock, options.segmentBytes, (error) => {
    failure = error;
  });
  next.begin();
  const file = await next.take();
  if (file === null) throw failure ?? next.full ?? new Error("No first segment");
  await file.write(0, [firstHeader(identity, crc32)]);
  await file.close();
  await next.install(segmentPath(1, 1));
  await disk.syncDir("");
  const segments = [{ id: 1, firstIndex: 1, firstBatch: 1, footer: null }];
  const manifest = { identity, segments, installs: 0 };
  await store.write(manifest);
  return manifest;
}

function firstHeader(identity: Identity, crc32: Crc32): Uint8Array {
  return encodeSegmentHeader(
    {
      segmentId: 1,
      firstIndex: 1,
      firstBatch: 1,
      previousBatchCrc: 0,
      hardState: EMPTY_HARD_STATE,
      before: { lastIndex: 0, lastTerm: 0, lastChange: 0 },
      diskUuid: hexBytes(identity.diskUuid),
      clusterId: hexBytes(identity.clusterId),
      raftId: identity.raftId,
    },
    crc32,
  );
}
