/**
 * Writing back, in place, what a disk has lost of a range of entries that a peer still has.
 *
 * First the segments of the range are read batch by batch, and nothing is written. What is damaged is
 * put together from the peer's entries and from what is still there; it counts when a CRC on this disk
 * says that it is what stood there (rebuild.ts; of a payload alone its record's header says it). When
 * each entry of the range is proved to be the peer's, the sectors that differ are written: they are the
 * bytes of old, so power that goes meanwhile leaves damage as there was, or less.
 */
import { type Disk, DiskError, type DiskFile } from "../platform/disk.ts";
import type { Entry, HardState } from "../raft/types.ts";
import { judgeBatch, type NewRecord, type ReadRecord } from "./batch.ts";
import { endBehind, indexBatch, type PlacedRecord, placed } from "./batch-records.ts";
import { readReadable } from "./files.ts";
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  type Crc32,
  decodeSegmentHeader,
  type LogEnd,
  RecordType,
  readBatchHeader,
  readTrailer,
  SECTOR_BYTES,
  SEGMENT_HEADER_BYTES,
  TRAILER_BYTES,
} from "./format.ts";
import { LogIndex } from "./log-index.ts";
import type { SegmentEntry } from "./manifest.ts";
import {
  BatchRebuilder,
  type Before,
  type Behind,
  differences,
  matches,
  type Wanted,
} from "./rebuild.ts";
import { type Patch, pathOf, RepairPlan } from "./repair-plan.ts";
import { Window } from "./scan.ts";

/** Where the batches of a segment end that may hold entries, and what is known of what stands there. */
export interface SegmentEnd extends Behind {
  readonly at: number;
  /** Of the batch that stands there or would be the next one. */
  readonly number: number;
  readonly end: LogEnd;
}

export interface RepairParts {
  readonly disk: Disk;
  readonly crc32: Crc32;
  readonly index: LogIndex;
  readonly segments: readonly SegmentEntry[];
  /** Of the active segment. */
  readonly end: SegmentEnd;
}

/** Null when something cannot be read, or is not proved. */
export async function planRepair(
  parts: RepairParts,
  entries: readonly Entry[],
): Promise<RepairPlan | null> {
  const { crc32, disk } = parts;
  const wanted: Wanted = new Map(
    entries.map((entry) => [entry.index, { entry, crc: crc32(entry.data) }]),
  );
  const proved = new Set<number>();
  const found = new LogIndex();
  const patches = new Map<SegmentEntry, readonly Patch[]>();
  for (const segment of mayHold(parts, wanted)) {
    const file = await disk.open(pathOf(segment), "r");
    try {
      const end = await endOf(parts, segment, file);
      const repair = new SegmentRepair(
        file,
        segment,
        end,
        parts.index,
        wanted,
        crc32,
        proved,
        found,
      );
      await repair.plan();
      patches.set(segment, repair.patches);
    } catch (error) {
      if (error instanceof DiskError) return null;
      throw error;
    } finally {
      await file.close();
    }
  }
  return proved.size < wanted.size ? null : new RepairPlan(disk, patches, found);
}

/** By the manifest, and by the index: what was cut off and written anew stands in a later segment. */
function mayHold({ segments, index }: RepairParts, wanted: Wanted): SegmentEntry[] {
  const from = Math.min(...wanted.keys());
  const to = Math.max(...wanted.keys());
  const blocks = index.blocks.filter((block) => block.firstIndex <= to && block.lastIndex >= from);
  const indexed = new Set(blocks.map(({ segment }) => segment));
  return segments.filter(({ id, footer, firstIndex }) => {
    const spans = firstIndex <= to && (footer === null || footer.lastIndex >= from);
    return spans || indexed.has(id);
  });
}

/** Of a sealed segment its index record, as far as that can be read. */
async function endOf(
  { segments, end, crc32, index }: RepairParts,
  segment: SegmentEntry,
  file: DiskFile,
): Promise<SegmentEnd> {
  const next = segments[segments.indexOf(segment) + 1];
  if (segment.footer === null || next === undefined) return end;
  const { at, lastIndex } = segment.footer;
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  await readReadable(file, at, bytes);
  const number = next.firstBatch - 1;
  const header = readBatchHeader(bytes, 0, crc32);
  if (header?.number !== number)
    return { at, number, end: index.endAt(lastIndex), previousCrc: null, hardState: null };
  const { previousCrc, hardState, before } = header;
  return { at, number, end: before, previousCrc, hardState };
}

