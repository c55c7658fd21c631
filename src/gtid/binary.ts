/**
 * GTID sets in bytes, as COM_BINLOG_DUMP_GTID and PREVIOUS_GTIDS events carry them (manual,
 * "COM_BINLOG_DUMP_GTID", "Previous_gtids_event"):
 *
 *   format 0   u64 sids                  { uuid[16]                     u64 n, n × { u64 first, u64 end } }
 *   format 1   01 u48 sids 01            { uuid[16] varlen tag length, tag, u64 n, n × { … } }
 *
 * `end` is exclusive. Format 1 (MySQL 8.3 and later) is written only when a set holds a tag; byte 7
 * tells the two apart, since no real count reaches it. The tag's length is at most 32, so that its
 * varlen form is one byte, length << 1.
 *
 * Every count is checked against the bytes that are there before anything is kept, so a count of
 * 2^64 intervals costs nothing.
 */
import { ByteReader, ByteWriter, decodeText, MalformedBytes } from "../base/bytes.ts";
import { GtidSet } from "./gtid-set.ts";
import { IntervalList, MAX_GNO } from "./interval-list.ts";
import {
  isTag,
  makeSid,
  sidTag,
  sidUuid,
  TAG_MAX_LENGTH,
  UUID_BYTES,
  uuidFromBytes,
  uuidToBytes,
} from "./sid.ts";

export { uuidFromBytes, uuidToBytes } from "./sid.ts";

const INTERVAL_BYTES = 16;
const COUNT_BYTES = 8;

/** What a MySQL server answers with error 1773. */
export class MalformedGtidSet extends Error {
  constructor(what: string) {
    super(`Malformed GTID set encoding: ${what}`);
    this.name = "MalformedGtidSet";
  }
}

/** "untagged" writes format 0 without the tagged sids; "auto" writes all, in format 1 if needed. */
export function encodeGtidSet(set: GtidSet, mode: "untagged" | "auto"): Uint8Array {
  const all = set.sids();
  const untagged = all.filter((sid) => sidTag(sid) === "");
  const sids = mode === "untagged" ? untagged : all;
  const tagged = sids.length > untagged.length;
  const writer = new ByteWriter(64);
  if (tagged)
    writer
      .u8(1)
      .u24(sids.length)
      .u24(Math.floor(sids.length / 0x1000000))
      .u8(1);
  else writer.u64(sids.length);
  for (const sid of sids) {
    writer.raw(uuidToBytes(sidUuid(sid)));
    const tag = sidTag(sid);
    if (tagged) writer.u8(tag.length << 1).text(tag);
    const intervals = set.intervals(sid);
    writer.u64(intervals.length);
    for (const { first, last } of intervals) writer.u64(first).u64(last + 1n);
  }
  return writer.finish();
}

/** Reads both formats. Bytes left over are an error. Throws `MalformedGtidSet`. */
export function decodeGtidSet(bytes: Uint8Array): GtidSet {
  const steps = decodeGtidSetInSteps(bytes);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Intervals and sids between two steps: one or two milliseconds. */
export const INTERVALS_PER_STEP = 10_000;

/** The same for sets of any size: whoever drives it can let others run between the steps. */
export function* decodeGtidSetInSteps(bytes: Uint8Array): Generator<void, GtidSet> {
  try {
    const reader = new ByteReader(bytes);
    const { tagged, count } = readHeader(reader);
    const lists = new Map<string, IntervalList>();
    for (let i = 0; i < count; i++) {
      const sid = readSid(reader, tagged);
      // A server merges a repeated sid, but none writes one; merging would be quadratic.
      if (lists.has(sid)) throw new MalformedGtidSet(`"${sid}" occurs twice`);
      lists.set(sid, yield* readIntervals(reader, sid));
      if (i % INTERVALS_PER_STEP === INTERVALS_PER_STEP - 1) yield;
    }
    reader.expectEnd("GTID set");
    return GtidSet.fromLists(lists);
  } catch (error) {
    if (error instanceof MalformedBytes) throw new MalformedGtidSet(error.message);
    throw error;
  }
}

function readHeader(reader: ByteReader): { tagged: boolean; count: number } {
  const header = reader.take(COUNT_BYTES, "number of sids");
  const format = header[7]!;
  if (format > 1) throw new MalformedGtidSet(`unknown format ${format}`);
  const tagged = format === 1;
  const counts = new ByteReader(header);
  if (tagged && counts.u8() !== 1) throw new MalformedGtidSet("format bytes differ");
  const low = counts.u24();
  const count = low + 0x1000000 * (tagged ? counts.u24() : counts.u32());
  const entryBytes = UUID_BYTES + COUNT_BYTES + (tagged ? 1 : 0);
  if (count > reader.remaining / entryBytes) {
    throw new MalformedGtidSet(`${count} sids in ${reader.remaining} bytes`);
  }
  return { tagged, count };
}

function readSid(reader: ByteReader, tagged: boolean): string {
  const uuid = uuidFromBytes(reader.take(UUID_BYTES, "uuid"));
  if (!tagged) return uuid;
  const lengthByte = reader.u8("tag length");
  const length = lengthByte >> 1;
  if ((lengthByte & 1) !== 0 || length > TAG_MAX_LENGTH) {
    throw new MalformedGtidSet(`tag length byte ${lengthByte}`);
  }
  const tag = decodeText(reader.take(length, "tag"));
  if (tag !== "" && !isTag(tag)) throw new MalformedGtidSet("not a tag");
  return makeSid(uuid, tag);
}

/** Sorted, with gaps between, as a server demands it (error 1773 otherwise). */
function* readIntervals(reader: ByteReader, sid: string): Generator<void, IntervalList> {
  const count = reader.u64("number of intervals");
  if (count > BigInt(Math.floor(reader.remaining / INTERVAL_BYTES))) {
    throw new MalformedGtidSet(`${count} intervals in ${reader.remaining} bytes`);
  }
  const list = new IntervalList();
  let lastEnd = 0n;
  for (let i = 0; i < Number(count); i++) {
    const first = reader.u64("interval start");
    const end = reader.u64("interval end");
    if (first <= lastEnd || end <= first || end > MAX_GNO + 1n) {
      throw new MalformedGtidSet(`interval ${first} to ${end} of "${sid}"`);
    }
    list.firsts.push(first);
    list.lasts.push(end - 1n);
    lastEnd = end;
    if (i % INTERVALS_PER_STEP === INTERVALS_PER_STEP - 1) yield;
  }
  return list;
}
