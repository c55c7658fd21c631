/**
 * Text result sets, both directions (manual, "Text Resultset").
 *
 *   lenenc column count
 *   per column   lenenc "def", schema, table, org_table, name, org_name | 0c
 *                u16 charset | u32 length | u8 type | u16 flags | u8 decimals | 00 00
 *   [EOF without DEPRECATE_EOF]
 *   per row      per column lenenc text, or fb for NULL
 *   EOF, or OK with first byte fe
 *
 * The reader is pure and bounded: columns, rows and bytes have caps, checked as packets come.
 * Column names from outside are only ever strings, never property names of plain objects.
 */
import { assert } from "../base/assert.ts";
import { ByteReader, ByteWriter, encodeText } from "../base/bytes.ts";
import {
  CLIENT_DEPRECATE_EOF,
  COLLATION_BINARY,
  COLLATION_UTF8MB4,
  hasFlag,
  STATUS_AUTOCOMMIT,
  STATUS_MORE_RESULTS,
} from "./capabilities.ts";
import { decodeEof, decodeErr, decodeOk, encodeEof, encodeResultEnd, isEof } from "./response.ts";

export const TYPE_LONG = 3;
export const TYPE_DOUBLE = 5;
export const TYPE_NULL = 6;
export const TYPE_LONGLONG = 8;
export const TYPE_DATETIME = 12;
export const TYPE_NEWDECIMAL = 246;
export const TYPE_LONG_BLOB = 251;
export const TYPE_VAR_STRING = 253;
export const TYPE_STRING = 254;

export interface Column {
  readonly name: string;
  readonly type: number;
  readonly charset: number;
  readonly length: number;
  readonly flags: number;
  readonly decimals: number;
}

export type Row = readonly (string | null)[];

/** A string as a 9.7 server describes a system variable; SHOW statements have other lengths. */
export function textColumn(name: string, length = 87_380, flags = 0): Column {
  const charset = COLLATION_UTF8MB4;
  return { name, type: TYPE_VAR_STRING, charset, length, flags, decimals: 31 };
}

/** 64-bit integers. Flags 0x81: NOT NULL, BINARY; 0x20 more: UNSIGNED. */
export function bigIntColumn(name: string, length = 21, flags = 0x81): Column {
  return { name, type: TYPE_LONGLONG, charset: COLLATION_BINARY, length, flags, decimals: 0 };
}

/** 32-bit integers. */
export function intColumn(name: string, length = 11, flags = 0xa1): Column {
  return { name, type: TYPE_LONG, charset: COLLATION_BINARY, length, flags, decimals: 0 };
}

/** A user variable (`SELECT @x`). */
export function userVariableColumn(name: string): Column {
  const charset = COLLATION_UTF8MB4;
  return { name, type: TYPE_LONG_BLOB, charset, length: 201_326_580, flags: 0, decimals: 31 };
}

export function encodeColumn(column: Column): Uint8Array {
  return new ByteWriter(64)
    .lenencText("def")
    .zeros(3)
    .lenencText(column.name)
    .u8(0)
    .u8(0x0c)
    .u16(column.charset)
    .u32(column.length)
    .u8(column.type)
    .u16(column.flags)
    .u8(column.decimals)
    .zeros(2)
    .finish();
}

export function encodeTextRow(row: Row): Uint8Array {
  const writer = new ByteWriter(64);
  for (const value of row) {
    if (value === null) writer.u8(0xfb);
    else writer.lenencBytes(encodeText(value));
  }
  return writer.finish();
}

/** All packets of a result set, in order. */
export function encodeResultSet(
  columns: readonly Column[],
  rows: Iterable<Row>,
  capabilities: number,
  status: number = STATUS_AUTOCOMMIT,
): Uint8Array[] {
  const payloads = [
    new ByteWriter(3).lenenc(columns.length).finish(),
    ...columns.map(encodeColumn),
  ];
  if (!hasFlag(capabilities, CLIENT_DEPRECATE_EOF)) payloads.push(encodeEof(status));
  for (const row of rows) {
    assert(row.length === columns.length, `row of ${row.length} in ${columns.length} columns`);
    payloads.push(encodeTextRow(row));
  }
  payloads.push(encodeResultEnd(capabilities, status));
  return payloads;
}

