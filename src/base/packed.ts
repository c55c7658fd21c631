/**
 * Control-plane values as bytes: MessagePack, of which only what JSON can say and byte strings are used.
 *
 * Whatever is read is walked first, so that the decoder meets nothing but that: no extension type, keys
 * that are short texts and not `__proto__`, numbers that are finite and safe, texts that are UTF-8, a
 * bounded depth. An announced length is believed only up to what is there, so the work and the memory are
 * bounded by the bytes, which the caller has bounded. What a value means is for a schema of the caller's.
 */
import { Packr } from "msgpackr/pack";
import { ByteReader, MalformedBytes } from "./bytes.ts";

/** Deeper than anything that is sent or stored. */
const MAX_DEPTH = 16;
const MAX_KEY_BYTES = 64;

/** Records and extensions are off: the bytes say all, and say it to any reader. */
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  moreTypes: false,
  int64AsType: "number",
  bundleStrings: false,
});
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** As in JSON keys without a value are left out, and no number is null. Throws TypeError for what has no form. */
export function encodePacked(value: unknown): Uint8Array {
  // A copy: the packer's buffer is its own.
  return new Uint8Array(packr.pack(plain(value, 0)));
}

/** Throws MalformedBytes. */
export function decodePacked(bytes: Uint8Array): unknown {
  const reader = new ByteReader(bytes);
  walk(reader, 0);
  reader.expectEnd("packed value");
  try {
    return packr.unpack(bytes);
  } catch {
    throw new MalformedBytes("packed value", 0);
  }
}

function plain(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new TypeError("A value is too deep to be packed");
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return null;
    if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    throw new TypeError(`The number ${value} cannot be packed`);
  }
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((one) => plain(one ?? null, depth + 1));
  if (typeof value !== "object" || value instanceof Map || value instanceof Set)
    throw new TypeError(`A ${typeof value} cannot be packed`);
  const out: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(value))
    if (one !== undefined) out[key] = plain(one, depth + 1);
  return out;
}

/** What follows its length, of so many bytes. */
const SIZED: ReadonlyMap<number, readonly ["bytes" | "text" | "list" | "map", 1 | 2 | 4]> = new Map(
  [
    [0xc4, ["bytes", 1]],
    [0xc5, ["bytes", 2]],
    [0xc6, ["bytes", 4]],
    [0xd9, ["text", 1]],
    [0xda, ["text", 2]],
    [0xdb, ["text", 4]],
    [0xdc, ["list", 2]],
    [0xdd, ["list", 4]],
    [0xde, ["map", 2]],
    [0xdf, ["map", 4]],
  ],
);
/** Bytes of a number behind its tag. */
const NUMBERS: ReadonlyMap<number, number> = new Map([
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
]);

/** Passes one value, and refuses what no value of ours has. */
function walk(reader: ByteReader, depth: number): void {
  if (depth > MAX_DEPTH) reader.fail("a packed value that is too deep");
  const tag = reader.u8("packed value");
  const isWhole = tag <= 0x7f || tag >= 0xe0 || tag === 0xc0 || tag === 0xc2 || tag === 0xc3;
  if (isWhole) return;
  if (tag <= 0x8f) walkMap(reader, tag & 0x0f, depth);
  else if (tag <= 0x9f) walkList(reader, tag & 0x0f, depth);
  else if (tag <= 0xbf) walkText(reader, tag & 0x1f);
  else if (NUMBERS.has(tag)) walkNumber(reader, tag);
  else {
    const [kind, bytes] = SIZED.get(tag) ?? reader.fail(`packed type ${tag}`);
    const size = length(reader, bytes);
    if (kind === "bytes") reader.take(size, "packed bytes");
    else if (kind === "text") walkText(reader, size);
    else if (kind === "list") walkList(reader, size, depth);
    else walkMap(reader, size, depth);
  }
}

function walkNumber(reader: ByteReader, tag: number): void {
  const bytes = reader.take(NUMBERS.get(tag)!, "number");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (tag === 0xca) mustBeNumber(reader, view.getFloat32(0));
  else if (tag === 0xcb) mustBeNumber(reader, view.getFloat64(0));
  else if (tag === 0xcf) mustBeNumber(reader, Number(view.getBigUint64(0)));
  else if (tag === 0xd3) mustBeNumber(reader, Number(view.getBigInt64(0)));
}

/** Big-endian, as all of MessagePack. */
function length(reader: ByteReader, bytes: 1 | 2 | 4): number {
  let value = 0;
  for (const byte of reader.take(bytes, "packed length")) value = value * 256 + byte;
  return value;
}

function mustBeNumber(reader: ByteReader, value: number): void {
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    reader.fail("a number out of range");
}

function walkText(reader: ByteReader, bytes: number): void {
  const text = reader.take(bytes, "packed text");
  try {
    utf8.decode(text);
  } catch {
    reader.fail("a text that is not UTF-8");
  }
}

function walkList(reader: ByteReader, count: number, depth: number): void {
  reader.need(count, "packed list");
  for (let i = 0; i < count; i++) walk(reader, depth + 1);
}

function walkMap(reader: ByteReader, count: number, depth: number): void {
  reader.need(2 * count, "packed map");
  for (let i = 0; i < count; i++) {
    const tag = reader.u8("key");
    const size = tag === 0xd9 ? length(reader, 1) : (tag & 0xe0) === 0xa0 ? tag & 0x1f : -1;
    if (size < 0 || size > MAX_KEY_BYTES) reader.fail("a key that is no short text");
    const key = reader.take(size, "key");
    if (String.fromCharCode(...key) === "__proto__") reader.fail("a key that is not allowed");
    walk(reader, depth + 1);
  }
}
