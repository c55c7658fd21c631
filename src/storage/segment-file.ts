/**
 * Segment files: names, making the next one ahead of need, and their index records.
 *
 * A segment is pre-written with zeros and synced before it is used, so that a commit only
 * overwrites blocks that exist (the sync has no metadata to write) and space is known to be
 * there. That happens in the background, paced: at leisure while the active segment is emptier than
 * the next one is ready, without pauses when it is not. A disk without space is no error here, nor is
 * a process without a spare handle or memory: the preparation is tried again later.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import type { Clock } from "../platform/clock.ts";
import { delay } from "../platform/clock.ts";
import { type Disk, DiskError, type DiskFile } from "../platform/disk.ts";
import type { NewRecord } from "./batch.ts";
import { RecordType } from "./format.ts";
import type { BlockRef, LogIndex, TermRun } from "./log-index.ts";
import { NO_HANDLE, patiently } from "./patience.ts";

export const LOG_DIR = "log";
const NEXT = `${LOG_DIR}/next.tmp`;
const SLICE_BYTES = 1024 * 1024;
const SLICE_PAUSE_MS = 5;
/** In one step when behind: each step also waits for a turn of a busy event loop. */
const HURRY_SLICES = 8;
/** A larger backlog of the kernel's would delay the commits beside it. */
const SYNC_BYTES = 16 * 1024 * 1024;
/** The end of a segment is written in a burst as large as the pending bytes: be ready before. */
const AHEAD = 0.25;
const RETRY_MS = 2000;

export function segmentPath(firstIndex: number, id: number): string {
  const pad = (n: number): string => String(n).padStart(16, "0");
  return `${LOG_DIR}/${pad(firstIndex)}-${pad(id)}.seg`;
}

/** What a batch may use of the end of a segment. */
export type Reserve = "none" | "control" | "hard-state";

/**
 * How far a segment is filled. Its end is kept for its index, and for the time when no further segment can
 * be made: for small entries that are not of the stream, such as a purge, and for terms and votes.
 */
export class SegmentBounds {
  readonly reserveBytes: number;
  /** How far a segment may grow for what is on its way when the disk becomes full. */
  readonly mostBytes: number;

  constructor(segmentBytes: number) {
    this.reserveBytes = Math.min(1024 * 1024, Math.floor(segmentBytes / 8));
    this.mostBytes = segmentBytes + Math.floor(segmentBytes / 4);
  }

  /** Where batches end in a segment for which `bytes` were taken from the disk. */
  limit(bytes: number, reserve: Reserve): number {
    const kept = { none: 1, control: 1 / 2, "hard-state": 1 / 4 }[reserve];
    return bytes - this.reserveBytes * kept;
  }
}

export class NextSegment {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #bytes: number;
  readonly #onFatal: (error: Error) => void;
  readonly #stop = new AbortController();
  #work: Promise<void>;
  #ready: DiskFile | null = null;
  /** How much of the active segment is used, 0 to 1: this one should be ready as far. */
  #wanted = 0;
  /** Why it cannot be made; null while it is being made or is ready. */
  full: DiskError | null = null;

  constructor(disk: Disk, clock: Clock, bytes: number, onFatal: (error: Error) => void) {
    this.#disk = disk;
    this.#clock = clock;
    this.#bytes = bytes;
    this.#onFatal = onFatal;
    this.#work = Promise.resolve();
  }

  get isReady(): boolean {
    return this.#ready !== null;
  }

