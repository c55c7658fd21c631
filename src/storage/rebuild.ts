/**
 * Rebuilding a batch of which bytes are lost: what its headers and payloads still say, completed by
 * committed entries of a peer, is put together as it once was, and counts only when a CRC says that
 * it is the very same: the one in the batch's trailer, or the one by which the next batch is chained
 * to it. Both stand for all headers, which stand for all payloads.
 *
 * Of a header that is lost only the hard state cannot be known. It is sought near those of the batch
 * before and the next one; the proof tells when it is found.
 */
import { readU32 } from "../base/bytes.ts";
import type { Entry, HardState } from "../raft/types.ts";
import { BatchAssembler, type NewRecord } from "./batch.ts";
import { cutRecord } from "./batch-records.ts";
import {
  BATCH_CRC_AT,
  BATCH_HEADER_BYTES,
  type BatchHeader,
  type Crc32,
  type LogEnd,
  RECORD_CRC_AT,
  RECORD_HEADER_BYTES,
  RecordType,
  readHardStateAt,
  readRecordHeader,
  readTrailer,
  SECTOR_BYTES,
  TRAILER_BYTES,
  writeBatchHeader,
} from "./format.ts";

/** Entries that are known to be right, and the CRCs of their payloads. */
export type Wanted = ReadonlyMap<number, { readonly entry: Entry; readonly crc: number }>;

/** What stands before a batch. */
export interface Before {
  readonly number: number;
  readonly previousCrc: number;
  readonly end: LogEnd;
  /** What the log would have ended with if it had been cut behind an entry. */
  readonly endAt: (lastIndex: number) => LogEnd;
  readonly hardState: HardState;
}

/** What stands behind it; null for what is not known. */
export interface Behind {
  readonly previousCrc: number | null;
  readonly end: LogEnd | null;
  readonly hardState: HardState | null;
}

export interface Rebuilt {
  /** Valid until the next one is rebuilt. */
  readonly bytes: Uint8Array;
  readonly crc: number;
  readonly records: readonly NewRecord[];
  readonly hardState: HardState;
}

const MOST_HARD_STATES = 4096;
const COUNT_AT = 12;
const HARD_STATE_AT = 32;
/** What a cut that is lost had as its payload. */
const CUT_PAYLOAD_BYTES = 8;

export class BatchRebuilder {
  readonly #crc32: Crc32;
  readonly #wanted: Wanted;
  readonly #assembler: BatchAssembler;

  constructor(wanted: Wanted, crc32: Crc32) {
    this.#wanted = wanted;
    this.#crc32 = crc32;
    this.#assembler = new BatchAssembler(crc32);
  }

