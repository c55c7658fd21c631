/**
 * The log at work: appending, rolling to the next segment, purging, being replaced. The contract is
 * in storage.ts, opening in open.ts, reading in log-reader.ts.
 */
import { assert } from "../base/assert.ts";
import type { DiskFile } from "../platform/disk.ts";
import type { Entry, HardState } from "../raft/types.ts";
import { BatchAssembler, batchSizeBound, type NewRecord } from "./batch.ts";
import { indexBatch, placed, recordsOf } from "./batch-records.ts";
import type { Lease } from "./block-cache.ts";
import { atHead, type Checkpoints, firstWhole } from "./checkpoints.ts";
import { cutDamage } from "./damage.ts";
import { SEGMENT_HEADER_BYTES } from "./format.ts";
import { HotTail } from "./hot-tail.ts";
import { installHead, installSegment, unlinkSegments } from "./install.ts";
import type { LogIndex } from "./log-index.ts";
import type { LogParts, LogPosition } from "./log-parts.ts";
import { LogReader } from "./log-reader.ts";
import type { Identity, SegmentEntry } from "./manifest.ts";
import { patiently } from "./patience.ts";
import { planRepair } from "./repair.ts";
import {
  indexRecord,
  lengthenSegment,
  NextSegment,
  type Reserve,
  SegmentBounds,
} from "./segment-file.ts";
import {
  type Checkpoint,
  type DamagedRange,
  type LogBatch,
  LogFull,
  type VerifiedBlock,
} from "./storage.ts";

