/** What stands in a batch as records, and how a durable one is entered into the index. */
import { isConfChange } from "../raft/conf-change.ts";
import type { Entry } from "../raft/types.ts";
import type { NewRecord } from "./batch.ts";
import {
  BATCH_HEADER_BYTES,
  type LogEnd,
  RECORD_HEADER_BYTES,
  RecordType,
  readU64,
  writeU64,
} from "./format.ts";
import { BLOCK_BYTES, type LogIndex } from "./log-index.ts";
import type { LogBatch } from "./storage.ts";

const CUT_BYTES = 8;

export function placed(record: NewRecord): PlacedRecord {
  const { type, entryType, index, term, payload } = record;
  return { type, entryType, index, term, payloadBytes: payload.length };
}

/** `index` knows the log that the batch is appended to. */
export function recordsOf(batch: LogBatch, index: LogIndex): NewRecord[] {
  const records: NewRecord[] = [];
  if (batch.truncateAfter !== undefined) records.push(cutRecord(index.endAt(batch.truncateAfter)));
  for (const { index, term, type, data } of batch.entries) {
    records.push({ type: RecordType.ENTRY, entryType: type, index, term, payload: data });
  }
  if (batch.checkpoint !== undefined) {
    const { index, term, data } = batch.checkpoint;
    records.push({ type: RecordType.CHECKPOINT, entryType: 0, index, term, payload: data });
  }
  return records;
}

/** The log ends so from here on, until entries follow. */
export function cutRecord({ lastIndex, lastTerm, lastChange }: LogEnd): NewRecord {
  const payload = new Uint8Array(CUT_BYTES);
  writeU64(payload, 0, lastChange);
  return { type: RecordType.TRUNCATE, entryType: 0, index: lastIndex, term: lastTerm, payload };
}

/** What the log ends with behind these records, if it ended with `before`. */
export function endBehind(before: LogEnd, records: Iterable<NewRecord>): LogEnd {
  let { lastIndex, lastTerm, lastChange } = before;
  for (const { type, entryType, index, term, payload } of records) {
    if (type !== RecordType.ENTRY && type !== RecordType.TRUNCATE) continue;
    lastIndex = index;
    lastTerm = term;
    if (type === RecordType.TRUNCATE)
      lastChange = payload.length === CUT_BYTES ? readU64(payload, 0) : 0;
    else if (isConfChange(entryType as Entry["type"])) lastChange = index;
  }
  return { lastIndex, lastTerm, lastChange };
}

/** What the index needs to know of a record that stands in a batch. */
export interface PlacedRecord {
  readonly type: RecordType;
  readonly entryType: number;
  readonly index: number;
  readonly term: number;
  readonly payloadBytes: number;
}

/** Enters a durable batch into the index; returns the cuts it made. */
export function indexBatch(
  index: LogIndex,
  segment: number,
  at: number,
  end: number,
  records: readonly PlacedRecord[],
): number[] {
  const cuts: number[] = [];
  const large = end - at > BLOCK_BYTES;
  let first = 0;
  let last = 0;
  let from = at + BATCH_HEADER_BYTES;
  let to = from;
  for (const record of records) {
    const start = to;
    to += RECORD_HEADER_BYTES + record.payloadBytes;
    if (record.type === RecordType.TRUNCATE) {
      index.truncateAfter(record.index);
      cuts.push(record.index);
    } else if (record.type === RecordType.ENTRY) {
      if (first === 0) {
        first = record.index;
        from = start;
      }
      last = record.index;
      index.addTerm(record.index, record.term);
      if (isConfChange(record.entryType as Entry["type"])) index.addChange(record.index);
      if (!large || to - from < BLOCK_BYTES) continue;
      index.addRecords(segment, from, to, first, last);
      first = 0;
    }
  }
  if (first > 0 && large) index.addRecords(segment, from, to, first, last);
  else if (first > 0) index.addBatch(segment, at, end, first, last);
  else index.addOther();
  return cuts;
}