  /** Begins to make the next one. */
  begin(): void {
    this.#wanted = 0;
    this.#work = this.#make().catch((error: Error) => {
      if (!this.#stop.signal.aborted) this.#onFatal(error);
    });
  }

  /** The active segment is used up to this share. */
  keepUpWith(share: number): void {
    this.#wanted = share;
  }

  /** The prepared file, opened for durable writes under its temporary name; null when none can be made. */
  async take(): Promise<DiskFile | null> {
    this.#wanted = 1;
    while (this.#ready === null && this.full === null && !this.#stop.signal.aborted) {
      await Promise.race([this.#work, delay(this.#clock, 10)]);
    }
    const file = this.#ready;
    this.#ready = null;
    return file;
  }

  async install(path: string): Promise<void> {
    await this.#disk.rename(NEXT, path);
    await patiently(this.#clock, () => this.#disk.syncDir(LOG_DIR));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    await this.#ready?.close();
    this.#ready = null;
  }

  async #make(): Promise<void> {
    const signal = this.#stop.signal;
    while (!signal.aborted) {
      let file: DiskFile | null = null;
      try {
        await this.#disk.remove(NEXT);
        file = await this.#disk.open(NEXT, "create");
        await this.#fill(file, signal);
        await file.close();
        if (signal.aborted) return;
        // Now, and not when the log rolls: then it would be too late to be without a handle.
        this.#ready = await this.#disk.open(NEXT, "durable");
        this.full = null;
        return;
      } catch (error) {
        await file?.close().catch(() => {});
        if (!(error instanceof DiskError) || !isForNow(error)) throw error;
        // What was taken goes back at once: the rest of the machine needs it more.
        await this.#disk.remove(NEXT);
        this.full = error;
        await delay(this.#clock, RETRY_MS, signal);
      }
    }
  }

  async #fill(file: DiskFile, signal: AbortSignal): Promise<void> {
    const zeros = new Uint8Array(Math.min(SLICE_BYTES, this.#bytes));
    for (let at = 0, synced = 0; at < this.#bytes && !signal.aborted; ) {
      const leisure = at / this.#bytes >= this.#wanted + AHEAD;
      const slices = leisure ? 1 : HURRY_SLICES;
      const length = Math.min(slices * zeros.length, this.#bytes - at);
      await file.write(at, repeated(zeros, length));
      at += length;
      if (at - synced >= SYNC_BYTES) {
        await file.sync();
        synced = at;
      }
      if (leisure) await delay(this.#clock, SLICE_PAUSE_MS, signal);
    }
    await file.sync();
  }
}

/**
 * Zeros behind a segment's end, from `from` to `to`: durable where writes to `file` are. False when
 * the disk has no space for them; what was taken is given back then.
 */
export async function lengthenSegment(file: DiskFile, from: number, to: number): Promise<boolean> {
  try {
    await file.write(from, repeated(new Uint8Array(SLICE_BYTES), to - from));
    return true;
  } catch (error) {
    if (!(error instanceof DiskError) || !NO_SPACE.has(error.code)) throw error;
    await file.truncate(from);
    return false;
  }
}

/** As often as it takes to be `length` bytes. */
function repeated(slice: Uint8Array, length: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(length / slice.length) }, (_, i) =>
    slice.subarray(0, length - i * slice.length),
  );
}

/** There is no space, handle or memory now: nothing is wrong with the disk. */
function isForNow({ code }: DiskError): boolean {
  return NO_SPACE.has(code) || NO_HANDLE.has(code) || code === "ENOMEM";
}

/** Codes of a disk that is full. */
export const NO_SPACE: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** What a sealed segment says about itself: its blocks, terms and cuts. A cache, rebuilt by a scan. */
export interface SegmentIndex {
  readonly blocks: readonly BlockRef[];
  readonly terms: readonly TermRun[];
  /** Entries beyond these indexes were cut while this segment was written: for the segments before it. */
  readonly cuts: readonly number[];
  /** Its entries that change the members. */
  readonly changes: readonly number[];
  readonly checkpointAt: number;
}

/** The record that a segment is sealed with. */
export function indexRecord(
  index: LogIndex,
  segment: number,
  cuts: readonly number[],
  checkpointAt: number,
): NewRecord {
  const blocks = index.blocks.filter((block) => block.segment === segment);
  const first = blocks[0]?.firstIndex ?? index.lastIndex + 1;
  const terms: TermRun[] = [];
  for (const run of index.terms) {
    if (run.index <= first) terms.length = 0;
    terms.push({ index: Math.max(run.index, first), term: run.term });
  }
  const payload = encodeSegmentIndex({
    blocks,
    terms: blocks.length > 0 ? terms : [],
    cuts,
    changes: index.changes.filter((change) => blocks.length > 0 && change >= first),
    checkpointAt,
  });
  return { type: RecordType.INDEX, entryType: 0, index: 0, term: 0, payload };
}

export function encodeSegmentIndex(index: SegmentIndex): Uint8Array {
  const writer = new ByteWriter(64 + index.blocks.length * 25);
  writer.u32(index.blocks.length).u32(index.terms.length).u32(index.cuts.length);
  writer.u32(index.changes.length);
  writer.u64(index.checkpointAt);
  for (const block of index.blocks) {
    writer
      .u32(block.at)
      .u32(block.end)
      .u8(block.inside ? 1 : 0);
    writer.u64(block.firstIndex).u64(block.lastIndex);
  }
  for (const run of index.terms) writer.u64(run.index).u64(run.term);
  for (const after of index.cuts) writer.u64(after);
  for (const change of index.changes) writer.u64(change);
  return writer.finish();
}

export function decodeSegmentIndex(bytes: Uint8Array, segment: number): SegmentIndex {
  const reader = new ByteReader(bytes);
  const blockCount = reader.u32("blocks");
  const termCount = reader.u32("terms");
  const cutCount = reader.u32("cuts");
  const changeCount = reader.u32("changes");
  reader.need(8 + blockCount * 25 + termCount * 16 + (cutCount + changeCount) * 8, "segment index");
  const checkpointAt = reader.u64n();
  const blocks: BlockRef[] = [];
  for (let i = 0; i < blockCount; i++) {
    blocks.push({
      segment,
      at: reader.u32(),
      end: reader.u32(),
      inside: reader.u8() === 1,
      firstIndex: reader.u64n(),
      lastIndex: reader.u64n(),
    });
  }
  const terms: TermRun[] = [];
  for (let i = 0; i < termCount; i++) terms.push({ index: reader.u64n(), term: reader.u64n() });
  const cuts: number[] = [];
  for (let i = 0; i < cutCount; i++) cuts.push(reader.u64n());
  const changes: number[] = [];
  for (let i = 0; i < changeCount; i++) changes.push(reader.u64n());
  reader.expectEnd("segment index");
  return { blocks, terms, cuts, changes, checkpointAt };
}
