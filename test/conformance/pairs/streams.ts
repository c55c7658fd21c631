/**
 * Streams of any length in a fixed amount of memory: their bytes follow from their place, and the hash
 * of each MiB goes into that of the next.
 */
import { toHex } from "../../../src/base/bytes.ts";
import { delay } from "../../../src/platform/clock.ts";
import type { Conn } from "../../../src/platform/net.ts";
import type { Platform } from "../../../src/platform/platform.ts";

const BLOCK_BYTES = 1024 * 1024;
/** Parts of a write, again and again: small ones to be joined, large ones to be sent as they are. */
const PART_BYTES = [1, 7, 300, 20_000, 5, 16_384, 90_000, 64, 250_000];
/** Blocks that may be on their way; each is written anew once it is said to be sent. */
const BLOCKS = 3;

/** Lengths are whole MiB. Resolves with the hash that the reader must get. */
export async function sendStream(conn: Conn, platform: Platform, bytes: number): Promise<string> {
  const free = Array.from({ length: BLOCKS }, () => new Uint8Array(BLOCK_BYTES));
  let wake = (): void => {};
  let hash: Uint8Array = new Uint8Array(0);
  let turn = 0;
  for (let at = 0; at < bytes; at += BLOCK_BYTES) {
    while (free.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    const block = free.pop()!;
    fill(block, at);
    hash = platform.crypto.sha256(hash, block);
    for (let from = 0; from < BLOCK_BYTES; ) {
      const parts: Uint8Array[] = [];
      for (let count = 0; count <= turn % 4 && from < BLOCK_BYTES; count++) {
        const part = block.subarray(from, from + PART_BYTES[(turn + count) % PART_BYTES.length]!);
        parts.push(part);
        from += part.length;
      }
      turn++;
      const onSent = (): void => {
        // What is read of it from now on is not what was sent.
        block.fill(0xee);
        free.push(block);
        wake();
      };
      const goesOn = from < BLOCK_BYTES ? conn.write(parts) : conn.write(parts, onSent);
      if (!goesOn) await conn.drained();
    }
  }
  while (free.length < BLOCKS) await new Promise<void>((resolve) => (wake = resolve));
  return toHex(hash);
}

export async function receiveStream(
  conn: Conn,
  platform: Platform,
  bytes: number,
): Promise<string> {
  const block = new Uint8Array(BLOCK_BYTES);
  let hash: Uint8Array = new Uint8Array(0);
  let at = 0;
  while (at < bytes) {
    const piece = await conn.read();
    if (piece === null) throw new Error(`The stream ended after ${at} of ${bytes} bytes`);
    for (let from = 0; from < piece.length; ) {
      const room = BLOCK_BYTES - (at % BLOCK_BYTES);
      const part = piece.subarray(from, from + room);
      block.set(part, at % BLOCK_BYTES);
      at += part.length;
      from += part.length;
      if (at % BLOCK_BYTES === 0) hash = platform.crypto.sha256(hash, block);
    }
  }
  return toHex(hash);
}

function fill(block: Uint8Array, at: number): void {
  // One byte in 64 tells the place: enough to see what is lost, doubled or turned round.
  block.fill((at / BLOCK_BYTES) & 0xff);
  for (let i = 0; i < block.length; i += 64) block[i] = ((at + i) * 31 + (i >>> 9)) & 0xff;
}

export interface Stalled {
  readonly sentBytes: number;
  readonly queuedBytes: number;
  /** What `write` said last. */
  readonly goesOn: boolean;
  readonly sent: string;
}

/** Until there was no room for so long that nobody reads. */
const NO_ROOM_MS = 300;

export async function writeUntilStalled(
  conn: Conn,
  platform: Platform,
  mostBytes: number,
): Promise<Stalled> {
  const { clock, crypto } = platform;
  let hash: Uint8Array = new Uint8Array(0);
  let sentBytes = 0;
  let goesOn = true;
  while (sentBytes < mostBytes) {
    const block = new Uint8Array(BLOCK_BYTES);
    fill(block, sentBytes);
    hash = crypto.sha256(hash, block);
    goesOn = conn.write([block]);
    sentBytes += BLOCK_BYTES;
    if (goesOn) continue;
    const room = await Promise.race([
      conn.drained().then(() => true),
      delay(clock, NO_ROOM_MS).then(() => false),
    ]);
    if (!room) break;
  }
  return { sentBytes, queuedBytes: conn.queuedBytes, goesOn, sent: toHex(hash) };
}
