import { crc32 } from "node:zlib";

/** The CRC-32 of Node's own zlib, in the shape of the platform's. */
export function nodeCrc32(bytes: Uint8Array, previous = 0): number {
  return crc32(bytes, previous);
}
