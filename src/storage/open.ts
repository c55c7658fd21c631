/**
 * Opening a data directory: take the lock, read the manifest, load the indexes of sealed segments,
 * scan the active one, cut a torn tail, refuse what cannot be proved (contract: storage.ts).
 */
import { assert } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import type { Clock } from "../platform/clock.ts";
import type { Disk, DiskFile } from "../platform/disk.ts";
import { EMPTY_HARD_STATE, type HardState } from "../raft/types.ts";
import { judgeBatch } from "./batch.ts";
import { indexBatch } from "./batch-records.ts";
import {
  type CheckpointPlace,
  Checkpoints,
  findCheckpoint,
  readCheckpoint,
} from "./checkpoints.ts";
import { cutDamage } from "./damage.ts";
import {
  type Crc32,
  decodeSegmentHeader,
  encodeSegmentHeader,
  RecordType,
  SEGMENT_HEADER_BYTES,
} from "./format.ts";
import { DurableLog } from "./log.ts";
import { LogIndex } from "./log-index.ts";
import type { LogParts } from "./log-parts.ts";
import {
  hexBytes,
  type Identity,
  type Manifest,
  ManifestStore,
  type SegmentEntry,
} from "./manifest.ts";
import { type ScanEnd, type ScannedBatch, scanSegment } from "./scan.ts";
import {
  decodeSegmentIndex,
  LOG_DIR,
  NextSegment,
  type SegmentIndex,
  segmentPath,
} from "./segment-file.ts";
import { type Checkpoint, type DamagedRange, LogCorrupt, type StorageOptions } from "./storage.ts";
import { removeStrays } from "./strays.ts";

export interface OpenOptions extends StorageOptions {
  /** Of the node that an empty directory becomes; what is left out is made up. */
  readonly identity: {
    readonly raftId: number;
    /** 32 hex digits each. */
    readonly clusterId?: string;
    readonly diskUuid?: string;
  };
  readonly random: (length: number) => Uint8Array;
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
    return await loadLog(parts, manifest, options.report);
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
  };
  let failure: Error | null = null;
  const next = new NextSegment(disk, clock, options.segmentBytes, (error) => {
    failure = error;
  });
  next.begin();
  const file = await next.take();
  if (file === null) throw failure ?? next.full ?? new Error("No first segment");
  await file.write(0, [firstHeader(identity, crc32)]);
  await file.sync();
  await file.close();
  await next.install(segmentPath(1, 1));
  await disk.syncDir("");
  const manifest = { identity, segments: [{ id: 1, firstIndex: 1, firstBatch: 1, footer: null }] };
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
      diskUuid: hexBytes(identity.diskUuid),
      clusterId: hexBytes(identity.clusterId),
      raftId: identity.raftId,
    },
    crc32,
  );
}

async function loadLog(
  parts: LogParts,
  manifest: Manifest,
  report: (message: string) => void,
): Promise<DurableLog> {
  const index = new LogIndex();
  const files = new Map<number, DiskFile>();
  const damage: DamagedRange[] = [];
  try {
    await removeStrays(parts, manifest, report);
    const checkpoints = new Checkpoints();
    const segments = [...manifest.segments];
    index.firstIndex = segments[0]!.firstIndex;
    for (const segment of segments) {
      const file = await openSegment(parts, segment);
      files.set(segment.id, file);
      if (segment.footer === null) continue;
      const found = await loadSealed(parts, segment, file, index, damage, report);
      for (const place of found) checkpoints.add(place);
    }
    const active = segments[segments.length - 1]!;
    const tail = await loadActive(parts, active, files.get(active.id)!, index, damage, report);
    for (const place of tail.checkpoints) checkpoints.add(place);
    if (index.blocks.length === 0)
      index.lastIndex = Math.max(index.lastIndex, active.firstIndex - 1);
    for (const range of damage) {
      // Lost at the very end: their numbers are taken all the same.
      index.lastIndex = Math.max(index.lastIndex, range.toIndex);
      report(
        `Entries ${range.fromIndex} to ${range.toIndex} are damaged on this disk: ${range.why}. ` +
          "They are not served; the rest is",
      );
    }
    const checkpoint = await newestWhole(parts, checkpoints, files, index, report);
    return new DurableLog(parts, {
      segments,
      files,
      index,
      at: tail.at,
      batchNumber: tail.batchNumber,
      previousCrc: tail.previousCrc,
      hardState: tail.hardState,
      checkpoint,
      checkpoints,
      cuts: tail.cuts,
      damage,
    });
  } catch (error) {
    for (const file of files.values()) await file.close();
    throw error;
  }
}