export function decodeColumn(payload: Uint8Array): Column {
  const reader = new ByteReader(payload);
  for (const what of ["catalog", "schema", "table", "org_table"]) reader.lenencBytes(what);
  const name = reader.lenencText("name");
  reader.lenencBytes("org_name");
  reader.lenenc("length of the fixed fields");
  const charset = reader.u16("charset");
  const length = reader.u32("length");
  const type = reader.u8("type");
  const flags = reader.u16("flags");
  return { name, type, charset, length, flags, decimals: reader.u8("decimals") };
}

export function decodeTextRow(payload: Uint8Array, columns: number): (string | null)[] {
  const reader = new ByteReader(payload);
  const row: (string | null)[] = [];
  for (let i = 0; i < columns; i++) {
    if (reader.remaining > 0 && payload[reader.offset] === 0xfb) {
      reader.skip(1);
      row.push(null);
    } else {
      row.push(reader.lenencText("value"));
    }
  }
  reader.expectEnd("row");
  return row;
}

export interface ResultLimits {
  readonly maxColumns: number;
  readonly maxRows: number;
  readonly maxBytes: number;
}

export interface TextResult {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly affectedRows: number;
  readonly insertId: bigint;
  readonly warnings: number;
}

/** More columns, rows or bytes than the caller allows. */
export class ResultTooLarge extends Error {
  constructor(what: string, limit: number) {
    super(`Result set has more than ${limit} ${what}`);
    this.name = "ResultTooLarge";
  }
}

/** Takes the packets that answer a COM_QUERY. Throws MysqlError for an ERR packet. */
export class ResultSetReader {
  readonly #capabilities: number;
  readonly #limits: ResultLimits;
  #expected = -1;
  #columnsEnded = false;
  #bytes = 0;
  readonly #columns: Column[] = [];
  readonly #rows: Row[] = [];

  constructor(capabilities: number, limits: ResultLimits) {
    this.#capabilities = capabilities;
    this.#limits = limits;
  }

  /** The result once the last packet came, null before. */
  accept(payload: Uint8Array): TextResult | null {
    this.#bytes += payload.length;
    if (this.#bytes > this.#limits.maxBytes)
      throw new ResultTooLarge("bytes", this.#limits.maxBytes);
    if (payload[0] === 0xff) throw decodeErr(payload);
    if (this.#expected < 0) return this.#first(payload);
    if (this.#columns.length < this.#expected) {
      this.#columns.push(decodeColumn(payload));
      const ended = this.#columns.length === this.#expected;
      this.#columnsEnded = ended && hasFlag(this.#capabilities, CLIENT_DEPRECATE_EOF);
      return null;
    }
    if (!this.#columnsEnded) {
      if (!isEof(payload)) new ByteReader(payload).fail("columns are not ended by an EOF packet");
      this.#columnsEnded = true;
      return null;
    }
    return this.#row(payload);
  }

  #first(payload: Uint8Array): TextResult | null {
    const reader = new ByteReader(payload);
    if (payload[0] === 0x00) return this.#finish(payload);
    // The server asks for a file of ours: no code here could answer that.
    if (payload[0] === 0xfb) reader.fail("the server asks for LOCAL INFILE");
    const count = reader.lenenc("column count");
    reader.expectEnd("column count");
    if (count > this.#limits.maxColumns) {
      throw new ResultTooLarge("columns", this.#limits.maxColumns);
    }
    this.#expected = count;
    return null;
  }

  #row(payload: Uint8Array): TextResult | null {
    const deprecateEof = hasFlag(this.#capabilities, CLIENT_DEPRECATE_EOF);
    // fe also begins a row whose first value has 16 MiB or more; such a row is that long.
    if (payload[0] === 0xfe && payload.length < (deprecateEof ? 0xffffff : 9)) {
      return this.#finish(payload);
    }
    if (this.#rows.length >= this.#limits.maxRows) {
      throw new ResultTooLarge("rows", this.#limits.maxRows);
    }
    this.#rows.push(decodeTextRow(payload, this.#expected));
    return null;
  }

  #finish(payload: Uint8Array): TextResult {
    const eof = payload[0] === 0xfe && !hasFlag(this.#capabilities, CLIENT_DEPRECATE_EOF);
    const end = eof
      ? { affectedRows: 0, insertId: 0n, ...decodeEof(payload) }
      : decodeOk(payload, this.#capabilities);
    if (hasFlag(end.status, STATUS_MORE_RESULTS)) {
      new ByteReader(payload).fail("a second result set that was not asked for");
    }
    return {
      columns: this.#columns,
      rows: this.#rows,
      affectedRows: end.affectedRows,
      insertId: end.insertId,
      warnings: end.warnings,
    };
  }
}
