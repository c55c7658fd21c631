/**
 * CRC-32 of zlib and of MySQL's binlog (polynomial edb88320, reflected), eight bytes a step.
 * For runs of bytes so short that a call into native code costs more than the work; long ones
 * go through `platform.crypto.crc32`. The tables (8 KiB) are built at the first use.
 */
const TABLES = 8;
const POLYNOMIAL = 0xedb88320;
let tables: Int32Array | null = null;

/** The checksum of `bytes[start, end)`, unsigned; `previous` is the checksum of what came before. */
export function crc32(bytes: Uint8Array, start: number, end: number, previous = 0): number {
  tables ??= buildTables();
  const t = tables;
  let crc = ~previous;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low =
      crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    // Table k holds the effect of a byte that has k more bytes behind it in this step.
    crc =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
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
