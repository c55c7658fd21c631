/**
 * The log at work: appending, rolling to the next segment, purging. The contract is in storage.ts,
 * opening in open.ts, reading in log-reader.ts.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../platform/clock.ts";
import type { Disk, DiskFile } from "../platform/disk.ts";
import type { Entry, HardState } from "../raft/types.ts";
import { BatchAssembler, batchSizeBound, type NewRecord } from "./batch.ts";
import { indexBatch, placed, recordsOf } from "./batch-records.ts";
import type { Lease } from "./block-cache.ts";
import { type Crc32, encodeSegmentHeader, RecordType, SEGMENT_HEADER_BYTES } from "./format.ts";
import { HotTail } from "./hot-tail.ts";
import type { LogIndex, TermRun } from "./log-index.ts";
import { LogReader } from "./log-reader.ts";
import type { Identity, ManifestStore, SegmentEntry } from "./manifest.ts";
import { encodeSegmentIndex, NextSegment, segmentPath } from "./segment-file.ts";
import {
  type Checkpoint,
  type DamagedRange,
  type LogBatch,
  LogFull,
  type StorageOptions,
  type VerifiedBlock,
} from "./storage.ts";

export interface LogParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly crc32: Crc32;
  readonly manifest: ManifestStore;
  readonly identity: Identity;
  readonly options: StorageOptions;
  readonly release: () => Promise<void>;
}

/** Where a log that was opened stands. */
export interface LogPosition {
  readonly segments: SegmentEntry[];
  readonly files: Map<number, DiskFile>;
  readonly index: LogIndex;
  readonly at: number;
  readonly batchNumber: number;
  readonly previousCrc: number;
  readonly hardState: HardState;
  readonly checkpoint: Checkpoint | null;
  readonly checkpointSegment: number;
  readonly damage: DamagedRange[];
  /** Of the active segment, for its index record. */
  readonly cuts: number[];
  readonly checkpointAt: number;
}

export class DurableLog {
  readonly #parts: LogParts;
  readonly #index: LogIndex;
  readonly #segments: SegmentEntry[];
  readonly #files: Map<number, DiskFile>;
  readonly #assembler: BatchAssembler;
  readonly #reader: LogReader;
  readonly #hot: HotTail;
  readonly #next: NextSegment;
  #at: number;
  #batchNumber: number;
  #previousCrc: number;
  #hardState: HardState;
  #cuts: number[];
  #checkpointAt: number;
  #checkpointSegment: number;
  #appending = false;
  #failed: Error | null = null;
  /** The newest durable checkpoint. */
  checkpoint: Checkpoint | null;
  /** Bytes appended since this process started. */
  appendedBytes = 0;
  syncs = 0;

