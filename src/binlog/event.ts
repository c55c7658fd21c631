/**
 * The 19-byte header that every binlog event begins with (MySQL internals, "Binlog Event Header"):
 *
 *   0  u32 timestamp   seconds
 *   4  u8  type
 *   5  u32 server_id   of the server where the event originated
 *   9  u32 size        header, body and checksum
 *  13  u32 log_pos     end of the event in its file, modulo 2^32; 0 in artificial events
 *  17  u16 flags
 *
 * Event sizes are u32, file offsets are not: past 4 GiB log_pos wraps, so offsets are counted.
 */
import { readU16, readU32, writeU32 } from "../base/bytes.ts";

export const EVENT_HEADER_BYTES = 19;
export const CHECKSUM_BYTES = 4;
/** A binlog file begins with these; the first event stands at offset 4. */
export const FILE_MAGIC: Uint8Array = Uint8Array.of(0xfe, 0x62, 0x69, 0x6e);
export const FILE_START = 4;

export const EventType = {
  QUERY: 2,
  STOP: 3,
  ROTATE: 4,
  INTVAR: 5,
  FORMAT_DESCRIPTION: 15,
  XID: 16,
  INCIDENT: 26,
  HEARTBEAT: 27,
  GTID: 33,
  ANONYMOUS_GTID: 34,
  PREVIOUS_GTIDS: 35,
  XA_PREPARE: 38,
  TRANSACTION_PAYLOAD: 40,
  HEARTBEAT_V2: 41,
  GTID_TAGGED: 42,
} as const;

export const EventFlag = {
  IN_USE: 0x0001,
  ARTIFICIAL: 0x0020,
  IGNORABLE: 0x0080,
} as const;

export function eventTimestamp(event: Uint8Array, at = 0): number {
  return readU32(event, at);
}
export function eventType(event: Uint8Array, at = 0): number {
  return event[at + 4]!;
}
export function eventServerId(event: Uint8Array, at = 0): number {
  return readU32(event, at + 5);
}
export function eventSize(event: Uint8Array, at = 0): number {
  return readU32(event, at + 9);
}
export function eventLogPos(event: Uint8Array, at = 0): number {
  return readU32(event, at + 13);
}
export function eventFlags(event: Uint8Array, at = 0): number {
  return readU16(event, at + 17);
}

export interface EventHeader {
  readonly timestamp: number;
  readonly type: number;
  readonly serverId: number;
  /** End position; only its low 32 bits are kept. */
  readonly logPos: number;
  readonly flags: number;
}

/** Builds an event around `body`; with `crc` it ends with that checksum. */
export function buildEvent(
  header: EventHeader,
  body: Uint8Array,
  crc: ((bytes: Uint8Array) => number) | null,
): Uint8Array {
  const size = EVENT_HEADER_BYTES + body.length + (crc ? CHECKSUM_BYTES : 0);
  const event = new Uint8Array(size);
  writeU32(event, 0, header.timestamp);
  event[4] = header.type;
  writeU32(event, 5, header.serverId);
  writeU32(event, 9, size);
  writeU32(event, 13, header.logPos % 0x1_0000_0000);
  event[17] = header.flags;
  event[18] = header.flags >>> 8;
  event.set(body, EVENT_HEADER_BYTES);
  if (crc) writeU32(event, size - CHECKSUM_BYTES, crc(event.subarray(0, size - CHECKSUM_BYTES)));
  return event;
}

const NAMES: Readonly<Record<number, string>> = {
  2: "Query",
  3: "Stop",
  4: "Rotate",
  5: "Intvar",
  13: "RAND",
  14: "User var",
  15: "Format_desc",
  16: "Xid",
  17: "Begin_load_query",
  18: "Execute_load_query",
  19: "Table_map",
  26: "Incident",
  27: "Heartbeat",
  29: "Rows_query",
  30: "Write_rows",
  31: "Update_rows",
  32: "Delete_rows",
  33: "Gtid",
  34: "Anonymous_Gtid",
  35: "Previous_gtids",
  36: "Transaction_context",
  37: "View_change",
  38: "XA_prepare",
  39: "Update_rows_partial",
  40: "Transaction_payload",
  41: "Heartbeat_log_v2",
  42: "Gtid_tagged",
};

/** The name that SHOW BINLOG EVENTS gives a type. */
export function eventTypeName(type: number): string {
  return NAMES[type] ?? `Unknown(${type})`;
}
