/**
 * Prepared statements on the wire, the server's side (manual, "Prepared Statements", "Binary
 * Protocol Value"):
 *
 *   prepared   00 | u32 id | u16 columns | u16 parameters | 00 | u16 warnings
 *              per parameter, then per column, a definition; [EOF without DEPRECATE_EOF] behind each
 *   execute    17 | u32 id | u8 flags | u32 1
 *              [lenenc n with QUERY_ATTRIBUTES] | NULL bitmap | u8 types follow
 *              [n × (u16 type [lenenc name with QUERY_ATTRIBUTES])] | values
 *   row        00 | NULL bitmap, from bit 2 on | values
 *
 * Of a type's two bytes 0x8000 says unsigned. Values of more parameters than the statement has are
 * query attributes; they are read and dropped. Everything is checked against the bytes that are
 * there; what does not fit is MalformedBytes.
 */
import { ByteReader, ByteWriter, decodeText, encodeText } from "../base/bytes.ts";
import { CLIENT_DEPRECATE_EOF, CLIENT_QUERY_ATTRIBUTES, hasFlag } from "./capabilities.ts";
import { encodeEof, encodeResultEnd } from "./response.ts";
import {
  type Column,
  encodeColumn,
  type Row,
  TYPE_DATETIME,
  TYPE_DOUBLE,
  TYPE_LONG,
  TYPE_LONGLONG,
} from "./result-set.ts";

const PARAMETER_COUNT_AVAILABLE = 0x08;
const UNSIGNED = 0x8000;

/** A value as it was bound. */
export type Bound =
  | { readonly kind: "null" }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "text"; readonly value: string };

export interface Binding {
  readonly values: readonly Bound[];
  /** For the next execution, which may leave them out. */
  readonly types: readonly number[];
}

export function encodePrepared(
  id: number,
  parameters: number,
  columns: readonly Column[],
  capabilities: number,
): Uint8Array[] {
  const head = new ByteWriter(12).u8(0).u32(id).u16(columns.length).u16(parameters).u8(0).u16(0);
  const parameter = encodeColumn({
    name: "?",
    type: 253,
    charset: 255,
    length: 262_140,
    flags: 0,
    decimals: 31,
  });
  const packets = [head.finish(), ...Array.from({ length: parameters }, () => parameter)];
  const ends = !hasFlag(capabilities, CLIENT_DEPRECATE_EOF);
  if (parameters > 0 && ends) packets.push(encodeEof());
  packets.push(...columns.map(encodeColumn));
  if (columns.length > 0 && ends) packets.push(encodeEof());
  return packets;
}

/** `parameters` of the statement; `long` tells which came as long data and have no value here. */
export function decodeBinding(
  bytes: Uint8Array,
  flags: number,
  parameters: number,
  known: readonly number[],
  long: (index: number) => Bound | null,
  capabilities: number,
): Binding {
  const attributes = hasFlag(capabilities, CLIENT_QUERY_ATTRIBUTES);
  const counted = attributes && (flags & PARAMETER_COUNT_AVAILABLE) !== 0;
  if (parameters === 0 && !counted) return { values: [], types: [] };
  const reader = new ByteReader(bytes);
  const count = attributes ? reader.lenenc("number of parameters") : parameters;
  if (count < parameters) reader.fail(`${count} parameters of ${parameters}`);
  if (count === 0) return { values: [], types: [] };
  const nulls = reader.take((count + 7) >>> 3, "NULL bitmap");
  const types = reader.u8("types follow") === 1 ? readTypes(reader, count, attributes) : known;
  if (types.length < count) reader.fail("parameters without types");
  const values: Bound[] = [];
  for (let i = 0; i < count; i++) {
    const isNull = ((nulls[i >>> 3]! >>> (i & 7)) & 1) !== 0;
    const sent = i < parameters ? long(i) : null;
    const value = sent ?? (isNull ? { kind: "null" as const } : readBound(reader, types[i]!));
    if (i < parameters) values.push(value);
  }
  return { values, types: types.slice(0, parameters) };
}

function readTypes(reader: ByteReader, count: number, named: boolean): number[] {
  if (count * (named ? 3 : 2) > reader.remaining) reader.fail(`${count} parameters`);
  const types: number[] = [];
  for (let i = 0; i < count; i++) {
    types.push(reader.u16("parameter type"));
    if (named) reader.lenencBytes("parameter name");
  }
  return types;
}

