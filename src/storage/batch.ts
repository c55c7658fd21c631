/**
 * Putting a batch together, and judging one that was read (layout: format.ts).
 */
import { readU32, writeU32 } from "../base/bytes.ts";
import type { HardState } from "../raft/types.ts";
import {
  BATCH_CRC_AT,
  BATCH_HEADER_BYTES,
  type BatchHeader,
  type Crc32,
  isZero,
  type LogEnd,
  RECORD_CRC_AT,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  type RecordType,
  readBatchHeader,
  readRecordHeader,
  readTrailer,
  SECTOR_BYTES,
  TRAILER_BYTES,
  writeBatchHeader,
  writeRecordHeader,
  writeTrailer,
} from "./format.ts";

export interface NewRecord {
  readonly type: RecordType;
  readonly entryType: number;
  readonly index: number;
  readonly term: number;
  readonly payload: Uint8Array;
}

/** An upper bound of the bytes that a batch of these records takes. */
export function batchSizeBound(records: readonly NewRecord[]): number {
  let bytes = BATCH_HEADER_BYTES + TRAILER_BYTES;
  for (const record of records) bytes += RECORD_HEADER_BYTES + record.payload.length;
  // In the worst case every other sector is zero and named by eight bytes.
  return roundUp(bytes + Math.ceil(bytes / SECTOR_BYTES / 2) * 8 + SECTOR_BYTES);
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}

const PADDING = 0xff;

export interface AssembledBatch {
  /** In the scratch buffer: valid until the next batch is assembled. */
  readonly bytes: Uint8Array;
  /** Chains the next batch to this one. */
  readonly crc: number;
}

/** Assembles batches in a buffer that is used again and again. */
export class BatchAssembler {
  readonly #crc32: Crc32;
  #scratch = new Uint8Array(64 * 1024);

  constructor(crc32: Crc32) {
    this.#crc32 = crc32;
  }

