/**
 * Reading a segment batch by batch: at start for the active segment, for a sealed one whose index
 * is lost, and by `binraft log verify` for all. Decides between torn and corrupt:
 *
 *   torn      the last batch, with sectors that were never written. Its sync had not returned,
 *             so nothing in it was acknowledged: it is cut and the log goes on.
 *   damage    everything else, and anything ambiguous. Where the batch's record headers are whole,
 *             or a later batch proves that its entries were committed, the range is known and the
 *             rest can be used. Otherwise hard state or the log's end may be lost with it.
 *
 * The next whole batch behind a lost one says what the log ended with before it: up to which entry
 * the loss goes, of which term that is, and whether the members were changed in it (format.ts).
 *
 * A batch that is lost may have cut off entries before it and written others in their place. Not if the
 * last entry behind it is of the term of the last one before it: the leader of that term has both, and
 * never cut its log. Else what was not known as committed before it counts as lost, too; and since
 * nobody knows the terms of what is lost then, a later batch must know that as committed.
 */
import type { DiskFile } from "../platform/disk.ts";
import { judgeBatch, type ReadRecord } from "./batch.ts";
import { cutDamage } from "./damage.ts";
import { readReadable } from "./files.ts";
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  type Crc32,
  isZero,
  type LogEnd,
  RecordType,
  readBatchHeader,
  SECTOR_BYTES,
  SEGMENT_HEADER_BYTES,
} from "./format.ts";
import type { DamagedRange } from "./storage.ts";

export interface ScannedBatch {
  readonly at: number;
  readonly end: number;
  readonly header: BatchHeader;
  readonly records: readonly ReadRecord[];
  /** The bytes that `ReadRecord.at` counts in: valid during the call. */
  readonly bytes: Uint8Array;
  readonly crc: number;
}

export interface ScanEnd {
  /** Where the next batch would stand. */
  readonly end: number;
  /** Bytes behind `end` that are not zero: [end, until) was torn. 0 when there are none. */
  readonly tornUntil: number;
  /** Set when the scan ended at something that may have held hard state or the log's end. */
  readonly corrupt: string | null;
  readonly damage: readonly DamagedRange[];
}

const WINDOW_BYTES = 4 * 1024 * 1024;

/** A window that slides over the file: one buffer, so that memory stays bounded whatever the size. */
export class Window {
  readonly #file: DiskFile;
  readonly size: number;
  #buffer: Uint8Array = new Uint8Array(0);
  #at = 0;
  bytes: Uint8Array = this.#buffer;