function readBound(reader: ByteReader, bound: number): Bound {
  const unsigned = (bound & UNSIGNED) !== 0;
  const whole = (bits: number, value: bigint): Bound => ({
    kind: "int",
    value: unsigned ? value : BigInt.asIntN(bits, value),
  });
  switch (bound & 0xff) {
    case 1:
      return whole(8, BigInt(reader.u8("value")));
    case 2:
    case 13:
      return whole(16, BigInt(reader.u16("value")));
    case TYPE_LONG:
    case 9:
      return whole(32, BigInt(reader.u32("value")));
    case TYPE_LONGLONG:
      return whole(64, reader.u64("value"));
    case 4:
      return { kind: "double", value: view(reader.take(4, "value")).getFloat32(0, true) };
    case TYPE_DOUBLE:
      return { kind: "double", value: view(reader.take(8, "value")).getFloat64(0, true) };
    case 6:
      return { kind: "null" };
    case 7:
    case 10:
    case TYPE_DATETIME:
      return { kind: "text", value: readDateTime(reader, (bound & 0xff) === 10) };
    case 11:
      return { kind: "text", value: readTime(reader) };
    default:
      return { kind: "text", value: decodeText(reader.lenencBytes("value")) };
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** u8 length 0, 4, 7 or 11 | u16 year, u8 month, day | u8 hour, minute, second | u32 microseconds. */
function readDateTime(reader: ByteReader, dateOnly: boolean): string {
  const part = new ByteReader(reader.take(reader.u8("length of a date"), "date"));
  const date = part.remaining < 4 ? "0000-00-00" : readDate(part);
  if (dateOnly) return date;
  return `${date} ${readClock(part, 0)}`;
}

function readDate(part: ByteReader): string {
  const year = String(part.u16("year")).padStart(4, "0");
  return `${year}-${two(part.u8("month"))}-${two(part.u8("day"))}`;
}

/** u8 length 0, 8 or 12 | u8 negative | u32 days | u8 hour, minute, second | u32 microseconds. */
function readTime(reader: ByteReader): string {
  const part = new ByteReader(reader.take(reader.u8("length of a time"), "time"));
  if (part.remaining === 0) return "00:00:00";
  const sign = part.u8("sign") === 0 ? "" : "-";
  return sign + readClock(part, part.u32("days"));
}

function readClock(part: ByteReader, days: number): string {
  if (part.remaining === 0) return "00:00:00";
  const hours = two(24 * days + part.u8("hour"));
  const clock = `${hours}:${two(part.u8("minute"))}:${two(part.u8("second"))}`;
  return part.remaining < 4 ? clock : `${clock}.${String(part.u32("fraction")).padStart(6, "0")}`;
}

/** All packets of a result set with binary rows. */
export function encodeBinaryResultSet(
  columns: readonly Column[],
  rows: readonly Row[],
  capabilities: number,
): Uint8Array[] {
  const packets = [new ByteWriter(3).lenenc(columns.length).finish(), ...columns.map(encodeColumn)];
  if (!hasFlag(capabilities, CLIENT_DEPRECATE_EOF)) packets.push(encodeEof());
  for (const row of rows) packets.push(encodeBinaryRow(row, columns));
  packets.push(encodeResultEnd(capabilities));
  return packets;
}

const NULL_BITS_OFFSET = 2;

export function encodeBinaryRow(row: Row, columns: readonly Column[]): Uint8Array {
  const nulls = new Uint8Array((columns.length + 7 + NULL_BITS_OFFSET) >>> 3);
  const writer = new ByteWriter(64);
  for (const [i, value] of row.entries()) {
    if (value !== null) {
      writeValue(writer, value, columns[i]!.type);
      continue;
    }
    const bit = i + NULL_BITS_OFFSET;
    nulls[bit >>> 3] = nulls[bit >>> 3]! | (1 << (bit & 7));
  }
  const values = writer.finish();
  return new ByteWriter(1 + nulls.length + values.length).u8(0).raw(nulls).raw(values).finish();
}

function writeValue(writer: ByteWriter, value: string, type: number): void {
  switch (type) {
    case TYPE_LONG:
      writer.u32(Number(BigInt.asUintN(32, BigInt(value))));
      return;
    case TYPE_LONGLONG:
      writer.u64(BigInt.asUintN(64, BigInt(value)));
      return;
    case TYPE_DOUBLE: {
      const bytes = new Uint8Array(8);
      view(bytes).setFloat64(0, Number(value), true);
      writer.raw(bytes);
      return;
    }
    case TYPE_DATETIME: {
      const [year = 0, ...rest] = value.split(/[- :]/).map(Number);
      writer.u8(7).u16(year);
      for (const one of rest) writer.u8(one);
      return;
    }
    default:
      writer.lenencBytes(encodeText(value));
  }
}