export class DurableLog {
  readonly #parts: LogParts;
  readonly #index: LogIndex;
  readonly #segments: SegmentEntry[];
  readonly #files: Map<number, DiskFile>;
  readonly #assembler: BatchAssembler;
  readonly #reader: LogReader;
  readonly #hot: HotTail;
  readonly #next: NextSegment;
  readonly #bounds: SegmentBounds;
  #at: number;
  /** What the active segment has taken from the disk. */
  #activeBytes: number;
  /** Where the active segment's own beginning ends: before that there is nothing to roll away from. */
  #headEnd = SEGMENT_HEADER_BYTES;
  #batchNumber: number;
  #previousCrc: number;
  #hardState: HardState;
  #cuts: number[];
  readonly #checkpoints: Checkpoints;
  #installs: number;
  #appending = false;
  #refused = false;
  /** What takes old segments away or reads behind the index's back: one at a time. */
  #upkeep: Promise<unknown> = Promise.resolve();
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
    this.#activeBytes = position.activeBytes;
    this.#batchNumber = position.batchNumber;
    this.#previousCrc = position.previousCrc;
    this.#hardState = position.hardState;
    this.checkpoint = position.checkpoint;
    this.#checkpoints = position.checkpoints;
    this.#cuts = position.cuts;
    this.#installs = position.installs;
    this.#reader = new LogReader({
      index: position.index,
      files: position.files,
      hot: this.#hot,
      blockBytes,
      pool,
      crc32: parts.crc32,
      damage: position.damage,
    });
    this.#bounds = new SegmentBounds(parts.options.segmentBytes);
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
  /** Nothing was ever written to it. */
  get isFresh(): boolean {
    return this.#batchNumber === 1;
  }
  /** How often a snapshot took the place of all. */
  get installs(): number {
    return this.#installs;
  }
  /** Undefined where it is not known; of the entry before the first one a checkpoint may know it. */
  term(index: number): number | undefined {
    if (index === this.firstIndex - 1) return this.#checkpoints.term(index);
    return this.#index.term(index);
  }
  /** Whether one of the entries in [low, high) changes the members. */
  hasConfChange(low: number, high: number): boolean {
    return this.#index.hasChange(low, high);
  }
  /** Of entries that are lost the terms are not known either. */
  get lacksTerms(): boolean {
    return this.#index.lastUnknownTerm > 0;
  }
  /** Bytes of all segments on the disk. */
  get diskBytes(): number {
    return this.#segments.length * this.#parts.options.segmentBytes;
  }
  get segmentCount(): number {
    return this.#segments.length;
  }
  /**
   * Set while no further segment can be made, or the last batch had no room. There may be room left for
   * what is on its way: who pulls is to stop.
   */
  get full(): boolean {
    return this.#refused || this.#next.full !== null;
  }
  /** What fits without taking anything from the disk. */
  get roomBytes(): number {
    if (this.full) return 0;
    const left = this.#bounds.limit(this.#activeBytes, "none") - this.#at;
    const { segmentBytes } = this.#parts.options;
    return Math.max(0, left) + (this.#next.isReady ? this.#bounds.limit(segmentBytes, "none") : 0);
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
    return this.#asWriter(async () => {
      const records = recordsOf(batch, this.#index);
      const bytes = batchSizeBound(records);
      this.#refused = !(await this.#makeRoom(
        bytes,
        reserveOf(batch),
        this.#hardStateBefore(batch),
      ));
      if (this.#refused) throw new LogFull();
      const at = this.#at;
      await this.#write(records, batch.hardState);
      if (batch.truncateAfter !== undefined) {
        this.#hot.truncateAfter(batch.truncateAfter);
        cutDamage(this.#reader.damage, batch.truncateAfter);
      }
      for (const entry of batch.entries) this.#hot.push(entry);
      if (batch.checkpoint !== undefined) this.#wrote(batch.checkpoint, at);
    });
  }

  /**
   * Replaces all by a log that begins behind `checkpoint`, which others have committed: a snapshot.
   * Power that goes meanwhile leaves the old log or the new one. The new one is durable when this
   * resolves, and takes the place of an append. Rejects with LogFull, the log being as it was. Reads
   * that are under way reject.
   */
  async install(checkpoint: Checkpoint, hardState: HardState): Promise<void> {
    const { term, vote } = this.#hardState;
    const keeps = hardState.term === term && (vote === 0 || hardState.vote === vote);
    assert(hardState.term > term || keeps, "a term or vote is not taken back");
    return this.#asWriter(() => this.#alone(() => this.#replace(checkpoint, hardState)));
  }

  async #replace(checkpoint: Checkpoint, given: HardState): Promise<void> {
    const { identity, crc32, disk } = this.#parts;
    const { index, term } = checkpoint;
    const hardState = { ...given, commit: Math.max(given.commit, index) };
    const id = this.#active.id + 1;
    const segment = { id, firstIndex: index + 1, firstBatch: this.#batchNumber, footer: null };
    const before = { lastIndex: index, lastTerm: term, lastChange: 0 };
    const head = { segment, previousCrc: this.#previousCrc, hardState, before };
    const records = recordsOf({ hardState, entries: [], checkpoint }, this.#index);
    try {
      const end = await installHead(this.#next, this.#assembler, identity, head, records, crc32);
      await this.#writeManifest([segment], this.#installs + 1);
      // In one step: peers are told of both, and a log that is shorter than it was needs its new count.
      this.#installs++;
      const gone = this.#segments.splice(0, this.#segments.length, segment);
      this.#index.reset(segment.firstIndex);
      this.#hot.truncateAfter(0);
      this.#reader.damage.length = 0;
      for (const old of gone) this.#reader.forget(old.id);
      this.#files.set(id, end.file);
      this.#checkpoints.reset({ index, term, segment: id, at: SEGMENT_HEADER_BYTES });
      this.checkpoint = checkpoint;
      this.#at = end.at;
      // A checkpoint may be larger than a segment.
      this.#activeBytes = Math.max(this.#parts.options.segmentBytes, end.at);
      this.#batchNumber++;
      this.#previousCrc = end.crc;
      this.#hardState = hardState;
      this.#cuts = [];
      this.#next.begin();
      // One that is lost with a sector would be the whole log.
      await this.#writeCheckpoint(checkpoint, hardState);
      this.#headEnd = this.#at;
      await unlinkSegments(disk, this.#parts.clock, this.#files, gone);
    } catch (error) {
      if (!(error instanceof LogFull)) this.#fail(error as Error);
      throw error;
    }
  }

  /** Appending and what takes the place of it: one at a time, which is the caller's to see to. */
  async #asWriter(work: () => Promise<void>): Promise<void> {
    if (this.#failed !== null) throw this.#failed;
    assert(!this.#appending, "one append at a time");
    this.#appending = true;
    try {
      await work();
    } finally {
      this.#appending = false;
    }
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#upkeep.then(work);
    this.#upkeep = done.catch(() => {});
    return done;
  }

  /**
   * What may be durable before the batch is: behind where it cuts stands what is to be replaced, and
   * a commit index that covers that would have it applied after a crash in between.
   */
  #hardStateBefore({ hardState, truncateAfter }: LogBatch): HardState {
    const own = truncateAfter ?? this.#index.lastIndex;
    return { ...hardState, commit: Math.min(hardState.commit, own) };
  }

  /**
   * Makes sure that a batch of `bytes` fits. One that is larger than a segment gets one of its own, made
   * longer. Where no further segment can be made, what is on its way gets what is left of the disk, and
   * some batches the reserve at the segment's end.
   */
  async #makeRoom(bytes: number, reserve: Reserve, hardState: HardState): Promise<boolean> {
    const fits = (kept: Reserve): boolean =>
      this.#at + bytes <= this.#bounds.limit(this.#activeBytes, kept);
    if (fits("none")) {
      this.#next.keepUpWith(this.#at / this.#parts.options.segmentBytes);
      return true;
    }
    if (this.#at <= this.#headEnd || (await this.#roll(hardState))) return this.#lengthenFor(bytes);
    const isInFlight = this.#at + bytes + this.#bounds.reserveBytes <= this.#bounds.mostBytes;
    return (isInFlight && (await this.#lengthenFor(bytes))) || fits(reserve);
  }

  /** Space for `bytes` more and the reserve, beyond the segment's end if need be; false when there is none. */
  async #lengthenFor(bytes: number): Promise<boolean> {
    const end = this.#at + bytes + this.#bounds.reserveBytes;
    if (end <= this.#activeBytes) return true;
    const file = this.#files.get(this.#active.id)!;
    const isDone = await this.#orFail(() => lengthenSegment(file, this.#activeBytes, end));
    if (isDone) this.#activeBytes = end;
    return isDone;
  }

  async #write(records: readonly NewRecord[], hardState: HardState): Promise<void> {
    const { bytes, crc } = this.#assembler.assemble(
      records,
      this.#batchNumber,
      this.#previousCrc,
      this.#index.end,
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
    const { identity, crc32 } = this.#parts;
    try {
      const sealed = this.#active;
      const footerAt = this.#at;
      const newest = this.#checkpoints.newestIn(sealed.id);
      await this.#write([indexRecord(this.#index, sealed.id, this.#cuts, newest)], hardState);
      const { lastIndex } = this.#index;
      const footer = { at: footerAt, bytes: this.#at - footerAt, lastIndex };
      const id = sealed.id + 1;
      const segment = {
        id,
        firstIndex: lastIndex + 1,
        firstBatch: this.#batchNumber,
        footer: null,
      };
      const before = this.#index.end;
      const head = { segment, previousCrc: this.#previousCrc, hardState, before };
      await installSegment(file, this.#next, identity, head, crc32);
      // In one step: a purge may write the manifest at any time, and the last one is never sealed.
      this.#segments.splice(-1, 1, { ...sealed, footer }, segment);
      await this.#writeManifest(this.#segments);
      this.#files.set(id, file);
      this.#at = SEGMENT_HEADER_BYTES;
      this.#activeBytes = this.#parts.options.segmentBytes;
      this.#cuts = [];
      this.#next.begin();
      const checkpoint = this.#parts.options.checkpoint();
      if (checkpoint !== null) await this.#writeCheckpoint(checkpoint, hardState);
      this.#headEnd = this.#at;
      return true;
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
  }

  #writeManifest(
    segments: readonly SegmentEntry[],
    installs: number = this.#installs,
  ): Promise<void> {
    const { manifest, identity, clock } = this.#parts;
    return patiently(clock, () => manifest.write({ identity, segments, installs }));
  }

  /** Without space for it a segment begins without: a start, or a peer, takes an older one. */
  async #writeCheckpoint(checkpoint: Checkpoint, hardState: HardState): Promise<void> {
    const at = this.#at;
    const records = recordsOf({ hardState, entries: [], checkpoint }, this.#index);
    if (!(await this.#lengthenFor(batchSizeBound(records)))) return;
    await this.#write(records, hardState);
    this.#wrote(checkpoint, at);
  }

  #wrote(checkpoint: Checkpoint, at: number): void {
    const { index, term } = checkpoint;
    this.checkpoint = checkpoint;
    this.#checkpoints.add({ index, term, segment: this.#active.id, at });
  }

  /** Writes a checkpoint now (a clean stop, a snapshot). */
  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    await this.append({ hardState: this.#hardState, entries: [], checkpoint });
  }

  /** Of a log that has only one checkpoint a lost sector could be the end: it gets the same again. */
  async keepTwoCheckpoints(): Promise<void> {
    const places = this.#checkpoints.before(this.lastIndex + 1, this.firstIndex);
    const newest = await firstWhole(this.#files, this.#parts.crc32, places);
    if (newest === null) return;
    const older = places.slice(places.indexOf(newest.place) + 1);
    if ((await firstWhole(this.#files, this.#parts.crc32, older)) !== null) return;
    await this.saveCheckpoint(newest.checkpoint).catch((error: Error) => {
      if (!(error instanceof LogFull)) throw error;
    });
  }

  /**
   * What a peer can begin with that needs the entries from `index` on or earlier ones: the newest
   * checkpoint below `index` from which the log goes on without a gap, read back from the disk; null
   * when there is none. One that is damaged is passed over for an older one.
   */
  checkpointBefore(index: number): Promise<Checkpoint | null> {
    return this.#alone(async () => {
      const places = this.#checkpoints.before(index, this.firstIndex);
      return (await firstWhole(this.#files, this.#parts.crc32, places))?.checkpoint ?? null;
    });
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

  /**
   * Unlinks old segments: what stays is a checkpoint below `index` and all behind it, which is what a
   * peer that is behind is given.
   */
  purgeBefore(index: number): Promise<void> {
    return this.#alone(() => this.#purge(index));
  }

  async #purge(index: number): Promise<void> {
    const active = this.#active.id;
    // The newest of the active segment may not be its newest when it is sealed. And behind the one that
    // is kept there is another: one may be lost.
    const [newest] = this.#checkpoints.newestFirst();
    const lasting = this.#checkpoints
      .before(index, this.firstIndex)
      .filter((place) => place !== newest && (place.segment !== active || atHead(place)));
    const base = (await firstWhole(this.#files, this.#parts.crc32, lasting))?.place;
    if (base === undefined) return;
    const ends = this.#segments.findIndex(
      ({ footer, id }) => footer === null || footer.lastIndex > base.index || id >= base.segment,
    );
    if (ends <= 0) return;
    const gone = this.#segments.splice(0, ends);
    await this.#writeManifest(this.#segments);
    const oldest = this.#segments[0]!;
    this.#index.dropSegmentsBelow(oldest.id, oldest.firstIndex);
    this.#checkpoints.dropSegmentsBelow(oldest.id);
    for (const segment of gone) this.#reader.forget(segment.id);
    await unlinkSegments(this.#parts.disk, this.#parts.clock, this.#files, gone);
  }

  /**
   * Writes back what is lost of `range` with the same entries of a peer, which must be committed. False
   * when they are not proved to be what stood here: then nothing is written. (repair.ts)
   */
  repair(range: DamagedRange, entries: readonly Entry[]): Promise<boolean> {
    return this.#alone(async () => {
      const { fromIndex, toIndex } = range;
      const wanted = entries.filter(({ index }) => index >= fromIndex && index <= toIndex);
      if (new Set(wanted.map(({ index }) => index)).size < toIndex - fromIndex + 1) return false;
      if (fromIndex < this.firstIndex || toIndex > this.lastIndex) return false;
      const end = {
        at: this.#at,
        number: this.#batchNumber,
        previousCrc: this.#previousCrc,
        end: this.#index.end,
        hardState: this.#hardState,
      };
      const { disk, crc32 } = this.#parts;
      const segments = this.#segments.slice();
      const plan = await planRepair({ disk, crc32, index: this.#index, segments, end }, wanted);
      if (plan === null || !(await this.#orFail(() => plan.write()))) return false;
      this.#index.restore(plan.found);
      this.#reader.repaired(fromIndex, toIndex);
      for (const { id } of segments) this.#reader.forget(id);
      return true;
    });
  }

  async #orFail<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#failed ??= new Error("The log is closed");
    await this.#next.close();
    await this.#upkeep;
    for (const file of this.#files.values()) await file.close();
    await this.#parts.release();
  }
}

function reserveOf({ entries, checkpoint, isControl }: LogBatch): Reserve {
  if (isControl === true) return "control";
  return entries.every(({ data }) => data.length === 0) && checkpoint === undefined
    ? "hard-state"
    : "none";
}
