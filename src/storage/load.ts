/**
 * Loading a log that is there: the manifest's segments one by one, sealed ones by their index record,
 * the active one by a scan. Cuts a torn tail and refuses what cannot be proved (contract: storage.ts).
 *
 * What Raft's safety needs is proved here or the log is not opened: of which term the last entry is
 * (votes), and a checkpoint that says who the members were. Where an entry that changes the members
 * is lost the index knows it (`hasChange`), and so the node does not lead.
 */
import { toHex } from "../base/bytes.ts";
import type { DiskFile } from "../platform/disk.ts";
import { DiskError } from "../platform/disk.ts";
import type { HardState } from "../raft/types.ts";
import { judgeBatch } from "./batch.ts";
import { indexBatch } from "./batch-records.ts";
import {
  type CheckpointPlace,
  Checkpoints,
  findCheckpoint,
  readCheckpoint,
} from "./checkpoints.ts";
import { cutDamage } from "./damage.ts";
import { readReadable } from "./files.ts";
import {
  decodeSegmentHeader,
  type LogEnd,
  RecordType,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "./format.ts";
import { LogIndex } from "./log-index.ts";
import type { LogParts, LogPosition } from "./log-parts.ts";
import type { Manifest, SegmentEntry } from "./manifest.ts";
import { type ScanEnd, type ScannedBatch, scanSegment } from "./scan.ts";
import { decodeSegmentIndex, type SegmentIndex, segmentPath } from "./segment-file.ts";
import {
  type Checkpoint,
  type DamagedRange,
  type LogCorrupt,
  logCorrupt,
  type Salvage,
} from "./storage.ts";
import { removeStrays } from "./strays.ts";

export interface LoadOptions {
  readonly salvage: Salvage | null;
  /** Told what was found and done, in sentences. */
  readonly report: (message: string) => void;
}

/** Rejects with LogCorrupt, UnknownFormat, DiskError. */
export async function loadLog(
  parts: LogParts,
  manifest: Manifest,
  options: LoadOptions,
): Promise<LogPosition> {
  const loader = new Loader(parts, options);
  try {
    return await loader.load(manifest);
  } catch (error) {
    await loader.close();
    throw error;
  }
}

interface Opened {
  readonly segment: SegmentEntry;
  readonly file: DiskFile;
  readonly header: SegmentHeader;
}

/** Where a scan ended. */
interface Tail {
  at: number;
  batchNumber: number;
  previousCrc: number;
  hardState: HardState;
  /** What the segment cut off. */
  readonly cuts: number[];
  /** Where the last batch begins; 0 when there is none, or not all of it is whole. */
  lastBatchAt: number;
  end: ScanEnd;
}

class Loader {
  readonly #parts: LogParts;
  readonly #options: LoadOptions;
  readonly #index = new LogIndex();
  readonly #files = new Map<number, DiskFile>();
  readonly #damage: DamagedRange[] = [];
  readonly #checkpoints = new Checkpoints();

  constructor(parts: LogParts, options: LoadOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }

  async load(manifest: Manifest): Promise<LogPosition> {
    await removeStrays(this.#parts, manifest, this.#options.report);
    const index = this.#index;
    const segments = [...manifest.segments];
    index.firstIndex = segments[0]!.firstIndex;
    index.lastIndex = index.firstIndex - 1;
    const opened: Opened[] = [];
    for (const segment of segments) opened.push(await this.#open(segment));
    for (const [at, one] of opened.slice(0, -1).entries())
      await this.#sealed(one, opened[at + 1]!.header);
    const active = opened[opened.length - 1]!;
    const tail = await this.#active(active);
    for (const { fromIndex, toIndex, why } of this.#damage) {
      this.#options.report(
        `Entries ${fromIndex} to ${toIndex} are damaged on this disk: ${why}. They are not served; the rest is`,
      );
    }
    if (index.lastUnknownTerm > tail.hardState.commit) {
      throw this.#corrupt(
        `is damaged up to entry ${index.lastUnknownTerm}, and nothing that is whole says of which term the last ` +
          "ones are: a vote of this node would not be safe",
      );
    }
    const checkpoint = await this.#newestCheckpoint();
    const { at, batchNumber, previousCrc, hardState, cuts } = tail;
    const activeBytes = await active.file.size();
    const position = { at, activeBytes, batchNumber, previousCrc, hardState, cuts, checkpoint };
    const [files, damage, checkpoints] = [this.#files, this.#damage, this.#checkpoints];
    const { installs } = manifest;
    return { ...position, installs, segments, files, index, checkpoints, damage };
  }

  #corrupt(what: string, cause?: unknown): LogCorrupt {
    return logCorrupt(this.#parts.disk.root, what, cause);
  }

  /** What to restart from. A log that does not begin with entry 1 is nothing without it. */
  async #newestCheckpoint(): Promise<Checkpoint | null> {
    const { firstIndex, lastIndex } = this.#index;
    for (const { segment, at } of this.#checkpoints.before(lastIndex + 1, firstIndex)) {
      const checkpoint = await readCheckpoint(this.#files.get(segment)!, at, this.#parts.crc32);
      if (checkpoint !== null) return checkpoint;
      this.#options.report(
        `The checkpoint at ${at} of segment ${segment} is damaged: taking an older one`,
      );
    }
    if (firstIndex === 1) return null;
    throw this.#corrupt(
      `begins with entry ${firstIndex}, and no checkpoint that says what was before it can be read`,
    );
  }

  async #open(segment: SegmentEntry): Promise<Opened> {
    const { disk, crc32, identity } = this.#parts;
    const path = segmentPath(segment.firstIndex, segment.id);
    let file: DiskFile;
    try {
      file = await disk.open(path, segment.footer === null ? "durable" : "r");
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOENT") throw error;
      const { firstIndex } = segment;
      throw this.#corrupt(
        `lacks its segment "${path}", which the manifest names: entries from ${firstIndex} on are lost`,
        error,
      );
    }
    this.#files.set(segment.id, file);
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
    const read = await readReadable(file, 0, bytes);
    let header: SegmentHeader;
    try {
      header = decodeSegmentHeader(bytes.subarray(0, read), crc32);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "MalformedBytes") throw error;
      throw this.#wrong(path, "both copies of its header are damaged");
    }
    if (header.segmentId !== segment.id || header.firstIndex !== segment.firstIndex)
      throw this.#wrong(path, `it says that it is segment ${header.segmentId}`);
    if (toHex(header.diskUuid) !== identity.diskUuid)
      throw this.#wrong(path, "it is of another disk");
    return { segment, file, header };
  }

  #wrong(path: string, why: string): LogCorrupt {
    return this.#corrupt(`has a segment "${path}" that is not what the manifest names: ${why}`);
  }

  /** By its index record, or by a scan when that is damaged. `next` is the header of the segment behind it. */
  async #sealed(opened: Opened, next: SegmentHeader): Promise<void> {
    const { segment, file } = opened;
    const saved = await this.#savedIndex(segment, file);
    if (saved === null) {
      await this.#scanSealed(opened, next);
      return;
    }
    const index = this.#index;
    for (const after of saved.cuts) {
      index.truncateAfter(after);
      cutDamage(this.#damage, after);
    }
    index.blocks.push(...saved.blocks);
    for (const run of saved.terms) index.addTerm(run.index, run.term);
    for (const change of saved.changes) index.addChange(change);
    index.lastIndex = segment.footer!.lastIndex;
    index.addOther();
    for (const at of new Set([SEGMENT_HEADER_BYTES, saved.checkpointAt])) {
      const place = at > 0 ? await findCheckpoint(file, segment.id, at, this.#parts.crc32) : null;
      if (place !== null) this.#checkpoints.add(place);
    }
  }

  async #savedIndex(segment: SegmentEntry, file: DiskFile): Promise<SegmentIndex | null> {
    const { id, firstIndex } = segment;
    const { at, bytes, lastIndex } = segment.footer!;
    const buffer = new Uint8Array(bytes);
    const read = await readReadable(file, at, buffer);
    const verdict = judgeBatch(buffer.subarray(0, read), 0, this.#parts.crc32);
    const record = verdict.kind === "whole" ? verdict.records[0] : undefined;
    if (record === undefined || record.type !== RecordType.INDEX) {
      this.#options.report(`The index of segment ${id} is damaged: reading the segment instead`);
      return null;
    }
    const saved = decodeSegmentIndex(buffer.subarray(record.at, record.at + record.length), id);
    if (covers(saved, firstIndex, lastIndex)) return saved;
    // It was sealed while a batch was lost that may have been repaired since: then nothing is missing.
    this.#options.report(`The index of segment ${id} has a gap: reading the segment instead`);
    return null;
  }

  async #scanSealed(opened: Opened, next: SegmentHeader): Promise<void> {
    const { segment } = opened;
    const { hardState } = await this.#scan(opened);
    const { firstIndex, end: known } = this.#index;
    const end = next.before;
    const sameTerm = known.lastTerm === end.lastTerm && known.lastIndex <= end.lastIndex;
    if (sameTerm && known.lastIndex === end.lastIndex) return;
    // What is lost may have cut off what was not committed, also down to the same index or a lower one.
    const uncut = Math.min(known.lastIndex, end.lastIndex, hardState.commit);
    const after = sameTerm ? known.lastIndex : Math.max(uncut, firstIndex - 1);
    this.#lose(after, end);
    if (end.lastIndex <= after) return;
    const why = `segment ${segment.id}: its end is damaged`;
    this.#damage.push({ fromIndex: after + 1, toIndex: end.lastIndex, why });
  }

  #lose(after: number, end: LogEnd): void {
    this.#index.lose(after, end);
    cutDamage(this.#damage, after);
  }

  async #scan({ segment, file, header }: Opened): Promise<Tail> {
    const tail: Omit<Tail, "end"> = {
      at: SEGMENT_HEADER_BYTES,
      batchNumber: header.firstBatch,
      previousCrc: header.previousBatchCrc,
      hardState: header.hardState,
      cuts: [],
      lastBatchAt: 0,
    };
    const found: CheckpointPlace[] = [];
    const visit = (batch: ScannedBatch): void => {
      const records = batch.records.map((record) => ({ ...record, payloadBytes: record.length }));
      const cuts = indexBatch(this.#index, segment.id, batch.at, batch.end, records);
      tail.cuts.push(...cuts);
      for (const { type, index, term } of records) {
        if (type === RecordType.CHECKPOINT)
          found.push({ index, term, segment: segment.id, at: batch.at });
      }
      tail.batchNumber = batch.header.number + 1;
      tail.previousCrc = batch.crc;
      tail.hardState = batch.header.hardState;
      tail.lastBatchAt = batch.records.every((record) => record.whole) ? batch.at : 0;
    };
    const start = {
      number: header.firstBatch,
      previousCrc: header.previousBatchCrc,
      end: header.before,
      commit: header.hardState.commit,
    };
    const lose = (after: number, end: LogEnd): void => this.#lose(after, end);
    const end = await scanSegment(file, start, this.#parts.crc32, visit, lose);
    for (const after of tail.cuts) cutDamage(this.#damage, after);
    this.#damage.push(...end.damage);
    for (const place of found) this.#checkpoints.add(place);
    return { ...tail, at: end.end, end };
  }

  async #active(opened: Opened): Promise<Tail> {
    const { file } = opened;
    const { report, salvage } = this.#options;
    const tail = await this.#scan(opened);
    const { corrupt, tornUntil, end } = tail.end;
    if (corrupt !== null && salvage === null) {
      throw this.#corrupt(
        `is damaged where its end or a vote may have stood (${corrupt}): this node must not go on with it. ` +
          "(binraft recover --salvage makes a new cluster of what is whole)",
      );
    }
    if (salvage === "look") return tail;
    if (tail.lastBatchAt > 0) {
      const last = new Uint8Array(tail.at - tail.lastBatchAt);
      const read = await file.read(tail.lastBatchAt, last);
      await file.write(tail.lastBatchAt, [last.subarray(0, read)]);
    }
    if (corrupt !== null) {
      report(`The log is cut where it is whole, at ${end} of its last segment: ${corrupt}`);
      await zero(file, end, await file.size());
    } else if (tornUntil > 0) {
      report(
        `The last write before the stop was not finished; it was never acknowledged: cutting ${tornUntil - end} bytes`,
      );
      // Unwritten must read as zero, or the next torn write could look whole.
      await zero(file, end, tornUntil);
    }
    return tail;
  }
}

async function zero(file: DiskFile, from: number, to: number): Promise<void> {
  const zeros = new Uint8Array(64 * 1024);
  for (let at = from; at < to; at += zeros.length)
    await file.write(at, [zeros.subarray(0, Math.min(zeros.length, to - at))]);
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
