/**
 * Commands of the command phase, both directions (manual, "Command Phase", "Replication
 * Protocol"). A command is one payload; its first byte says which.
 *
 *   03  query           [query attributes] | text
 *   12  binlog dump     u32 position | u16 flags | u32 server id | file name to the end
 *   15  register        u32 server id | u8 host | u8 user | u8 password | u16 port | u32 rank | u32 0
 *   16  prepare         text
 *   17  execute         u32 statement | u8 flags | u32 1 | parameters (prepared.ts)
 *   18  long data       u32 statement | u16 parameter | bytes to the end; no answer
 *   19  close           u32 statement; no answer
 *   1a  reset           u32 statement
 *   1e  GTID dump       u16 flags | u32 server id | u32 n, file name | u64 position | u32 n, GTID set
 *
 * With CLIENT_QUERY_ATTRIBUTES a query begins with its attributes (`00 01` when there are none);
 * their values are skipped, checked for length. Decoding throws the MysqlError that a real server
 * sends: 1835 for a malformed packet, 1773 for a malformed GTID set.
 */
import { ByteReader, ByteWriter, decodeText, MalformedBytes } from "../base/bytes.ts";
import { decodeGtidSet, MalformedGtidSet } from "../gtid/binary.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import { CLIENT_QUERY_ATTRIBUTES, hasFlag } from "./capabilities.ts";
import { malformedGtidSet, malformedPacket } from "./errors.ts";

export const COM_QUIT = 0x01;
export const COM_INIT_DB = 0x02;
export const COM_QUERY = 0x03;
export const COM_FIELD_LIST = 0x04;
export const COM_STATISTICS = 0x09;
export const COM_PROCESS_KILL = 0x0c;
export const COM_PING = 0x0e;
export const COM_CHANGE_USER = 0x11;
export const COM_BINLOG_DUMP = 0x12;
export const COM_REGISTER_SLAVE = 0x15;
export const COM_STMT_PREPARE = 0x16;
export const COM_STMT_EXECUTE = 0x17;
export const COM_STMT_SEND_LONG_DATA = 0x18;
export const COM_STMT_CLOSE = 0x19;
export const COM_STMT_RESET = 0x1a;
export const COM_SET_OPTION = 0x1b;
export const COM_BINLOG_DUMP_GTID = 0x1e;
export const COM_RESET_CONNECTION = 0x1f;

/** Send EOF at the end of the files instead of waiting. */
export const DUMP_NON_BLOCK = 0x01;
/** MySQL 8: send heartbeats v2. A MariaDB replica means "send row annotations" by it. */
export const DUMP_HEARTBEAT_V2 = 0x02;
/** The set in the command leaves the tagged GTIDs out. */
export const DUMP_TAGS_LEFT_OUT = 0x04;

/** FN_REFLEN of MySQL. */
const FILE_NAME_MAX_BYTES = 512;

export interface BinlogDump {
  readonly kind: "binlog-dump";
  readonly position: number;
  readonly flags: number;
  readonly serverId: number;
  /** Empty: the first file there is. */
  readonly file: string;
}

export interface BinlogDumpGtid {
  readonly kind: "binlog-dump-gtid";
  readonly flags: number;
  readonly serverId: number;
  /** Empty: the server finds the file by the set. */
  readonly file: string;
  readonly position: bigint;
  readonly gtids: GtidSet;
}

export interface RegisterReplica {
  readonly kind: "register-replica";
  readonly serverId: number;
  readonly host: string;
  readonly user: string;
  readonly port: number;
}

export type Command =
  | { readonly kind: "quit" | "statistics" | "ping" | "change-user" | "reset-connection" }
  | { readonly kind: "init-db"; readonly database: string }
  | { readonly kind: "query" | "prepare"; readonly sql: string }
  /** `rest` are the parameters; how they are read is up to the statement (prepared.ts). */
  | {
      readonly kind: "execute";
      readonly statementId: number;
      readonly flags: number;
      readonly rest: Uint8Array;
    }
  | {
      readonly kind: "long-data";
      readonly statementId: number;
      readonly parameter: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "close-statement" | "reset-statement"; readonly statementId: number }
  | { readonly kind: "field-list"; readonly table: string }
  | { readonly kind: "kill"; readonly connectionId: number }
  | { readonly kind: "set-option"; readonly option: number }
  | { readonly kind: "unknown"; readonly code: number }
  | BinlogDump
  | BinlogDumpGtid
  | RegisterReplica;

