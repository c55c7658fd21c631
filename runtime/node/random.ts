/** Strong randomness. `u32` takes from a filled block: one call into the kernel serves many. */
import { randomBytes } from "node:crypto";
import type { Random } from "../../src/platform/platform.ts";

const BLOCK_BYTES = 1024;

export function nodeRandom(): Random {
  let block: DataView = new DataView(new ArrayBuffer(0));
  let at = 0;
  const bytes = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
  return {
    bytes,
    u32() {
      if (at + 4 > block.byteLength) {
        block = new DataView(bytes(BLOCK_BYTES).buffer);
        at = 0;
      }
      at += 4;
      return block.getUint32(at - 4, true);
    },
  };
}