/** What to restart from. A log that does not begin with entry 1 is nothing without it. */
async function newestWhole(
  parts: LogParts,
  checkpoints: Checkpoints,
  files: ReadonlyMap<number, DiskFile>,
  index: LogIndex,
  report: (message: string) => void,
): Promise<Checkpoint | null> {
  for (const { segment, at } of checkpoints.before(index.lastIndex + 1, index.firstIndex)) {
    const checkpoint = await readCheckpoint(files.get(segment)!, at, parts.crc32);
    if (checkpoint !== null) return checkpoint;
    report(`The checkpoint at ${at} of segment ${segment} is damaged: taking an older one`);
  }
  if (index.firstIndex === 1) return null;
  throw new LogCorrupt(
    `The log in "${parts.disk.root}" begins with entry ${index.firstIndex}, and no checkpoint that says what ` +
      "was before can be read: restore the directory from a backup, or start with " +
      "an empty one, which pulls again what the source still has",
  );
}

async function openSegment(parts: LogParts, segment: SegmentEntry): Promise<DiskFile> {
  const path = segmentPath(segment.firstIndex, segment.id);
  let file: DiskFile;
  try {
    file = await parts.disk.open(path, segment.footer === null ? "durable" : "r");
  } catch (error) {
    throw new LogCorrupt(
      `Segment "${path}" in "${parts.disk.root}" is missing though the manifest names it: entries from ` +
        `${segment.firstIndex} on are lost. Restore the directory from a backup, ` +
        "or start with " +
        "an empty one, which pulls again what the source still has",
      { cause: error },
    );
  }
  let why = "";
  try {
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
    const read = await file.read(0, bytes);
    const header = decodeSegmentHeader(bytes.subarray(0, read), parts.crc32);
    if (header.segmentId !== segment.id || header.firstIndex !== segment.firstIndex) {
      why = `it says that it is segment ${header.segmentId}`;
    } else if (toHex(header.diskUuid) !== parts.identity.diskUuid) why = "it is of another disk";
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "MalformedBytes") {
      await file.close();
      throw error;
    }
    why = "both copies of its header are damaged";
  }
  if (why === "") return file;
  await file.close();
  throw new LogCorrupt(
    `Segment "${path}" in "${parts.disk.root}" is not what the manifest names: ${why}. Restore the ` +
      "directory from a backup, or start with " +
      "an empty one, which pulls again what the source still has",
  );
}

/** Its index record, or what a scan finds when that is damaged. Returns where its checkpoints are. */
async function loadSealed(
  parts: LogParts,
  segment: SegmentEntry,
  file: DiskFile,
  index: LogIndex,
  damage: DamagedRange[],
  report: (message: string) => void,
): Promise<CheckpointPlace[]> {
  const { at, bytes, lastIndex } = segment.footer!;
  const buffer = new Uint8Array(bytes);
  const read = await file.read(at, buffer);
  const verdict = judgeBatch(buffer.subarray(0, read), 0, parts.crc32);
  const record = verdict.kind === "whole" ? verdict.records[0] : undefined;
  if (record === undefined || record.type !== RecordType.INDEX) {
    report(`The index of segment ${segment.id} is damaged: reading the segment instead`);
    return scanSealed(parts, segment, file, index, damage);
  }
  const saved = decodeSegmentIndex(
    buffer.subarray(record.at, record.at + record.length),
    segment.id,
  );
  if (!covers(saved, segment.firstIndex, lastIndex)) {
    // It was sealed while a batch was lost that may have been repaired since: then nothing is missing.
    report(`The index of segment ${segment.id} has a gap: reading the segment instead`);
    return scanSealed(parts, segment, file, index, damage);
  }
  for (const after of saved.cuts) {
    index.truncateAfter(after);
    cutDamage(damage, after);
  }
  index.blocks.push(...saved.blocks);
  for (const run of saved.terms) index.addTerm(run.index, run.term);
  for (const change of saved.changes) index.addChange(change);
  index.lastIndex = lastIndex;
  index.addOther();
  const places: CheckpointPlace[] = [];
  for (const place of new Set([SEGMENT_HEADER_BYTES, saved.checkpointAt])) {
    const found = place > 0 ? await findCheckpoint(file, segment.id, place, parts.crc32) : null;
    if (found !== null) places.push(found);
  }
  return places;
}

/** Whether each entry of a segment stands in one of its blocks. */
function covers({ blocks }: SegmentIndex, firstIndex: number, lastIndex: number): boolean {
  const [first] = blocks;
  if (first === undefined) return lastIndex < firstIndex;
  // It may begin lower: with what replaced entries of the segment before.
  if (first.firstIndex > firstIndex || blocks[blocks.length - 1]!.lastIndex !== lastIndex)
    return false;
  return blocks.every((block, i) => i === 0 || block.firstIndex === blocks[i - 1]!.lastIndex + 1);
}

