/**
 * CRC-32 of zlib and of MySQL's binlog (polynomial edb88320, reflected), sixteen bytes a step.
 * For runs of bytes so short that a call into native code, and the view that it needs, cost more
 * than the work; long ones go through `platform.crypto.crc32`. The tables (16 KiB) are built at
 * the first use.
 */
const TABLES = 16;
const POLYNOMIAL = 0xedb88320;
let tables: Int32Array | null = null;

/** The checksum of `bytes[start, end)`, unsigned; `previous` is the checksum of what came before. */
export function crc32(bytes: Uint8Array, start: number, end: number, previous = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return crc32OfView(view, start, end, previous);
}

/** The same for whoever has a view at hand: words are read at once, and nothing is allocated. */
export function crc32OfView(view: DataView, start: number, end: number, previous = 0): number {
  tables ??= buildTables();
  const t = tables;
  let crc = ~previous;
  let at = start;
  for (; at + 16 <= end; at += 16) {
    const a = crc ^ view.getInt32(at, true);
    const b = view.getInt32(at + 4, true);
    const c = view.getInt32(at + 8, true);
    const d = view.getInt32(at + 12, true);
    // Table k holds the effect of a byte that has k more bytes behind it in this step.
    crc =
      t[3840 + (a & 0xff)]! ^
      t[3584 + ((a >>> 8) & 0xff)]! ^
      t[3328 + ((a >>> 16) & 0xff)]! ^
      t[3072 + (a >>> 24)]! ^
      (t[2816 + (b & 0xff)]! ^
        t[2560 + ((b >>> 8) & 0xff)]! ^
        t[2304 + ((b >>> 16) & 0xff)]! ^
        t[2048 + (b >>> 24)]!) ^
      (t[1792 + (c & 0xff)]! ^
        t[1536 + ((c >>> 8) & 0xff)]! ^
        t[1280 + ((c >>> 16) & 0xff)]! ^
        t[1024 + (c >>> 24)]!) ^
      (t[768 + (d & 0xff)]! ^
        t[512 + ((d >>> 8) & 0xff)]! ^
        t[256 + ((d >>> 16) & 0xff)]! ^
        t[d >>> 24]!);
  }
  for (; at + 4 <= end; at += 4) {
    const a = crc ^ view.getInt32(at, true);
    crc =
      t[768 + (a & 0xff)]! ^
      t[512 + ((a >>> 8) & 0xff)]! ^
      t[256 + ((a >>> 16) & 0xff)]! ^
      t[a >>> 24]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ view.getUint8(at)) & 0xff]!;
  return ~crc >>> 0;
}

function buildTables(): Int32Array {
  const built = new Int32Array(TABLES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    built[byte] = crc;
  }
  for (let at = 256; at < built.length; at++) {
    const before = built[at - 256]!;
    built[at] = (before >>> 8) ^ built[before & 0xff]!;
  }
  return built;
}
