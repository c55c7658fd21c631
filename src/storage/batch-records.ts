/** What stands in a batch as records, and how a durable one is entered into the index. */
import { isConfChange } from "../raft/conf-change.ts";
import type { Entry } from "../raft/types.ts";
import type { NewRecord } from "./batch.ts";
import { BATCH_HEADER_BYTES, RECORD_HEADER_BYTES, RecordType } from "./format.ts";
import { BLOCK_BYTES, type LogIndex } from "./log-index.ts";
import type { LogBatch } from "./storage.ts";

export function placed(record: NewRecord): PlacedRecord {
  const { type, entryType, index, term, payload } = record;
  return { type, entryType, index, term, payloadBytes: payload.length };
}

export function recordsOf(batch: LogBatch): NewRecord[] {
  const records: NewRecord[] = [];
  const none = new Uint8Array(0);
  if (batch.truncateAfter !== undefined) {
    const index = batch.truncateAfter;
    records.push({ type: RecordType.TRUNCATE, entryType: 0, index, term: 0, payload: none });
  }
  for (const { index, term, type, data } of batch.entries) {
    records.push({ type: RecordType.ENTRY, entryType: type, index, term, payload: data });
  }
  if (batch.checkpoint !== undefined) {
    const { index, term, data } = batch.checkpoint;
    records.push({ type: RecordType.CHECKPOINT, entryType: 0, index, term, payload: data });
  }
  return records;
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
