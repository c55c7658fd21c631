/** Text as Go prints it: quoted bytes (`%q`) and lists (`%v`). */

const ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};
const PRINTABLE = /^[ \p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

/** Bytes that are no UTF-8 are shown as such. */
export function quote(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; ) {
    const length = sequenceLength(data, at);
    const char = decode(data.subarray(at, at + length));
    text += char === null ? hex("x", data[at]!, 2) : quoteChar(char);
    at += char === null ? 1 : length;
  }
  return `"${text}"`;
}

function sequenceLength(data: Uint8Array, at: number): number {
  const first = data[at]!;
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function quoteChar(char: string): string {
  const escaped = ESCAPES[char];
  if (escaped !== undefined) return escaped;
  if (PRINTABLE.test(char)) return char;
  const point = char.codePointAt(0)!;
  if (point < 0x20 || point === 0x7f) return hex("x", point, 2);
  return point < 0x10000 ? hex("u", point, 4) : hex("U", point, 8);
}

function hex(kind: string, value: number, digits: number): string {
  return `\\${kind}${value.toString(16).padStart(digits, "0")}`;
}

export function list(values: Iterable<number>): string {
  return `[${[...values].join(" ")}]`;
}
