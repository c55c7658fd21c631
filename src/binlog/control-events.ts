/**
 * The events that frame a file and keep a link alive: FORMAT_DESCRIPTION, ROTATE, HEARTBEAT.
 * They are read from a source and built for replicas (the artificial ones of a dump).
 */
import { ByteReader, ByteWriter, decodeText, encodeText, readU32 } from "../base/bytes.ts";
import {
  buildEvent,
  CHECKSUM_BYTES,
  EVENT_HEADER_BYTES,
  EventFlag,
  EventType,
  eventSize,
} from "./event.ts";

export type Checksum = "NONE" | "CRC32";
export type Crc = (bytes: Uint8Array) => number;

export interface FormatDescription {
  readonly serverVersion: string;
  /** Seconds; not zero tells a replica that the source restarted. */
  readonly created: number;
  readonly checksum: Checksum;
  /** Number of event types that the writer knows. */
  readonly eventTypes: number;
}

/**
 *   u16 version = 4 · 50 bytes server version · u32 created · u8 header length = 19 ·
 *   post-header lengths, one byte a type · u8 checksum algorithm · u32 CRC (always there)
 */
export function decodeFormatDescription(event: Uint8Array): FormatDescription {
  const reader = new ByteReader(event, EVENT_HEADER_BYTES, event.length);
  const version = reader.u16("binlog version");
  if (version !== 4) reader.fail(`binlog version ${version}; only 4 is known`);
  const name = reader.take(50, "server version");
  const end = name.indexOf(0);
  const serverVersion = decodeText(end < 0 ? name : name.subarray(0, end));
  const created = reader.u32("created");
  const headerLength = reader.u8("header length");
  if (headerLength !== EVENT_HEADER_BYTES) reader.fail(`header length ${headerLength}`);
  const rest = reader.remaining;
  // Servers before 5.6.1 wrote neither algorithm nor CRC; they cannot do GTIDs either.
  if (rest < 5 + 15) reader.fail("format description without a checksum algorithm");
  const algorithm = event[event.length - 5]!;
  if (algorithm > 1) reader.fail(`checksum algorithm ${algorithm}`);
  return {
    serverVersion,
    created,
    checksum: algorithm === 1 ? "CRC32" : "NONE",
    eventTypes: rest - 5,
  };
}

/**
 * The same FORMAT_DESCRIPTION with `created` and log_pos as a dump needs them: a source zeroes
 * both in a file/position dump that starts past 4, and `created` alone when auto-position skips
 * the start file's first transaction. The CRC is made anew.
 */
export function patchFormatDescription(
  event: Uint8Array,
  patch: { zeroCreated: boolean; zeroLogPos: boolean },
  crc: Crc,
): Uint8Array {
  const copy = event.slice();
  if (patch.zeroCreated) copy.fill(0, EVENT_HEADER_BYTES + 52, EVENT_HEADER_BYTES + 56);
  if (patch.zeroLogPos) copy.fill(0, 13, 17);
  const end = copy.length - CHECKSUM_BYTES;
  const sum = crc(copy.subarray(0, end));
  copy[end] = sum;
  copy[end + 1] = sum >>> 8;
  copy[end + 2] = sum >>> 16;
  copy[end + 3] = sum >>> 24;
  return copy;
}

/**
 * Whether two FORMAT_DESCRIPTIONs describe the same file, whatever state it was in when they were
 * sent: flags, created, log_pos and CRC do not count.
 */
export function sameFormatDescription(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const createdAt = EVENT_HEADER_BYTES + 52;
  for (let i = 0; i < a.length - CHECKSUM_BYTES; i++) {
    if (i >= 13 && i < EVENT_HEADER_BYTES) continue;
    if (i >= createdAt && i < createdAt + 4) continue;
    if (a[i] !== b[i]) return false;
  }
  return true;
}

export interface Rotate {
  readonly position: number;
  readonly file: string;
}

/** `bodyEnd` excludes the checksum. */
export function decodeRotate(event: Uint8Array, checksum: Checksum): Rotate {
  const end = event.length - (checksum === "CRC32" ? CHECKSUM_BYTES : 0);
  const reader = new ByteReader(event, EVENT_HEADER_BYTES, end);
  const position = reader.u64n("rotate position");
  const name = reader.rest();
  const nul = name.indexOf(0);
  return { position, file: decodeText(nul < 0 ? name : name.subarray(0, nul)) };
}

/** The ROTATE that no file holds: it tells a replica which file comes next. */
export function fakeRotate(
  file: string,
  position: number,
  serverId: number,
  crc: Crc | null,
): Uint8Array {
  const body = new ByteWriter(8 + file.length).u64(position).text(file).finish();
  return buildEvent(
    { timestamp: 0, type: EventType.ROTATE, serverId, logPos: 0, flags: EventFlag.ARTIFICIAL },
    body,
    crc,
  );
}

/** A heartbeat: version 1 carries only 32 bits of the position, so version 2 where it is asked for. */
export function heartbeat(
  version: 1 | 2,
  file: string,
  position: number,
  serverId: number,
  crc: Crc | null,
): Uint8Array {
  const name = encodeText(file);
  const type = version === 1 ? EventType.HEARTBEAT : EventType.HEARTBEAT_V2;
  let body = name;
  if (version === 2) {
    const value = new ByteWriter(9).lenenc(position).finish();
    const writer = new ByteWriter(name.length + 16);
    writer.u8(1).lenencBytes(name).u8(2).lenencBytes(value).u8(0);
    body = writer.finish();
  }
  return buildEvent({ timestamp: 0, type, serverId, logPos: position, flags: 0 }, body, crc);
}

export interface Heartbeat {
  readonly file: string;
  /** All bits in version 2; the low 32 in version 1. */
  readonly position: number;
  readonly wraps: boolean;
}

export function decodeHeartbeat(event: Uint8Array, checksum: Checksum): Heartbeat {
  const end = event.length - (checksum === "CRC32" ? CHECKSUM_BYTES : 0);
  const reader = new ByteReader(event, EVENT_HEADER_BYTES, end);
  if (event[4] === EventType.HEARTBEAT) {
    return { file: decodeText(reader.rest()), position: readU32(event, 13), wraps: true };
  }
  let file = "";
  let position = 0;
  while (reader.remaining > 0) {
    const tag = reader.u8("heartbeat field");
    if (tag === 0) break;
    const value = reader.lenencBytes("heartbeat field");
    if (tag === 1) file = decodeText(value);
    if (tag === 2) position = new ByteReader(value).lenenc("heartbeat position");
  }
  return { file, position, wraps: false };
}

/** The GTID set bytes of a PREVIOUS_GTIDS event. */
export function previousGtidsBody(event: Uint8Array, checksum: Checksum): Uint8Array {
  const end = eventSize(event) - (checksum === "CRC32" ? CHECKSUM_BYTES : 0);
  return event.subarray(EVENT_HEADER_BYTES, end);
}