/** A GTID dump with its set still in bytes. */
export type GtidDumpHead = Omit<BinlogDumpGtid, "gtids"> & { readonly set: Uint8Array };

/** Of a payload that begins with COM_BINLOG_DUMP_GTID: for a caller that decodes the set in steps. */
export function decodeGtidDumpHead(payload: Uint8Array): GtidDumpHead {
  try {
    const reader = new ByteReader(payload);
    reader.u8("command");
    return readGtidDumpHead(reader);
  } catch (error) {
    if (error instanceof MalformedBytes) throw malformedPacket();
    throw error;
  }
}

export function decodeCommand(payload: Uint8Array, capabilities: number): Command {
  try {
    return decode(new ByteReader(payload), capabilities);
  } catch (error) {
    if (error instanceof MalformedGtidSet) throw malformedGtidSet();
    if (error instanceof MalformedBytes) throw malformedPacket();
    throw error;
  }
}

function decode(reader: ByteReader, capabilities: number): Command {
  const code = reader.u8("command");
  switch (code) {
    case COM_QUIT:
      return { kind: "quit" };
    case COM_STATISTICS:
      return { kind: "statistics" };
    case COM_PING:
      return { kind: "ping" };
    case COM_CHANGE_USER:
      return { kind: "change-user" };
    case COM_RESET_CONNECTION:
      return { kind: "reset-connection" };
    case COM_INIT_DB:
      return { kind: "init-db", database: decodeText(reader.rest()) };
    case COM_QUERY:
      if (hasFlag(capabilities, CLIENT_QUERY_ATTRIBUTES)) skipQueryAttributes(reader);
      return { kind: "query", sql: decodeText(reader.rest()) };
    case COM_STMT_PREPARE:
      return { kind: "prepare", sql: decodeText(reader.rest()) };
    case COM_STMT_EXECUTE: {
      const statementId = reader.u32("statement id");
      const flags = reader.u8("flags");
      reader.u32("iterations");
      return { kind: "execute", statementId, flags, rest: reader.rest() };
    }
    case COM_STMT_SEND_LONG_DATA: {
      const statementId = reader.u32("statement id");
      const parameter = reader.u16("parameter");
      return { kind: "long-data", statementId, parameter, bytes: reader.rest() };
    }
    case COM_STMT_CLOSE:
      return { kind: "close-statement", statementId: reader.u32("statement id") };
    case COM_STMT_RESET:
      return { kind: "reset-statement", statementId: reader.u32("statement id") };
    case COM_FIELD_LIST:
      return { kind: "field-list", table: reader.nulText("table") };
    case COM_PROCESS_KILL:
      return { kind: "kill", connectionId: reader.u32("connection id") };
    case COM_SET_OPTION:
      return { kind: "set-option", option: reader.u16("option") };
    case COM_REGISTER_SLAVE:
      return decodeRegister(reader);
    case COM_BINLOG_DUMP:
      return decodeDump(reader);
    case COM_BINLOG_DUMP_GTID:
      return decodeDumpGtid(reader);
    default:
      return { kind: "unknown", code };
  }
}

function decodeRegister(reader: ByteReader): RegisterReplica {
  const serverId = reader.u32("server id");
  const host = reader.text(reader.u8("host length"), "host");
  const user = reader.text(reader.u8("user length"), "user");
  reader.skip(reader.u8("password length"), "password");
  const port = reader.u16("port");
  reader.skip(8, "rank and source id");
  return { kind: "register-replica", serverId, host, user, port };
}

function decodeDump(reader: ByteReader): BinlogDump {
  const position = reader.u32("position");
  const flags = reader.u16("flags");
  const serverId = reader.u32("server id");
  const file = readFileName(reader, reader.remaining);
  return { kind: "binlog-dump", position, flags, serverId, file };
}

function decodeDumpGtid(reader: ByteReader): BinlogDumpGtid {
  const { set, ...head } = readGtidDumpHead(reader);
  return { ...head, gtids: decodeGtidSet(set) };
}