async function scanSealed(
  parts: LogParts,
  segment: SegmentEntry,
  file: DiskFile,
  index: LogIndex,
  damage: DamagedRange[],
): Promise<CheckpointPlace[]> {
  const { lastIndex } = segment.footer!;
  const tail = await scanInto(parts, segment, file, index, damage);
  if (tail.lastIndex < lastIndex) {
    const why = `segment ${segment.id}: its end is damaged`;
    damage.push({ fromIndex: tail.lastIndex + 1, toIndex: lastIndex, why });
  }
  return tail.checkpoints;
}

interface Tail {
  at: number;
  batchNumber: number;
  previousCrc: number;
  hardState: HardState;
  lastIndex: number;
  checkpoints: CheckpointPlace[];
  cuts: number[];
  /** Where the last batch begins; 0 when there is none, or not all of it is whole. */
  lastBatchAt: number;
  end: ScanEnd;
}

async function scanInto(
  parts: LogParts,
  segment: SegmentEntry,
  file: DiskFile,
  index: LogIndex,
  damage: DamagedRange[],
): Promise<Tail> {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  await file.read(0, bytes);
  const header = decodeSegmentHeader(bytes, parts.crc32);
  const tail = {
    at: SEGMENT_HEADER_BYTES,
    batchNumber: header.firstBatch,
    previousCrc: header.previousBatchCrc,
    hardState: header.hardState,
    lastIndex: segment.firstIndex - 1,
    checkpoints: [] as CheckpointPlace[],
    cuts: [] as number[],
    lastBatchAt: 0,
  };
  const expected = {
    number: header.firstBatch,
    previousCrc: header.previousBatchCrc,
    lastIndex: segment.firstIndex - 1,
    lastTerm: index.term(segment.firstIndex - 1),
    commit: header.hardState.commit,
  };
  const lose = (after: number): void => {
    index.truncateAfter(after);
    cutDamage(damage, after);
  };
  const visit = (batch: ScannedBatch): void => {
    const cuts = indexBatch(
      index,
      segment.id,
      batch.at,
      batch.end,
      batch.records.map((record) => ({ ...record, payloadBytes: record.length })),
    );
    tail.cuts.push(...cuts);
    for (const record of batch.records) {
      if (record.type === RecordType.ENTRY) tail.lastIndex = record.index;
      if (record.type !== RecordType.CHECKPOINT) continue;
      const { index: upTo, term } = record;
      tail.checkpoints.push({ index: upTo, term, segment: segment.id, at: batch.at });
    }
    tail.batchNumber = batch.header.number + 1;
    tail.previousCrc = batch.crc;
    tail.hardState = batch.header.hardState;
    tail.at = batch.end;
    tail.lastBatchAt = batch.records.every((record) => record.whole) ? batch.at : 0;
  };
  const end = await scanSegment(file, expected, parts.crc32, visit, lose);
  for (const after of tail.cuts) cutDamage(damage, after);
  damage.push(...end.damage);
  return { ...tail, at: end.end, end };
}

async function loadActive(
  parts: LogParts,
  segment: SegmentEntry,
  file: DiskFile,
  index: LogIndex,
  damage: DamagedRange[],
  report: (message: string) => void,
): Promise<Tail> {
  const tail = await scanInto(parts, segment, file, index, damage);
  const { corrupt, tornUntil, end } = tail.end;
  if (corrupt !== null) {
    throw new LogCorrupt(
      `The log in "${parts.disk.root}" is damaged where its end or a vote may have stood: ${corrupt}. This ` +
        "node must not go on with it: restore the directory from a backup, or start with " +
        "an empty one, which pulls again what the source still has",
    );
  }
  if (tail.lastBatchAt > 0) {
    const last = new Uint8Array(tail.at - tail.lastBatchAt);
    const read = await file.read(tail.lastBatchAt, last);
    await file.write(tail.lastBatchAt, [last.subarray(0, read)]);
  }
  if (tornUntil > 0) {
    report(
      `The last write before the stop was not finished; it was never acknowledged: cutting ${tornUntil - end} bytes`,
    );
    // Unwritten must read as zero, or the next torn write could look whole.
    const zeros = new Uint8Array(64 * 1024);
    for (let at = end; at < tornUntil; at += zeros.length) {
      await file.write(at, [zeros.subarray(0, Math.min(zeros.length, tornUntil - at))]);
    }
  }
  return tail;
}
