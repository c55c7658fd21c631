/**
 * The generic answers OK, ERR and EOF, both directions (manual, "Generic Response Packets").
 *
 *   OK    00 (or fe) | lenenc affected rows | lenenc insert id | u16 status | u16 warnings
 *         [lenenc info [lenenc session state]]
 *   ERR   ff | u16 number | '#' state[5] | message       (without '#' and state before the login)
 *   EOF   fe | u16 warnings | u16 status
 *
 * With CLIENT_DEPRECATE_EOF the end of a result set is an OK whose first byte is fe. The end of a
 * dump is the 5-byte EOF always.
 */
import { ByteReader, ByteWriter, decodeText, encodeText } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import {
  CLIENT_DEPRECATE_EOF,
  CLIENT_SESSION_TRACK,
  hasFlag,
  STATUS_AUTOCOMMIT,
  STATUS_SESSION_STATE_CHANGED,
} from "./capabilities.ts";
import { MESSAGE_MAX_BYTES, MysqlError } from "./errors.ts";

const SQL_STATE_LENGTH = 5;

export interface OkResponse {
  readonly affectedRows: number;
  /** Unsigned 64 bit. */
  readonly insertId: bigint;
  readonly status: number;
  readonly warnings: number;
  readonly info: string;
}

export interface OkOptions {
  readonly affectedRows?: number;
  readonly insertId?: bigint;
  readonly status?: number;
  readonly warnings?: number;
  readonly info?: string;
}

export function encodeOk(options: OkOptions = {}, header: 0x00 | 0xfe = 0x00): Uint8Array {
  const writer = new ByteWriter(16).u8(header).lenenc(options.affectedRows ?? 0);
  const insertId = options.insertId ?? 0n;
  if (insertId < 0xfbn) writer.u8(Number(insertId));
  else writer.u8(0xfe).u64(insertId);
  writer.u16(options.status ?? STATUS_AUTOCOMMIT).u16(options.warnings ?? 0);
  const info = options.info ?? "";
  if (info !== "") writer.lenencText(info);
  return writer.finish();
}

export function decodeOk(payload: Uint8Array, capabilities: number): OkResponse {
  const reader = new ByteReader(payload, 1);
  const affectedRows = reader.lenenc("affected rows");
  const insertId = readLenencBig(reader, "insert id");
  const status = reader.u16("status");
  const warnings = reader.u16("warnings");
  let info = "";
  if (reader.remaining > 0 && hasFlag(capabilities, CLIENT_SESSION_TRACK)) {
    info = reader.lenencText("info");
    if (hasFlag(status, STATUS_SESSION_STATE_CHANGED)) reader.lenencBytes("session state");
  } else if (reader.remaining > 0) {
    // Servers send a length here too, the manual says they do not.
    const rest = reader.rest();
    info = decodeText(rest[0] === rest.length - 1 ? rest.subarray(1) : rest);
  }
  return { affectedRows, insertId, status, warnings, info };
}

export function encodeEof(status: number = STATUS_AUTOCOMMIT, warnings = 0): Uint8Array {
  return new ByteWriter(5).u8(0xfe).u16(warnings).u16(status).finish();
}

/** What ends the columns: nothing with DEPRECATE_EOF. */
export function isEof(payload: Uint8Array): boolean {
  return payload[0] === 0xfe && payload.length < 9;
}

export function decodeEof(payload: Uint8Array): { status: number; warnings: number } {
  const reader = new ByteReader(payload, 1);
  const warnings = reader.u16("warnings");
  return { warnings, status: reader.u16("status") };
}

/** The end of rows in the form that was negotiated. */
export function encodeResultEnd(
  capabilities: number,
  status: number = STATUS_AUTOCOMMIT,
): Uint8Array {
  if (hasFlag(capabilities, CLIENT_DEPRECATE_EOF)) return encodeOk({ status }, 0xfe);
  return encodeEof(status);
}

/** `beforeLogin`: in place of a greeting, when the client has not told what it understands. */
export function encodeErr(error: MysqlError, beforeLogin = false): Uint8Array {
  const writer = new ByteWriter(64).u8(0xff).u16(error.errno);
  if (!beforeLogin) writer.text("#").text(error.sqlState.padEnd(SQL_STATE_LENGTH, "0").slice(0, 5));
  return writer.raw(encodeText(error.message).subarray(0, MESSAGE_MAX_BYTES)).finish();
}

/** The text comes from outside: it is made printable. */
export function decodeErr(payload: Uint8Array): MysqlError {
  const reader = new ByteReader(payload, 1);
  const errno = reader.u16("error number");
  let sqlState = "HY000";
  if (reader.remaining > SQL_STATE_LENGTH && payload[reader.offset] === 0x23) {
    reader.skip(1);
    sqlState = printable(reader.text(SQL_STATE_LENGTH));
  }
  const text = reader.take(Math.min(reader.remaining, MESSAGE_MAX_BYTES));
  return new MysqlError(errno, sqlState, printable(decodeText(text), MESSAGE_MAX_BYTES));
}

function readLenencBig(reader: ByteReader, what: string): bigint {
  if (reader.remaining > 0 && reader.bytes[reader.offset] === 0xfe) {
    reader.skip(1);
    return reader.u64(what);
  }
  return BigInt(reader.lenenc(what));
}
