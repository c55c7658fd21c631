/**
 * The event that opens a transaction: GTID (33), ANONYMOUS_GTID (34) and GTID_TAGGED (42). Only
 * what replication needs is read: the identity, and `transaction_length` where the writer is
 * 8.0.2 or newer. Older GTID events simply end earlier.
 */
import { ByteReader, decodeText, toHex } from "../base/bytes.ts";
import { EVENT_HEADER_BYTES, EventType } from "./event.ts";

export interface GtidEvent {
  /** "uuid" or "uuid:tag", lower case; "" when anonymous. */
  readonly sid: string;
  readonly gno: bigint;
  /** Bytes from this event to the end of the transaction; 0 when the writer does not say. */
  readonly transactionLength: number;
  /** Microseconds since 1970 at the origin; 0 when unknown. */
  readonly originalCommitMicros: number;
}

/** `end` excludes the checksum. */
export function decodeGtidEvent(event: Uint8Array, start: number, end: number): GtidEvent {
  const reader = new ByteReader(event, start + EVENT_HEADER_BYTES, end);
  return event[start + 4] === EventType.GTID_TAGGED ? decodeTagged(reader) : decodeClassic(reader);
}

/**
 *   u8 flags · 16 uuid · i64 gno · [u8 2 · i64 last_committed · i64 sequence_number
 *   · 7 immediate_commit_timestamp (bit 55: original follows) · [7 original]
 *   · lenenc transaction_length · …]
 */
function decodeClassic(reader: ByteReader): GtidEvent {
  const type = reader.bytes[reader.offset - EVENT_HEADER_BYTES + 4];
  reader.skip(1, "GTID flags");
  const uuid = reader.take(16, "GTID uuid");
  const gno = reader.u64("GTID number");
  const anonymous = type === EventType.ANONYMOUS_GTID;
  if (!anonymous && (gno === 0n || gno >= 1n << 63n)) reader.fail(`GTID number ${gno}`);
  let transactionLength = 0;
  let originalCommitMicros = 0;
  if (reader.remaining >= 17 && reader.bytes[reader.offset] === 2) {
    reader.skip(17, "logical timestamps");
    if (reader.remaining >= 7) {
      const immediate = reader.take(7, "commit timestamp");
      const replicated = (immediate[6]! & 0x80) !== 0;
      const original = replicated ? reader.take(7, "original commit timestamp") : immediate;
      originalCommitMicros = micros55(original);
      if (reader.remaining > 0) transactionLength = reader.lenenc("transaction length");
    }
  }
  return { sid: anonymous ? "" : uuidText(uuid), gno, transactionLength, originalCommitMicros };
}

/** MySQL's serialization format: fields in rising id order, each a varlen id and a varlen value. */
function decodeTagged(reader: ByteReader): GtidEvent {
  const version = varlen(reader);
  if (version !== 1n) reader.fail(`tagged GTID of version ${version}`);
  const size = Number(varlen(reader));
  varlen(reader); // the last field that a reader must know
  const uuid = new Uint8Array(16);
  let tag = "";
  let gno = 0n;
  let transactionLength = 0;
  let immediate = 0;
  let original = 0;
  // The payload ends where the header says; what may follow is of a later version.
  const end = Math.min(reader.end, reader.end - reader.remaining + size);
  let last = -1;
  while (reader.offset < end) {
    const field = Number(varlen(reader));
    if (field <= last) reader.fail(`tagged GTID field ${field} after ${last}`);
    last = field;
    if (field === 1) for (let i = 0; i < 16; i++) uuid[i] = Number(varlen(reader));
    else if (field === 3) tag = decodeText(reader.take(Number(varlen(reader)), "GTID tag"));
    else if (field === 2) gno = unzigzag(varlen(reader));
    else if (field === 8) transactionLength = Number(varlen(reader));
    else if (field === 6) immediate = Number(varlen(reader));
    else if (field === 7) original = Number(varlen(reader));
    else if (field > 11) break;
    else varlen(reader);
  }
  if (gno <= 0n || tag === "" || !/^[a-z_][a-z0-9_]{0,31}$/.test(tag)) {
    reader.fail("tagged GTID without number or tag");
  }
  return {
    sid: `${uuidText(uuid)}:${tag}`,
    gno,
    transactionLength,
    originalCommitMicros: original || immediate,
  };
}

/** Trailing one-bits of the first byte count the bytes that follow; the value is shifted above them. */
function varlen(reader: ByteReader): bigint {
  const first = reader.u8("varlen");
  let extra = 0;
  while (extra < 8 && (first >> extra) & 1) extra++;
  if (extra === 8) return reader.u64("varlen");
  let value = BigInt(first);
  for (let i = 1; i <= extra; i++) value |= BigInt(reader.u8("varlen")) << BigInt(8 * i);
  return value >> BigInt(extra + 1);
}

function unzigzag(value: bigint): bigint {
  return value & 1n ? -(value >> 1n) - 1n : value >> 1n;
}

function micros55(bytes: Uint8Array): number {
  let value = bytes[6]! & 0x7f;
  for (let i = 5; i >= 0; i--) value = value * 256 + bytes[i]!;
  return value;
}

export function uuidText(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
