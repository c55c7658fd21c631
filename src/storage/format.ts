/**
 * Bytes of the log on disk. Every structure carries a format number; a node stops at one that it
 * does not know. Checksums are CRC-32 (zlib). Integers are little-endian.
 *
 *   segment   [ header 4 KiB ][ the same again ][ batch ][ batch ] … zeros to the end
 *
 *   header    "BINRAFT\0" · u32 format · u32 crc · u64 segment id · u64 first index
 *             u64 first batch · u32 previous batch's crc · u64 term · u64 vote · u64 commit
 *             u64 last term · u64 last change: of the log before it
 *             16 disk uuid · 16 cluster id · u64 raft id                    crc covers all after it
 *
 *   batch     what one durable write holds; begins at a multiple of 512
 *             header 88 bytes · records · ff … · list of zero sectors · trailer 32 bytes
 *
 *   batch header   u32 magic · u32 format · u32 length (of all, a multiple of 512) · u32 records
 *                  u64 number · u32 previous batch's crc · u32 record bytes
 *                  u64 term · u64 vote · u64 commit
 *                  u64 last index · u64 last term · u64 last change: of the log before it
 *                  u32 0 · u32 crc of the 84 bytes before
 *   record         header 32 bytes · payload
 *   record header  u8 type · u8 format · u8 entry type · u8 0 · u32 length · u64 index · u64 term
 *                  u32 payload crc · u32 crc of the 28 bytes before
 *                  a cut (TRUNCATE) has the term of the entry that becomes the last one, and as its
 *                  payload the u64 last change up to there
 *   zero list      (u32 first sector of the batch, u32 count) each: sectors that are all zero
 *                  though they were written
 *   trailer        u32 magic · u32 ranges in the list · u64 number · u32 crc of the batch
 *                  u32 crc of the list · u32 0 · u32 crc of the 28 bytes before
 *
 * What the log held before a batch (LogEnd) is what a batch that is lost in front of it takes along
 * otherwise: of which term the last entry is, and whether the members were changed. Votes and
 * elections are safe only when both are known.
 *
 * The crc of a batch is over the 84 bytes of its header and the 28 of each record header that their
 * own CRCs cover, without those: bytes with their CRC behind them have a CRC that is the same for all.
 * By the payloads' CRCs and that of the batch before, it stands for all that was ever written.
 *
 * A sector of 512 bytes belongs to one batch only, and the last sector of a batch is never zero.
 * So an unwritten sector shows, and what shows is not an acknowledged byte (recovery.ts).
 */
import { ByteReader, ByteWriter, MalformedBytes, readU32, writeU32 } from "../base/bytes.ts";
import type { HardState } from "../raft/types.ts";

/**
 * 1: the CRC of a batch covered its headers with their own CRCs, which says nothing of them.
 * 2: a batch did not say of which term the entry before it was, nor where the members last changed.
 * 3: commands and what a checkpoint holds of the settings were JSON.
 */
export const FORMAT = 4;
export const SECTOR_BYTES = 512;
export const SEGMENT_HEADER_BYTES = 8192;
const HEADER_COPY_BYTES = 4096;
export const BATCH_HEADER_BYTES = 88;
export const BATCH_CRC_AT = 84;
export const RECORD_HEADER_BYTES = 32;
export const RECORD_CRC_AT = 28;
export const TRAILER_BYTES = 32;
const BATCH_MAGIC = 0x42_52_42_31;
const TRAILER_MAGIC = 0x54_52_42_31;
const SEGMENT_MAGIC = "BINRAFT\0";