  assemble(
    records: readonly NewRecord[],
    number: number,
    previousCrc: number,
    before: LogEnd,
    hardState: HardState,
  ): AssembledBatch {
    const crc32 = this.#crc32;
    const bound = batchSizeBound(records);
    if (bound > this.#scratch.length) this.#scratch = new Uint8Array(Math.ceil(bound * 1.25));
    const out = this.#scratch;
    let at = BATCH_HEADER_BYTES;
    for (const record of records) {
      const { type, entryType, index, term, payload } = record;
      const header = {
        type,
        entryType,
        length: payload.length,
        index,
        term,
        payloadCrc: crc32(payload),
      };
      writeRecordHeader(out, at, header, crc32);
      out.set(payload, at + RECORD_HEADER_BYTES);
      at += RECORD_HEADER_BYTES + payload.length;
    }
    const recordBytes = at - BATCH_HEADER_BYTES;
    const zeros = zeroSectors(out, at);
    const length = roundUp(at + zeros.length * 4 + TRAILER_BYTES);
    const listAt = length - TRAILER_BYTES - zeros.length * 4;
    // Not zeros: the sector in which the records end must show that it was written.
    out.fill(PADDING, at, length);
    for (let i = 0; i < zeros.length; i++) writeU32(out, listAt + i * 4, zeros[i]!);
    const header = {
      length,
      records: records.length,
      number,
      previousCrc,
      recordBytes,
      before,
      hardState,
    };
    writeBatchHeader(out, header, crc32);
    let crc = crc32(out.subarray(0, BATCH_CRC_AT));
    for (let r = BATCH_HEADER_BYTES, i = 0; i < records.length; i++) {
      crc = crc32(out.subarray(r, r + RECORD_CRC_AT), crc);
      r += RECORD_HEADER_BYTES + records[i]!.payload.length;
    }
    const listCrc = crc32(out.subarray(listAt, length - TRAILER_BYTES));
    const trailer = { zeroRanges: zeros.length / 2, number, headersCrc: crc, listCrc };
    writeTrailer(out, length - TRAILER_BYTES, trailer, crc32);
    return { bytes: out.subarray(0, length), crc };
  }
}

/** Pairs (first sector, count) of whole sectors below `end` that hold only zeros. */
function zeroSectors(bytes: Uint8Array, end: number): number[] {
  const ranges: number[] = [];
  const last = Math.floor(end / SECTOR_BYTES);
  // Sector 0 holds the header.
  for (let sector = 1; sector < last; sector++) {
    const at = sector * SECTOR_BYTES;
    if (bytes[at] !== 0 || bytes[at + SECTOR_BYTES - 1] !== 0) continue;
    if (!isZero(bytes, at, SECTOR_BYTES)) continue;
    const before = ranges.length - 2;
    if (before >= 0 && ranges[before]! + ranges[before + 1]! === sector) ranges[before + 1]!++;
    else ranges.push(sector, 1);
  }
  return ranges;
}

export interface ReadRecord extends RecordHeader {
  /** Where the payload stands in the bytes given. */
  readonly at: number;
  /** False when the payload does not match its CRC: identity known, content lost. */
  readonly whole: boolean;
}

export type BatchVerdict =
  | {
      readonly kind: "whole";
      readonly header: BatchHeader;
      readonly records: ReadRecord[];
      readonly crc: number;
    }
  /** All record headers are intact, some payload is not. */
  | {
      readonly kind: "payload-damage";
      readonly header: BatchHeader;
      readonly records: ReadRecord[];
      readonly crc: number;
    }
  /** Sectors were never written. Torn if nothing follows. */
  | { readonly kind: "incomplete"; readonly header: BatchHeader | null }
  /** Complete, and wrong: nobody can say what it held. */
  | { readonly kind: "corrupt"; readonly header: BatchHeader | null; readonly why: string };

/** Judges the batch at `at`; `bytes` reach at least to its end if its header is intact. */
export function judgeBatch(bytes: Uint8Array, at: number, crc32: Crc32): BatchVerdict {
  const header = readBatchHeader(bytes, at, crc32);
  if (header === null) {
    const sector = Math.min(SECTOR_BYTES, bytes.length - at);
    return isZero(bytes, at, sector)
      ? { kind: "incomplete", header: null }
      : { kind: "corrupt", header: null, why: "its header is damaged" };
  }
  if (at + header.length > bytes.length) return { kind: "incomplete", header };
  const end = at + header.length;
  if (isZero(bytes, end - SECTOR_BYTES, SECTOR_BYTES)) return { kind: "incomplete", header };
  const trailer = readTrailer(bytes, end - TRAILER_BYTES, crc32);
  if (trailer === null || trailer.number !== header.number) {
    return { kind: "corrupt", header, why: "its trailer is damaged" };
  }
  const torn = unwrittenSector(bytes, at, header, trailer.zeroRanges, trailer.listCrc, crc32);
  if (torn !== null)
    return torn
      ? { kind: "incomplete", header }
      : { kind: "corrupt", header, why: "its list of zero sectors is damaged" };
  let crc = crc32(bytes.subarray(at, at + BATCH_CRC_AT));
  const records: ReadRecord[] = [];
  let r = at + BATCH_HEADER_BYTES;
  const recordsEnd = r + header.recordBytes;
  let whole = true;
  for (let i = 0; i < header.records; i++) {
    const record = readRecordHeader(bytes, r, recordsEnd, crc32);
    if (record === null)
      return { kind: "corrupt", header, why: `the header of record ${i} is damaged` };
    crc = crc32(bytes.subarray(r, r + RECORD_CRC_AT), crc);
    const payloadAt = r + RECORD_HEADER_BYTES;
    const good = crc32(bytes.subarray(payloadAt, payloadAt + record.length)) === record.payloadCrc;
    whole &&= good;
    records.push({ ...record, at: payloadAt, whole: good });
    r = payloadAt + record.length;
  }
  if (r !== recordsEnd || crc !== trailer.headersCrc) {
    return { kind: "corrupt", header, why: "its records are not those it was written with" };
  }
  return { kind: whole ? "whole" : "payload-damage", header, records, crc };
}

/** Records that stand one behind the other, outside of their batch; null when one is not intact. */
export function readRecords(
  bytes: Uint8Array,
  crc32: Crc32,
): { records: readonly ReadRecord[]; bytes: number } | null {
  const records: ReadRecord[] = [];
  for (let r = 0; r < bytes.length; ) {
    const record = readRecordHeader(bytes, r, bytes.length, crc32);
    if (record === null) return null;
    const at = r + RECORD_HEADER_BYTES;
    const whole = crc32(bytes.subarray(at, at + record.length)) === record.payloadCrc;
    records.push({ ...record, at, whole });
    r = at + record.length;
  }
  return { records, bytes: bytes.length };
}

/**
 * True when a sector is zero that was not written as zero, false when the list that says so is
 * damaged itself, null when all is accounted for.
 */
function unwrittenSector(
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  ranges: number,
  listCrc: number,
  crc32: Crc32,
): boolean | null {
  const listEnd = at + header.length - TRAILER_BYTES;
  const listAt = listEnd - ranges * 8;
  if (listAt < at + BATCH_HEADER_BYTES + header.recordBytes) return false;
  const listGood = crc32(bytes.subarray(listAt, listEnd)) === listCrc;
  const named = new Set<number>();
  if (listGood) {
    for (let i = 0; i < ranges; i++) {
      const first = readU32(bytes, listAt + i * 8);
      const count = readU32(bytes, listAt + i * 8 + 4);
      if (count > header.length / SECTOR_BYTES) return false;
      for (let s = first; s < first + count; s++) named.add(s);
    }
  }
  const sectors = header.length / SECTOR_BYTES;
  for (let sector = 0; sector < sectors; sector++) {
    if (named.has(sector)) continue;
    const from = sector * SECTOR_BYTES;
    if (isZero(bytes, at + from, SECTOR_BYTES)) return true;
  }
  return listGood ? null : false;
}