  /** `bytes` are all of the batch, as the disk has them; null when there is no proof. */
  rebuild(
    bytes: Uint8Array,
    header: BatchHeader | null,
    before: Before,
    behind: Behind,
  ): Rebuilt | null {
    const trailerAt = bytes.length - TRAILER_BYTES;
    const found = readTrailer(bytes, trailerAt, this.#crc32);
    const trailer = found?.number === before.number ? found : null;
    const proofs = [trailer?.headersCrc, behind.previousCrc].filter((crc) => crc != null);
    if (proofs.length === 0) return null;
    const lastBehind = behind.end?.lastIndex ?? null;
    const records = this.#records(bytes, header, before, lastBehind);
    if (records === null) return null;
    const { number, previousCrc, end } = before;
    const isProved = (crc: number): boolean => proofs.every((proof) => proof === crc);
    const hardState =
      header?.hardState ?? this.#hardState(bytes, records, before, behind, isProved);
    if (hardState === null) return null;
    const whole = this.#assembler.assemble(records, number, previousCrc, end, hardState);
    if (whole.bytes.length !== bytes.length || !isProved(whole.crc)) return null;
    if (trailer !== null && !same(whole.bytes, bytes, trailerAt, TRAILER_BYTES)) return null;
    return { ...whole, records, hardState };
  }

  #records(
    bytes: Uint8Array,
    header: BatchHeader | null,
    before: Before,
    lastBehind: number | null,
  ): NewRecord[] | null {
    const end =
      header === null ? bytes.length - TRAILER_BYTES : BATCH_HEADER_BYTES + header.recordBytes;
    // Without any other word of it the count that stands there is as good as any.
    const count = header?.records ?? (lastBehind === null ? readU32(bytes, COUNT_AT) : null);
    const records: NewRecord[] = [];
    let index = before.end.lastIndex;
    let at = BATCH_HEADER_BYTES;
    while (count === null || records.length < count) {
      const record =
        this.#stored(bytes, at, end) ??
        (count === null && index === lastBehind
          ? "end"
          : this.#lost(bytes, at, end, index, records.length === 0 ? before : null));
      if (record === "end") break;
      if (record === null) return null;
      at += RECORD_HEADER_BYTES + record.payload.length;
      if (at > end) return null;
      if (record.type === RecordType.ENTRY || record.type === RecordType.TRUNCATE)
        index = record.index;
      records.push(record);
    }
    return header === null || at === end ? records : null;
  }

  /** One whose header is whole; undefined when it is not, null when its payload is lost for good. */
  #stored(bytes: Uint8Array, at: number, end: number): NewRecord | null | undefined {
    const header = readRecordHeader(bytes, at, end, this.#crc32);
    if (header === null) return undefined;
    const { type, entryType, index, term, length, payloadCrc } = header;
    const payloadAt = at + RECORD_HEADER_BYTES;
    const stored = bytes.subarray(payloadAt, payloadAt + length);
    if (this.#crc32(stored) === payloadCrc)
      return { type, entryType, index, term, payload: stored };
    const wanted = this.#wanted.get(index);
    if (wanted === undefined || !matches(header, wanted)) return null;
    return { type, entryType, index, term, payload: wanted.entry.data };
  }

  /**
   * One whose header is lost, behind entry `last`: a peer knows it, or, of the first one of the batch, what
   * follows shows that it was a cut.
   */
  #lost(
    bytes: Uint8Array,
    at: number,
    end: number,
    last: number,
    before: Before | null,
  ): NewRecord | null {
    const behindCut = at + RECORD_HEADER_BYTES + CUT_PAYLOAD_BYTES;
    const next = before === null ? null : readRecordHeader(bytes, behindCut, end, this.#crc32);
    if (before !== null && next?.type === RecordType.ENTRY && next.index <= last)
      return cutRecord(before.endAt(next.index - 1));
    const entry = this.#wanted.get(last + 1)?.entry;
    if (entry === undefined) return null;
    const { index, term, type, data } = entry;
    return { type: RecordType.ENTRY, entryType: type, index, term, payload: data };
  }

  #hardState(
    bytes: Uint8Array,
    records: readonly NewRecord[],
    before: Before,
    behind: Behind,
    isProved: (crc: number) => boolean,
  ): HardState | null {
    const { number, previousCrc, end } = before;
    const stored = readHardStateAt(bytes, HARD_STATE_AT);
    const first = this.#assembler.assemble(records, number, previousCrc, end, before.hardState);
    const covered = recordHeaders(first.bytes, records);
    const recordBytes = records.reduce(
      (sum, { payload }) => sum + RECORD_HEADER_BYTES + payload.length,
      0,
    );
    const length = bytes.length;
    const fields = { length, records: records.length, number, previousCrc, recordBytes };
    const head = new Uint8Array(BATCH_HEADER_BYTES);
    for (const hardState of likely(stored, before.hardState, behind)) {
      writeBatchHeader(head, { ...fields, before: end, hardState }, this.#crc32);
      const crc = this.#crc32(covered, this.#crc32(head.subarray(0, BATCH_CRC_AT)));
      if (isProved(crc)) return hardState;
    }
    return null;
  }
}

/** Whether a record is this entry. */
export function matches(
  header: {
    readonly type: RecordType;
    readonly entryType: number;
    readonly term: number;
    readonly length: number;
    readonly payloadCrc: number;
  },
  { entry, crc }: { readonly entry: Entry; readonly crc: number },
): boolean {
  return (
    header.type === RecordType.ENTRY &&
    header.entryType === entry.type &&
    header.term === entry.term &&
    header.length === entry.data.length &&
    header.payloadCrc === crc
  );
}

/** What the batch's CRC covers of the record headers, one behind the other. */
function recordHeaders(bytes: Uint8Array, records: readonly NewRecord[]): Uint8Array {
  const out = new Uint8Array(records.length * RECORD_CRC_AT);
  let at = BATCH_HEADER_BYTES;
  for (const [i, { payload }] of records.entries()) {
    out.set(bytes.subarray(at, at + RECORD_CRC_AT), i * RECORD_CRC_AT);
    at += RECORD_HEADER_BYTES + payload.length;
  }
  return out;
}

/** As it is stored first: another field of the header may be the one that is damaged. */
function* likely(stored: HardState, before: HardState, behind: Behind): Generator<HardState> {
  yield stored;
  const next = behind.hardState ?? before;
  const terms = new Set([before.term, next.term, stored.term]);
  const votes = new Set([before.vote, next.vote, stored.vote]);
  const pairs = [...terms].flatMap((term) => [...votes].map((vote) => ({ term, vote })));
  const known = behind.hardState?.commit ?? behind.end?.lastIndex ?? before.commit;
  const last = Math.min(known, before.commit + MOST_HARD_STATES / pairs.length);
  for (const pair of pairs) {
    yield { ...pair, commit: stored.commit };
    for (let commit = before.commit; commit <= last; commit++) yield { ...pair, commit };
  }
}

/** Calls `differ` for each run of sectors that are not the same. */
export function differences(
  old: Uint8Array,
  now: Uint8Array,
  differ: (at: number, bytes: Uint8Array) => void,
): void {
  let from = -1;
  for (let at = 0; at < now.length; at += SECTOR_BYTES) {
    const length = Math.min(SECTOR_BYTES, now.length - at);
    const isSame = same(old, now, at, length);
    if (!isSame && from < 0) from = at;
    if (isSame && from >= 0) {
      differ(from, now.slice(from, at));
      from = -1;
    }
  }
  if (from >= 0) differ(from, now.slice(from));
}

function same(one: Uint8Array, other: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (one[i] !== other[i]) return false;
  return true;
}