function readGtidDumpHead(reader: ByteReader): GtidDumpHead {
  const flags = reader.u16("flags");
  const serverId = reader.u32("server id");
  const file = readFileName(reader, reader.u32("file name length"));
  const position = reader.u64("position");
  // Bytes behind the set are ignored, as a real server does.
  const set = reader.take(reader.u32("GTID set length"), "GTID set");
  return { kind: "binlog-dump-gtid", flags, serverId, file, position, set };
}

/** npm clients send the name with a NUL at its end, which no server minds. */
function readFileName(reader: ByteReader, length: number): string {
  if (length > FILE_NAME_MAX_BYTES) reader.fail("file name is too long");
  const text = reader.text(length, "file name");
  const nul = text.indexOf("\0");
  return nul < 0 ? text : text.slice(0, nul);
}

/** Values of query attributes are in the binary protocol: fixed, length byte, or lenenc. */
const FIXED_VALUE_BYTES: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 2],
  [13, 2],
  [3, 4],
  [9, 4],
  [4, 4],
  [5, 8],
  [8, 8],
  [6, 0],
]);
const LENGTH_BYTE_TYPES: ReadonlySet<number> = new Set([7, 10, 11, 12]);

function skipQueryAttributes(reader: ByteReader): void {
  const count = reader.lenenc("number of query attributes");
  const sets = reader.lenenc("number of attribute sets");
  if (sets !== 1) reader.fail(`${sets} sets of query attributes`);
  if (count === 0) return;
  const nullBitmap = reader.take((count + 7) >>> 3, "NULL bitmap");
  if (reader.u8("bind flag") !== 1) reader.fail("query attributes without types");
  // Each has a type and at least an empty name.
  if (count * 3 > reader.remaining) reader.fail(`${count} query attributes`);
  const types: number[] = [];
  for (let i = 0; i < count; i++) {
    types.push(reader.u16("attribute type") & 0xff);
    reader.lenencBytes("attribute name");
  }
  for (const [i, type] of types.entries()) {
    if ((nullBitmap[i >>> 3]! >>> (i & 7)) & 1) continue;
    const fixed = FIXED_VALUE_BYTES.get(type);
    if (fixed !== undefined) reader.skip(fixed, "attribute value");
    else if (LENGTH_BYTE_TYPES.has(type)) reader.skip(reader.u8("value length"), "attribute value");
    else reader.lenencBytes("attribute value");
  }
}

export function encodeQuery(sql: string, capabilities: number): Uint8Array {
  const writer = new ByteWriter(sql.length + 8).u8(COM_QUERY);
  if (hasFlag(capabilities, CLIENT_QUERY_ATTRIBUTES)) writer.u8(0).u8(1);
  return writer.text(sql).finish();
}

export function encodeSimpleCommand(code: number): Uint8Array {
  return Uint8Array.of(code);
}

export function encodeInitDb(database: string): Uint8Array {
  return new ByteWriter().u8(COM_INIT_DB).text(database).finish();
}

export function encodeRegister(command: Omit<RegisterReplica, "kind">): Uint8Array {
  const writer = new ByteWriter().u8(COM_REGISTER_SLAVE).u32(command.serverId);
  for (const text of [command.host, command.user, ""]) {
    const bytes = new ByteWriter().text(text).finish().subarray(0, 255);
    writer.u8(bytes.length).raw(bytes);
  }
  return writer.u16(command.port).u32(0).u32(0).finish();
}

export function encodeDump(command: Omit<BinlogDump, "kind">): Uint8Array {
  return new ByteWriter()
    .u8(COM_BINLOG_DUMP)
    .u32(command.position)
    .u16(command.flags)
    .u32(command.serverId)
    .text(command.file)
    .finish();
}

/** The caller encodes the set: it chooses the format by the server's version. */
export function encodeDumpGtid(
  command: Omit<BinlogDumpGtid, "kind" | "gtids"> & { readonly gtids: Uint8Array },
): Uint8Array {
  const file = new ByteWriter().text(command.file).finish();
  return new ByteWriter(64 + command.gtids.length)
    .u8(COM_BINLOG_DUMP_GTID)
    .u16(command.flags)
    .u32(command.serverId)
    .u32(file.length)
    .raw(file)
    .u64(command.position)
    .u32(command.gtids.length)
    .raw(command.gtids)
    .finish();
}