  constructor(file: DiskFile, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** The offset of `position` in `bytes`, with `length` bytes there unless the file ends before. */
  async at(position: number, length: number): Promise<number> {
    const left = Math.max(0, this.size - position);
    const wanted = Math.min(length, left);
    const offset = position - this.#at;
    if (offset >= 0 && offset + wanted <= this.bytes.length) return offset;
    const fill = Math.min(Math.max(WINDOW_BYTES, wanted), left);
    if (fill > this.#buffer.length) this.#buffer = new Uint8Array(fill);
    const read = await readReadable(this.#file, position, this.#buffer.subarray(0, fill));
    this.bytes = this.#buffer.subarray(0, read);
    this.#at = position;
    return 0;
  }
}

/** What is known of the log before a segment. */
export interface ScanStart {
  /** Of the first batch. */
  readonly number: number;
  /** The CRC that it must chain to. */
  readonly previousCrc: number;
  readonly end: LogEnd;
  readonly commit: number;
}

/**
 * Calls `visit` for every whole or payload-damaged batch in order. Calls `lose` where the entries behind
 * `after` are lost, up to what the log ended with then, `end`; some of them may have been visited.
 */
export async function scanSegment(
  file: DiskFile,
  expected: ScanStart,
  crc32: Crc32,
  visit: (batch: ScannedBatch) => void,
  lose: (after: number, end: LogEnd) => void = () => {},
): Promise<ScanEnd> {
  const window = new Window(file, await file.size());
  const damage: DamagedRange[] = [];
  let { number, previousCrc, commit } = expected;
  let { lastIndex, lastTerm } = expected.end;
  let at = SEGMENT_HEADER_BYTES;
  let chained = true;
  for (;;) {
    let offset = await window.at(at, BATCH_HEADER_BYTES);
    const header = readBatchHeader(window.bytes, offset, crc32);
    if (header !== null) offset = await window.at(at, header.length);
    const verdict = judgeBatch(window.bytes, offset, crc32);
    const wrong =
      header !== null &&
      (header.number !== number || (chained && header.previousCrc !== previousCrc));
    if ((verdict.kind === "whole" || verdict.kind === "payload-damage") && !wrong) {
      for (const record of verdict.records) {
        if (record.type === RecordType.TRUNCATE) cutDamage(damage, record.index);
        // A checkpoint that is lost costs no entry: there is an older one.
        if (record.whole || record.type !== RecordType.ENTRY) continue;
        const why = `payload at ${at} does not match its CRC`;
        damage.push({ fromIndex: record.index, toIndex: record.index, why });
      }
      const batch = {
        at,
        end: at + verdict.header.length,
        header: verdict.header,
        crc: verdict.crc,
      };
      visit({ ...batch, records: verdict.records.map((r) => r), bytes: window.bytes });
      for (const record of verdict.records) {
        if (record.type !== RecordType.ENTRY) continue;
        lastIndex = record.index;
        lastTerm = record.term;
      }
      commit = verdict.header.hardState.commit;
      number = verdict.header.number + 1;
      previousCrc = verdict.crc;
      chained = true;
      at = batch.end;
      continue;
    }
    const extent = await lastNonZero(window, at);
    // The usual end: nothing was ever written from here on.
    if (extent === at) return { end: at, tornUntil: 0, corrupt: null, damage };
    const why =
      verdict.kind === "corrupt"
        ? verdict.why
        : wrong
          ? "it is not the next batch"
          : "sectors are missing";
    const later = await findLaterBatch(window, at + SECTOR_BYTES, number, crc32);
    if (later !== null) {
      const { before: end } = later.header;
      // A batch is written only after the one before was synced: what is lost here was durable.
      const isBehind = end.lastIndex >= lastIndex && later.header.number > number;
      const sameTerm = end.lastTerm === lastTerm && (lastTerm > 0 || lastIndex === 0);
      if (isBehind && (sameTerm || (await isCommitted(window, later, end.lastIndex, crc32)))) {
        const after = sameTerm ? lastIndex : Math.min(lastIndex, commit);
        cutDamage(damage, after);
        lose(after, end);
        if (end.lastIndex > after) {
          const lost = { fromIndex: after + 1, toIndex: end.lastIndex };
          damage.push({ ...lost, why: `batch at ${at}: ${why}` });
        }
        at = later.at;
        number = later.header.number;
        ({ lastIndex, lastTerm } = end);
        chained = false;
        continue;
      }
      return {
        end: at,
        tornUntil: 0,
        corrupt: `batch ${number} at ${at}: ${why}, and later ones follow`,
        damage,
      };
    }
    if (verdict.kind === "incomplete" && !wrong)
      return { end: at, tornUntil: extent, corrupt: null, damage };
    return { end: at, tornUntil: 0, corrupt: `batch ${number} at ${at}: ${why}`, damage };
  }
}

interface LaterBatch {
  readonly at: number;
  readonly header: BatchHeader;
}

/** Whether a batch from `first` on knows the entry `index` as committed. */
async function isCommitted(
  window: Window,
  first: LaterBatch,
  index: number,
  crc32: Crc32,
): Promise<boolean> {
  for (let batch: LaterBatch | null = first; batch !== null; ) {
    const { header, at } = batch;
    if (header.hardState.commit >= index) return true;
    batch = await findLaterBatch(window, at + header.length, header.number + 1, crc32);
  }
  return false;
}

/** The first whole batch beyond `from` with a higher number. */
async function findLaterBatch(
  window: Window,
  from: number,
  number: number,
  crc32: Crc32,
): Promise<LaterBatch | null> {
  for (let at = from; at < window.size; at += SECTOR_BYTES) {
    let offset = await window.at(at, BATCH_HEADER_BYTES);
    const header = readBatchHeader(window.bytes, offset, crc32);
    if (header === null || header.number < number) continue;
    offset = await window.at(at, header.length);
    const verdict = judgeBatch(window.bytes, offset, crc32);
    if (verdict.kind === "whole" || verdict.kind === "payload-damage") {
      return { at, header };
    }
  }
  return null;
}

/** Four bytes at a time: an active segment is mostly zeros, and start waits for this. */
function isZeroSector(bytes: Uint8Array, at: number, length: number): boolean {
  const start = bytes.byteOffset + at;
  if (start % 4 !== 0 || length % 4 !== 0) return isZero(bytes, at, length);
  const words = new Int32Array(bytes.buffer, start, length / 4);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

/** End of the last sector at or after `from` that is not zero; `from` when all are. */
async function lastNonZero(window: Window, from: number): Promise<number> {
  let last = from;
  for (let at = from; at < window.size; at += SECTOR_BYTES) {
    const offset = await window.at(at, SECTOR_BYTES);
    const length = Math.min(SECTOR_BYTES, window.bytes.length - offset);
    if (length <= 0) break;
    if (!isZeroSector(window.bytes, offset, length)) last = at + length;
  }
  return last;
}