export const RecordType = { ENTRY: 1, TRUNCATE: 2, CHECKPOINT: 3, INDEX: 4 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

export type Crc32 = (bytes: Uint8Array, previous?: number) => number;

/** What a log ends with. */
export interface LogEnd {
  readonly lastIndex: number;
  /** 0 where it is not known. */
  readonly lastTerm: number;
  /** The newest entry that changes the members; 0: there is none. */
  readonly lastChange: number;
}

export interface SegmentHeader {
  readonly segmentId: number;
  readonly firstIndex: number;
  readonly firstBatch: number;
  readonly previousBatchCrc: number;
  readonly hardState: HardState;
  /** Of the log before this segment; its last index is the one before `firstIndex`. */
  readonly before: LogEnd;
  readonly diskUuid: Uint8Array;
  readonly clusterId: Uint8Array;
  readonly raftId: number;
}

export function encodeSegmentHeader(header: SegmentHeader, crc32: Crc32): Uint8Array {
  const body = new ByteWriter(256);
  body.u64(header.segmentId).u64(header.firstIndex).u64(header.firstBatch);
  body.u32(header.previousBatchCrc);
  body.u64(header.hardState.term).u64(header.hardState.vote).u64(header.hardState.commit);
  body.u64(header.before.lastTerm).u64(header.before.lastChange);
  body.raw(header.diskUuid).raw(header.clusterId).u64(header.raftId);
  const covered = body.finish();
  const copy = new ByteWriter(HEADER_COPY_BYTES);
  copy.text(SEGMENT_MAGIC).u32(FORMAT).u32(crc32(covered)).raw(covered);
  const both = new Uint8Array(SEGMENT_HEADER_BYTES);
  both.set(copy.finish(), 0);
  both.set(copy.finish(), HEADER_COPY_BYTES);
  return both;
}

/** From the first whole copy. Throws MalformedBytes when both are damaged. */
export function decodeSegmentHeader(bytes: Uint8Array, crc32: Crc32): SegmentHeader {
  let failure: unknown = new MalformedBytes("segment header", 0);
  for (const at of [0, HEADER_COPY_BYTES]) {
    try {
      return decodeHeaderCopy(new ByteReader(bytes, at, at + HEADER_COPY_BYTES), crc32);
    } catch (error) {
      if (error instanceof UnknownFormat) throw error;
      failure = error;
    }
  }
  throw failure;
}

function decodeHeaderCopy(reader: ByteReader, crc32: Crc32): SegmentHeader {
  if (reader.text(8, "magic") !== SEGMENT_MAGIC) reader.fail("segment magic");
  const format = reader.u32("format");
  const crc = reader.u32("crc");
  const coveredAt = reader.offset;
  const segmentId = reader.u64n("segment id");
  const firstIndex = reader.u64n("first index");
  const header = {
    segmentId,
    firstIndex,
    firstBatch: reader.u64n("first batch"),
    previousBatchCrc: reader.u32("previous crc"),
    hardState: readHardState(reader),
    before: {
      lastIndex: firstIndex - 1,
      lastTerm: reader.u64n("last term"),
      lastChange: reader.u64n("last change"),
    },
    diskUuid: reader.take(16, "disk uuid").slice(),
    clusterId: reader.take(16, "cluster id").slice(),
    raftId: reader.u64n("raft id"),
  };
  if (crc32(reader.bytes.subarray(coveredAt, reader.offset)) !== crc) reader.fail("segment crc");
  if (format !== FORMAT) throw new UnknownFormat("segment", format);
  return header;
}

function readHardState(reader: ByteReader): HardState {
  return { term: reader.u64n("term"), vote: reader.u64n("vote"), commit: reader.u64n("commit") };
}

export class UnknownFormat extends Error {
  constructor(what: string, format: number) {
    super(
      `The data directory has a ${what} of format ${format}; this binraft knows format ${FORMAT}: ` +
        (format < FORMAT
          ? "start it with the version that wrote it; or move the directory away and start with an empty one"
          : "start it with the version that wrote it, or a newer one"),
    );
    this.name = "UnknownFormat";
  }
}

/** Whatever stands there, be it damaged. */
export function readHardStateAt(bytes: Uint8Array, at: number): HardState {
  const [term, vote, commit] = [0, 8, 16].map((field) => {
    const value = readU64(bytes, at + field);
    return Number.isSafeInteger(value) ? value : 0;
  });
  return { term: term!, vote: vote!, commit: commit! };
}

export interface BatchHeader {
  readonly length: number;
  readonly records: number;
  readonly number: number;
  readonly previousCrc: number;
  readonly recordBytes: number;
  /** The log when this batch was written: tells what a lost batch before it held. */
  readonly before: LogEnd;
  readonly hardState: HardState;
}

export function writeBatchHeader(into: Uint8Array, header: BatchHeader, crc32: Crc32): void {
  const writer = new ByteWriter(BATCH_HEADER_BYTES);
  writer.u32(BATCH_MAGIC).u32(FORMAT).u32(header.length).u32(header.records);
  writer.u64(header.number).u32(header.previousCrc).u32(header.recordBytes);
  writer.u64(header.hardState.term).u64(header.hardState.vote).u64(header.hardState.commit);
  const { lastIndex, lastTerm, lastChange } = header.before;
  writer.u64(lastIndex).u64(lastTerm).u64(lastChange).u32(0);
  const covered = writer.finish();
  into.set(covered, 0);
  writeU32(into, BATCH_CRC_AT, crc32(covered));
}

/** Null when the bytes are no batch header or a damaged one; throws only for a newer format. */
export function readBatchHeader(bytes: Uint8Array, at: number, crc32: Crc32): BatchHeader | null {
  if (bytes.length - at < BATCH_HEADER_BYTES || readU32(bytes, at) !== BATCH_MAGIC) return null;
  if (crc32(bytes.subarray(at, at + BATCH_CRC_AT)) !== readU32(bytes, at + BATCH_CRC_AT))
    return null;
  const reader = new ByteReader(bytes, at + 4);
  const format = reader.u32();
  if (format !== FORMAT) throw new UnknownFormat("batch", format);
  const header = {
    length: reader.u32(),
    records: reader.u32(),
    number: reader.u64n(),
    previousCrc: reader.u32(),
    recordBytes: reader.u32(),
    hardState: readHardState(reader),
    before: { lastIndex: reader.u64n(), lastTerm: reader.u64n(), lastChange: reader.u64n() },
  };
  const least = BATCH_HEADER_BYTES + header.recordBytes + TRAILER_BYTES;
  if (header.length % SECTOR_BYTES !== 0 || header.length < least) return null;
  return header;
}

export interface RecordHeader {
  readonly type: RecordType;
  readonly entryType: number;
  readonly length: number;
  readonly index: number;
  readonly term: number;
  readonly payloadCrc: number;
}

export function writeRecordHeader(
  into: Uint8Array,
  at: number,
  header: RecordHeader,
  crc32: Crc32,
): void {
  into[at] = header.type;
  into[at + 1] = FORMAT;
  into[at + 2] = header.entryType;
  into[at + 3] = 0;
  writeU32(into, at + 4, header.length);
  writeU64(into, at + 8, header.index);
  writeU64(into, at + 16, header.term);
  writeU32(into, at + 24, header.payloadCrc);
  writeU32(into, at + RECORD_CRC_AT, crc32(into.subarray(at, at + RECORD_CRC_AT)));
}

/** Null when the record's own header is damaged. */
export function readRecordHeader(
  bytes: Uint8Array,
  at: number,
  end: number,
  crc32: Crc32,
): RecordHeader | null {
  if (end - at < RECORD_HEADER_BYTES) return null;
  if (crc32(bytes.subarray(at, at + RECORD_CRC_AT)) !== readU32(bytes, at + RECORD_CRC_AT))
    return null;
  const format = bytes[at + 1]!;
  if (format !== FORMAT) throw new UnknownFormat("record", format);
  const length = readU32(bytes, at + 4);
  if (length > end - at - RECORD_HEADER_BYTES) return null;
  return {
    type: bytes[at]! as RecordType,
    entryType: bytes[at + 2]!,
    length,
    index: readU64(bytes, at + 8),
    term: readU64(bytes, at + 16),
    payloadCrc: readU32(bytes, at + 24),
  };
}

export interface Trailer {
  readonly zeroRanges: number;
  readonly number: number;
  readonly headersCrc: number;
  readonly listCrc: number;
}

export function writeTrailer(into: Uint8Array, at: number, trailer: Trailer, crc32: Crc32): void {
  writeU32(into, at, TRAILER_MAGIC);
  writeU32(into, at + 4, trailer.zeroRanges);
  writeU64(into, at + 8, trailer.number);
  writeU32(into, at + 16, trailer.headersCrc);
  writeU32(into, at + 20, trailer.listCrc);
  writeU32(into, at + 24, 0);
  writeU32(into, at + 28, crc32(into.subarray(at, at + 28)));
}

export function readTrailer(bytes: Uint8Array, at: number, crc32: Crc32): Trailer | null {
  if (at < 0 || bytes.length - at < TRAILER_BYTES || readU32(bytes, at) !== TRAILER_MAGIC)
    return null;
  if (crc32(bytes.subarray(at, at + 28)) !== readU32(bytes, at + 28)) return null;
  return {
    zeroRanges: readU32(bytes, at + 4),
    number: readU64(bytes, at + 8),
    headersCrc: readU32(bytes, at + 16),
    listCrc: readU32(bytes, at + 20),
  };
}

export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value % 0x1_0000_0000);
  writeU32(bytes, at + 4, Math.floor(value / 0x1_0000_0000));
}

export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 0x1_0000_0000;
}

/** True when [at, at + length) holds only zeros. */
export function isZero(bytes: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (bytes[i] !== 0) return false;
  return true;
}