  constructor(parts: LogParts, position: LogPosition) {
    this.#parts = parts;
    this.#index = position.index;
    this.#segments = position.segments;
    this.#files = position.files;
    this.#assembler = new BatchAssembler(parts.crc32);
    const { hotBytes, blockBytes, pool } = parts.options;
    this.#hot = new HotTail(hotBytes, pool);
    this.#at = position.at;
    this.#batchNumber = position.batchNumber;
    this.#previousCrc = position.previousCrc;
    this.#hardState = position.hardState;
    this.checkpoint = position.checkpoint;
    this.#checkpointSegment = position.checkpointSegment;
    this.#checkpointAt = position.checkpointAt;
    this.#cuts = position.cuts;
    this.#reader = new LogReader({
      index: position.index,
      files: position.files,
      hot: this.#hot,
      blockBytes,
      pool,
      crc32: parts.crc32,
      damage: position.damage,
    });
    this.#next = new NextSegment(parts.disk, parts.clock, parts.options.segmentBytes, (error) =>
      this.#fail(error),
    );
    this.#next.begin();
  }

  get identity(): Identity {
    return this.#parts.identity;
  }
  get hardState(): HardState {
    return this.#hardState;
  }
  get firstIndex(): number {
    return this.#index.firstIndex;
  }
  get lastIndex(): number {
    return this.#index.lastIndex;
  }
  term(index: number): number | undefined {
    return this.#index.term(index);
  }
  /** Whether one of the entries in [low, high) changes the members. */
  hasConfChange(low: number, high: number): boolean {
    return this.#index.hasChange(low, high);
  }
  /** Bytes of all segments on the disk. */
  get diskBytes(): number {
    return this.#segments.length * this.#parts.options.segmentBytes;
  }
  get segmentCount(): number {
    return this.#segments.length;
  }
  /** Set while no further segment can be made. */
  get full(): boolean {
    return this.#next.full !== null;
  }
  get cachedBytes(): number {
    return this.#reader.cachedBytes;
  }
  /** What is known to be lost on this disk. */
  get damage(): readonly DamagedRange[] {
    return this.#reader.damage;
  }

  /** Appends one batch; durable when it resolves. One call at a time. */
  async append(batch: LogBatch): Promise<void> {
    if (this.#failed !== null) throw this.#failed;
    assert(!this.#appending, "one append at a time");
    this.#appending = true;
    try {
      const records = recordsOf(batch);
      const room = await this.#makeRoom(records, batch.hardState);
      if (!room) throw new LogFull();
      await this.#write(records, batch.hardState);
      if (batch.truncateAfter !== undefined) this.#hot.truncateAfter(batch.truncateAfter);
      for (const entry of batch.entries) this.#hot.push(entry);
    } finally {
      this.#appending = false;
    }
  }

  /**
   * Makes sure that a batch fits. Payloads leave the reserve at a segment's end alone; a batch
   * without any may use it.
   */
  async #makeRoom(records: readonly NewRecord[], hardState: HardState): Promise<boolean> {
    const { segmentBytes } = this.#parts.options;
    const bound = batchSizeBound(records);
    const payloads = records.some((record) => record.payload.length > 0);
    const limit = segmentBytes - reserveBytes(segmentBytes);
    if (this.#at + bound <= limit || this.#at === SEGMENT_HEADER_BYTES) {
      this.#next.keepUpWith(this.#at / segmentBytes);
      return true;
    }
    if (await this.#roll(hardState)) return true;
    return !payloads && this.#at + bound <= segmentBytes - reserveBytes(segmentBytes) / 4;
  }

  async #write(records: readonly NewRecord[], hardState: HardState): Promise<void> {
    const { bytes, crc } = this.#assembler.assemble(
      records,
      this.#batchNumber,
      this.#previousCrc,
      this.#index.lastIndex,
      hardState,
    );
    const segment = this.#active;
    const file = this.#files.get(segment.id)!;
    try {
      await file.write(this.#at, [bytes]);
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
    this.syncs++;
    this.appendedBytes += bytes.length;
    this.#cuts.push(
      ...indexBatch(
        this.#index,
        segment.id,
        this.#at,
        this.#at + bytes.length,
        records.map(placed),
      ),
    );
    this.#at += bytes.length;
    this.#batchNumber++;
    this.#previousCrc = crc;
    this.#hardState = hardState;
  }

  #fail(error: Error): void {
    if (this.#failed !== null) return;
    this.#failed = error;
    this.#parts.options.onFatal(error);
  }

  get #active(): SegmentEntry {
    return this.#segments[this.#segments.length - 1]!;
  }

  /** Seals the active segment and begins the next. False when the disk is full. */
  async #roll(hardState: HardState): Promise<boolean> {
    const file = await this.#next.take();
    if (file === null) return false;
    const { identity, crc32, manifest } = this.#parts;
    try {
      const sealed = this.#active;
      const footerAt = this.#at;
      await this.#write([this.#indexRecord(sealed.id)], hardState);
      const footer = { at: footerAt, bytes: this.#at - footerAt, lastIndex: this.#index.lastIndex };
      this.#segments[this.#segments.length - 1] = { ...sealed, footer };
      const id = sealed.id + 1;
      const firstIndex = this.#index.lastIndex + 1;
      const header = encodeSegmentHeader(
        {
          segmentId: id,
          firstIndex,
          firstBatch: this.#batchNumber,
          previousBatchCrc: this.#previousCrc,
          hardState,
          diskUuid: hexBytes(identity.diskUuid),
          clusterId: hexBytes(identity.clusterId),
          raftId: identity.raftId,
        },
        crc32,
      );
      await file.write(0, [header]);
      await file.sync();
      await file.close();
      const path = segmentPath(firstIndex, id);
      await this.#next.install(path);
      this.#segments.push({ id, firstIndex, firstBatch: this.#batchNumber, footer: null });
      await manifest.write({ identity, segments: this.#segments });
      this.#files.set(id, await this.#parts.disk.open(path, "durable"));
      this.#at = SEGMENT_HEADER_BYTES;
      this.#cuts = [];
      this.#checkpointAt = 0;
      this.#next.begin();
      const checkpoint = this.#parts.options.checkpoint();
      if (checkpoint !== null) await this.#writeCheckpoint(checkpoint, hardState);
      return true;
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
  }

  #indexRecord(segment: number): NewRecord {
    const blocks = this.#index.blocks.filter((block) => block.segment === segment);
    const first = blocks[0]?.firstIndex ?? this.#index.lastIndex + 1;
    const terms: TermRun[] = [];
    for (const run of this.#index.terms) {
      if (run.index <= first) terms.length = 0;
      terms.push({ index: Math.max(run.index, first), term: run.term });
    }
    const payload = encodeSegmentIndex({
      blocks,
      terms: blocks.length > 0 ? terms : [],
      cuts: this.#cuts,
      changes: this.#index.changes.filter((index) => blocks.length > 0 && index >= first),
      checkpointAt: this.#checkpointAt,
    });
    return { type: RecordType.INDEX, entryType: 0, index: 0, term: 0, payload };
  }

  async #writeCheckpoint(checkpoint: Checkpoint, hardState: HardState): Promise<void> {
    const { index, term, data } = checkpoint;
    const at = this.#at;
    await this.#write(
      [{ type: RecordType.CHECKPOINT, entryType: 0, index, term, payload: data }],
      hardState,
    );
    this.checkpoint = checkpoint;
    this.#checkpointAt = at;
    this.#checkpointSegment = this.#active.id;
  }

  /** Writes a checkpoint now (a clean stop, a snapshot). */
  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    await this.append({ hardState: this.#hardState, entries: [], checkpoint });
    this.checkpoint = checkpoint;
    this.#checkpointSegment = this.#active.id;
  }

  /**
   * Consecutive entries from `index` on: at least one, about `maxBytes`. Release the lease when
   * they were read, and hold what a socket still has to send. Rejects with EntryDamaged.
   */
  read(index: number, maxBytes: number): Promise<Lease> {
    return this.#reader.read(index, maxBytes);
  }

  /**
   * As `read`, of what is in memory since it was appended; null when it is not. The bytes stay as
   * they are only until anything else runs.
   */
  hotEntries(index: number, maxBytes: number): readonly Entry[] | null {
    return this.#hot.read(index, maxBytes)?.entries ?? null;
  }

  /** Reads what stands at `index` into the cache, if there is room for it: who asks next finds it. */
  readAhead(index: number): void {
    this.#reader.readAhead(index);
  }

  /** Reads and checks one block of a sealed segment, for the scrub; null when none is left. */
  verifyFrom(index: number): Promise<VerifiedBlock | null> {
    return this.#reader.verifyFrom(index, this.#active.id);
  }

  /** Unlinks segments that lie wholly below `index` and below the newest checkpoint. */
  async purgeBefore(index: number): Promise<void> {
    let count = 0;
    while (count < this.#segments.length - 1) {
      const { footer, id } = this.#segments[count]!;
      if (footer === null || footer.lastIndex >= index || id >= this.#checkpointSegment) break;
      count++;
    }
    if (count === 0) return;
    const gone = this.#segments.splice(0, count);
    await this.#parts.manifest.write({ identity: this.identity, segments: this.#segments });
    const oldest = this.#segments[0]!;
    this.#index.dropSegmentsBelow(oldest.id, oldest.firstIndex);
    for (const segment of gone) {
      const file = this.#files.get(segment.id);
      this.#files.delete(segment.id);
      await file?.close();
      this.#reader.forget(segment.id);
      await this.#parts.disk.remove(segmentPath(segment.firstIndex, segment.id));
    }
    await this.#parts.disk.syncDir("log");
  }

  async close(): Promise<void> {
    this.#failed ??= new Error("The log is closed");
    await this.#next.close();
    for (const file of this.#files.values()) await file.close();
    await this.#parts.release();
  }
}

function reserveBytes(segmentBytes: number): number {
  return Math.min(1024 * 1024, Math.floor(segmentBytes / 8));
}

export function hexBytes(hex: string): Uint8Array {
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out;
}
