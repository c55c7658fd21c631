/**
 * Bounds-checked readers and writers of little-endian bytes, the only way that input from a
 * socket or a disk is decoded. A read beyond the end throws `MalformedBytes` with the offset;
 * nothing is allocated from a length before that length is checked against what is there.
 *
 * Integers: u8 … u32 are numbers. u64 is a number below 2^53 (`u64n`) or a bigint (`u64`).
 * lenenc is MySQL's length-encoded integer (manual, "Protocol Basics").
 */
export class MalformedBytes extends Error {
  readonly offset: number;
  constructor(what: string, offset: number) {
    super(`Malformed bytes at offset ${offset}: ${what}`);
    this.name = "MalformedBytes";
    this.offset = offset;
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const HEX_DIGITS = encoder.encode("0123456789abcdef");

/** By way of bytes: a string that grows digit by digit takes a hundred times as long for large ones. */
export function toHex(bytes: Uint8Array): string {
  const digits = new Uint8Array(bytes.length * 2);
  for (let i = 0; i < bytes.length; i++) {
    digits[2 * i] = HEX_DIGITS[bytes[i]! >> 4]!;
    digits[2 * i + 1] = HEX_DIGITS[bytes[i]! & 15]!;
  }
  return decoder.decode(digits);
}

export function fromHex(hex: string): Uint8Array {
  if (hex.length % 2 !== 0 || /[^0-9a-fA-F]/.test(hex)) throw new MalformedBytes("not hex", 0);
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  return out;
}

export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function readU24(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export class ByteReader {
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;

  constructor(bytes: Uint8Array, offset = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    if (offset < 0 || end > bytes.length || offset > end) throw new MalformedBytes("range", offset);
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  /** Throws unless `length` more bytes are there. */
  need(length: number, what: string): void {
    if (!(length >= 0 && length <= this.end - this.offset)) {
      throw new MalformedBytes(
        `${what} needs ${length} bytes, ${this.remaining} are left`,
        this.offset,
      );
    }
  }

  fail(what: string): never {
    throw new MalformedBytes(what, this.offset);
  }

  u8(what = "u8"): number {
    this.need(1, what);
    return this.bytes[this.offset++]!;
  }

  u16(what = "u16"): number {
    this.need(2, what);
    const value = readU16(this.bytes, this.offset);
    this.offset += 2;
    return value;
  }

  u24(what = "u24"): number {
    this.need(3, what);
    const value = readU24(this.bytes, this.offset);
    this.offset += 3;
    return value;
  }

  u32(what = "u32"): number {
    this.need(4, what);
    const value = readU32(this.bytes, this.offset);
    this.offset += 4;
    return value;
  }

  u64(what = "u64"): bigint {
    this.need(8, what);
    const low = BigInt(readU32(this.bytes, this.offset));
    const high = BigInt(readU32(this.bytes, this.offset + 4));
    this.offset += 8;
    return (high << 32n) | low;
  }

  /** A u64 that must be a safe integer (positions, indexes, terms). */
  u64n(what = "u64"): number {
    this.need(8, what);
    const low = readU32(this.bytes, this.offset);
    const high = readU32(this.bytes, this.offset + 4);
    if (high > 0x1fffff) this.fail(`${what} is above 2^53`);
    this.offset += 8;
    return high * 0x1_0000_0000 + low;
  }

  /** A length-encoded integer; fb (NULL) and ff are refused. */
  lenenc(what = "lenenc"): number {
    const first = this.u8(what);
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.u16(what);
    if (first === 0xfd) return this.u24(what);
    if (first === 0xfe) return this.u64n(what);
    return this.fail(`${what} starts with ${first.toString(16)}`);
  }

  /** A view, not a copy. */
  take(length: number, what = "bytes"): Uint8Array {
    this.need(length, what);
    const view = this.bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    return view;
  }

  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  skip(length: number, what = "bytes"): void {
    this.need(length, what);
    this.offset += length;
  }

  lenencBytes(what = "lenenc string"): Uint8Array {
    return this.take(this.lenenc(what), what);
  }

  /** Bytes up to a NUL, which is consumed and must be there. */
  nulBytes(what = "NUL-terminated string"): Uint8Array {
    const at = this.bytes.indexOf(0, this.offset);
    if (at < 0 || at >= this.end) this.fail(`${what} has no NUL`);
    const view = this.bytes.subarray(this.offset, at);
    this.offset = at + 1;
    return view;
  }

  text(length: number, what = "text"): string {
    return decodeText(this.take(length, what));
  }

  nulText(what = "NUL-terminated string"): string {
    return decodeText(this.nulBytes(what));
  }

  lenencText(what = "lenenc string"): string {
    return decodeText(this.lenencBytes(what));
  }

  /** Throws when bytes are left over. */
  expectEnd(what: string): void {
    if (this.remaining !== 0) this.fail(`${what} has ${this.remaining} bytes too many`);
  }
}

/**
 * A growing little-endian writer, into memory of its own or, as long as that is enough, into what it
 * is given. `finish` returns a view of its buffer: do not write after it.
 */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(memory: number | Uint8Array = 64) {
    this.#bytes = typeof memory === "number" ? new Uint8Array(memory) : memory;
  }

  get length(): number {
    return this.#length;
  }

  #grow(extra: number): number {
    const at = this.#length;
    const need = at + extra;
    if (need > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(need, this.#bytes.length * 2));
      bigger.set(this.#bytes.subarray(0, at));
      this.#bytes = bigger;
    }
    this.#length = need;
    return at;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#bytes[at] = value;
    this.#bytes[at + 1] = value >>> 8;
    return this;
  }

  u24(value: number): this {
    const at = this.#grow(3);
    this.#bytes[at] = value;
    this.#bytes[at + 1] = value >>> 8;
    this.#bytes[at + 2] = value >>> 16;
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    writeU32(this.#bytes, at, value);
    return this;
  }

  u64(value: bigint | number): this {
    const at = this.#grow(8);
    if (typeof value === "number") {
      writeU32(this.#bytes, at, value % 0x1_0000_0000);
      writeU32(this.#bytes, at + 4, Math.floor(value / 0x1_0000_0000));
    } else {
      writeU32(this.#bytes, at, Number(value & 0xffffffffn));
      writeU32(this.#bytes, at + 4, Number((value >> 32n) & 0xffffffffn));
    }
    return this;
  }

  lenenc(value: number): this {
    if (value < 0xfb) return this.u8(value);
    if (value <= 0xffff) return this.u8(0xfc).u16(value);
    if (value <= 0xffffff) return this.u8(0xfd).u24(value);
    return this.u8(0xfe).u64(value);
  }

  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  zeros(length: number): this {
    const at = this.#grow(length);
    this.#bytes.fill(0, at, at + length);
    return this;
  }

  text(value: string): this {
    return this.raw(encodeText(value));
  }

  nulText(value: string): this {
    return this.text(value).u8(0);
  }

  lenencBytes(bytes: Uint8Array): this {
    return this.lenenc(bytes.length).raw(bytes);
  }

  lenencText(value: string): this {
    return this.lenencBytes(encodeText(value));
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