class SegmentRepair {
  readonly patches: Patch[] = [];
  readonly #file: DiskFile;
  readonly #segment: SegmentEntry;
  readonly #wanted: Wanted;
  readonly #crc32: Crc32;
  /** Entries whose newest record is the peer's. */
  readonly #proved: Set<number>;
  readonly #found: LogIndex;
  readonly #rebuilder: BatchRebuilder;
  readonly #index: LogIndex;
  /** The log as it was where the walk is: its terms and changes, as far as this segment shows them. */
  readonly #walked = new LogIndex();
  readonly #end: SegmentEnd;
  readonly #window: Window;

  constructor(
    file: DiskFile,
    segment: SegmentEntry,
    end: SegmentEnd,
    index: LogIndex,
    wanted: Wanted,
    crc32: Crc32,
    proved: Set<number>,
    found: LogIndex,
  ) {
    this.#file = file;
    this.#segment = segment;
    this.#end = end;
    this.#wanted = wanted;
    this.#crc32 = crc32;
    this.#proved = proved;
    this.#found = found;
    this.#index = index;
    this.#rebuilder = new BatchRebuilder(wanted, crc32);
    this.#window = new Window(file, end.at);
  }

  async plan(): Promise<void> {
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
    await readReadable(this.#file, 0, bytes);
    const header = decodeSegmentHeader(bytes, this.#crc32);
    const { firstBatch: number, previousBatchCrc: previousCrc, hardState } = header;
    const endAt = (last: number): LogEnd => this.#endAt(last);
    this.#walked.firstIndex = header.before.lastIndex;
    this.#walked.lose(header.before.lastIndex - 1, header.before);
    let before: Before = { number, previousCrc, end: header.before, endAt, hardState };
    for (let at = SEGMENT_HEADER_BYTES; at < this.#end.at; ) {
      const step =
        (await this.#whole(at, before)) ??
        (await this.#rebuilt(at, before)) ??
        (await this.#skip(at, before));
      at = step.at;
      before = step.before;
    }
  }

  /** From what was walked past; what lies before this segment was hardly ever cut again since. */
  #endAt(lastIndex: number): LogEnd {
    const end = this.#walked.endAt(lastIndex);
    return end.lastTerm > 0 ? end : this.#index.endAt(lastIndex);
  }

  /** Past a batch whose headers are whole. */
  async #whole(at: number, before: Before): Promise<Step | null> {
    const window = this.#window;
    let offset = await window.at(at, BATCH_HEADER_BYTES);
    const head = readBatchHeader(window.bytes, offset, this.#crc32);
    if (head === null || !follows(head, before)) return null;
    offset = await window.at(at, head.length);
    const verdict = judgeBatch(window.bytes, offset, this.#crc32);
    if (verdict.kind !== "whole" && verdict.kind !== "payload-damage") return null;
    for (const record of verdict.records) this.#see(record, this.#isWhole(record, at - offset));
    const records = verdict.records.map((record) => ({
      ...record,
      payload: window.bytes.subarray(record.at, record.at + record.length),
    }));
    this.#enter(at, head.length, records.map(placed));
    return nextStep(at, head.length, before, verdict.crc, records, head.hardState);
  }

  /** A payload that is lost is written back when the record's header says that it is the peer's. */
  #isWhole(record: ReadRecord, offset: number): boolean {
    const wanted = this.#wanted.get(record.index);
    if (wanted === undefined || !matches(record, wanted)) return false;
    if (record.whole) return true;
    const stored = this.#window.bytes.subarray(record.at, record.at + record.length);
    differences(stored, wanted.entry.data, (from, bytes) => {
      this.patches.push({ at: offset + record.at + from, bytes });
    });
    return true;
  }

  /** Past a batch that can be put together again. */
  async #rebuilt(at: number, before: Before): Promise<Step | null> {
    const window = this.#window;
    const offset = await window.at(at, BATCH_HEADER_BYTES);
    const read = readBatchHeader(window.bytes, offset, this.#crc32);
    const isBeyond = read !== null && at + read.length > this.#end.at;
    const header = read !== null && follows(read, before) && !isBeyond ? read : null;
    const end = header === null ? await this.#endOf(at, before.number) : at + header.length;
    if (end === null) return null;
    const behind = await this.#behind(end, before.number + 1);
    const bytes = new Uint8Array(end - at);
    await readReadable(this.#file, at, bytes);
    const rebuilt = this.#rebuilder.rebuild(bytes, header, before, behind);
    if (rebuilt === null) return null;
    differences(bytes, rebuilt.bytes, (from, part) => {
      this.patches.push({ at: at + from, bytes: part });
    });
    const records = rebuilt.records.map(placed);
    for (const [i, record] of records.entries()) {
      const { payload } = rebuilt.records[i]!;
      const payloadCrc = this.#crc32(payload);
      const wanted = this.#wanted.get(record.index);
      const header = { ...record, length: payload.length, payloadCrc };
      this.#see(record, wanted !== undefined && matches(header, wanted));
    }
    this.#enter(at, bytes.length, records);
    return nextStep(at, bytes.length, before, rebuilt.crc, rebuilt.records, rebuilt.hardState);
  }

  /** Past what cannot be put together: to the next batch whose header is whole. */
  async #skip(at: number, before: Before): Promise<Step> {
    const window = this.#window;
    for (let next = at + SECTOR_BYTES; next < this.#end.at; next += SECTOR_BYTES) {
      const offset = await window.at(next, BATCH_HEADER_BYTES);
      const header = readBatchHeader(window.bytes, offset, this.#crc32);
      if (header === null || header.number <= before.number) continue;
      const { number, previousCrc, before: end } = header;
      this.#unprove(Math.min(before.end.lastIndex, end.lastIndex));
      this.#walked.lose(Math.min(before.end.lastIndex, end.lastIndex), end);
      return { at: next, before: { ...before, number, previousCrc, end } };
    }
    this.#unprove(Math.min(before.end.lastIndex, this.#end.end.lastIndex));
    return { at: this.#end.at, before };
  }

  /** Where a batch ends whose header is lost: where its trailer or the next one says so. */
  async #endOf(at: number, number: number): Promise<number | null> {
    const window = this.#window;
    for (let end = at + SECTOR_BYTES; end < this.#end.at; end += SECTOR_BYTES) {
      const offset = await window.at(end - TRAILER_BYTES, TRAILER_BYTES + BATCH_HEADER_BYTES);
      const trailer = readTrailer(window.bytes, offset, this.#crc32);
      const next = readBatchHeader(window.bytes, offset + TRAILER_BYTES, this.#crc32);
      if (trailer?.number === number || next?.number === number + 1) return end;
    }
    return this.#end.number === number + 1 ? this.#end.at : null;
  }

  async #behind(at: number, number: number): Promise<Behind> {
    if (at === this.#end.at && this.#end.number === number) return this.#end;
    const offset = await this.#window.at(at, BATCH_HEADER_BYTES);
    const header = readBatchHeader(this.#window.bytes, offset, this.#crc32);
    if (header?.number !== number) return { previousCrc: null, end: null, hardState: null };
    const { previousCrc, before: end, hardState } = header;
    return { previousCrc, end, hardState };
  }

  /** The newest record of an index is the one that counts. */
  #see({ type, index }: PlacedRecord | ReadRecord, isPeers: boolean): void {
    if (type === RecordType.TRUNCATE) this.#unprove(index);
    if (type !== RecordType.ENTRY || !this.#wanted.has(index)) return;
    if (isPeers) this.#proved.add(index);
    else this.#proved.delete(index);
  }

  /** Entries beyond `index` stand elsewhere, or nobody knows where. */
  #unprove(index: number): void {
    for (const known of this.#proved) if (known > index) this.#proved.delete(known);
  }

  /** By itself, for what is beside it in the file may not be beside it in the index. */
  #enter(at: number, length: number, records: readonly PlacedRecord[]): void {
    indexBatch(this.#walked, this.#segment.id, at, at + length, records);
    const isWanted = ({ type, index }: PlacedRecord): boolean =>
      type === RecordType.ENTRY && this.#wanted.has(index);
    if (!records.some(isWanted)) return;
    indexBatch(this.#found, this.#segment.id, at, at + length, records);
    this.#found.addOther();
  }
}

interface Step {
  readonly at: number;
  readonly before: Before;
}

function follows(header: BatchHeader, before: Before): boolean {
  return header.number === before.number && header.previousCrc === before.previousCrc;
}

function nextStep(
  at: number,
  length: number,
  before: Before,
  previousCrc: number,
  records: readonly NewRecord[],
  hardState: HardState,
): Step {
  const end = endBehind(before.end, records);
  const number = before.number + 1;
  return { at: at + length, before: { ...before, number, previousCrc, end, hardState } };
}
