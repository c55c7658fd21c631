/** Helpers of the connection tests: pairs of connections and streams checked by hash. */
import { delay } from "../../src/platform/clock.ts";
import type { Conn, Listener } from "../../src/platform/net.ts";
import type { Platform } from "../../src/platform/platform.ts";

export const HOST = "127.0.0.1";

export interface Pair {
  readonly client: Conn;
  readonly server: Conn;
  readonly listener: Listener;
  close(): Promise<void>;
}

export async function connectedPair(
  platform: Platform,
  { listen = HOST, dial = listen }: { readonly listen?: string; readonly dial?: string } = {},
): Promise<Pair> {
  let accepted: (conn: Conn) => void = () => {};
  const incoming = new Promise<Conn>((resolve) => {
    accepted = resolve;
  });
  const listener = await platform.net.listen({ host: listen, port: 0 }, (conn) => accepted(conn));
  const client = await platform.net.connect({ host: dial, port: listener.address.port }, 5_000);
  const server = await incoming;
  return {
    client,
    server,
    listener,
    async close() {
      client.destroy();
      server.destroy();
      await Promise.all([client.closed, server.closed, listener.close()]);
    },
  };
}

/** Reads exactly so many bytes; what is too much goes back. */
export async function readExactly(conn: Conn, length: number): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const bytes = await conn.read();
    if (bytes === null) throw new Error(`Stream ended after ${at} of ${length} bytes`);
    const used = Math.min(bytes.length, length - at);
    out.set(bytes.subarray(0, used), at);
    if (used < bytes.length) conn.unread(bytes.subarray(used));
    at += used;
  }
  return out;
}

/** A stream of parts of many sizes, and the hash that its reader must get. */
export async function sendStream(conn: Conn, platform: Platform, bytes: number): Promise<string> {
  const whole = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) whole[i] = (i * 31 + (i >>> 9)) & 0xff;
  const sizes = [1, 7, 300, 20_000, 5, 16_384, 90_000, 0, 64, 250_000];
  let at = 0;
  for (let turn = 0; at < bytes; turn++) {
    const parts: Uint8Array[] = [];
    for (let count = 0; count <= turn % 4; count++) {
      const part = whole.subarray(at, at + sizes[(turn + count) % sizes.length]!);
      parts.push(part);
      at += part.length;
    }
    if (!conn.write(parts)) await conn.drained();
  }
  return hexOf(platform.crypto.sha256(whole));
}

/** The hash of the next so many bytes; `pauseMs` makes a slow reader. */
export async function receiveHash(
  conn: Conn,
  platform: Platform,
  bytes: number,
  pauseMs = 0,
): Promise<string> {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (let turn = 0; at < bytes; turn++) {
    const piece = await conn.read();
    if (piece === null) throw new Error(`Stream ended after ${at} of ${bytes} bytes`);
    whole.set(piece, at);
    at += piece.length;
    if (pauseMs > 0 && turn % 16 === 0) await delay(platform.clock, pauseMs);
  }
  return hexOf(platform.crypto.sha256(whole));
}

/** The same by `consume`, which is stopped and begun again on the way, with a `read` between. */
export async function consumeHash(conn: Conn, platform: Platform, bytes: number): Promise<string> {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (let turn = 1; at < bytes; turn++) {
    const stopAt = at + turn * 40_000;
    const more = await conn.consume((piece) => {
      whole.set(piece, at);
      at += piece.length;
      return at < stopAt && at < bytes;
    });
    if (!more) throw new Error(`Stream ended after ${at} of ${bytes} bytes`);
    if (at === bytes || turn % 3 > 0) continue;
    const piece = await conn.read();
    whole.set(piece!, at);
    at += piece!.length;
  }
  return hexOf(platform.crypto.sha256(whole));
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Sends numbered blocks out of a few buffers, each used again as soon as it is said to be sent. Ends
 * the connection behind the last, or where the other side is too slow; resolves with how often each was told of.
 */
export async function sendAgainAndAgain(
  conn: Conn,
  {
    blocks,
    partsOfBlock,
    breaks = false,
  }: { blocks: number; partsOfBlock: number; breaks?: boolean },
): Promise<number[]> {
  const told = new Array<number>(blocks).fill(0);
  const spare = Array.from({ length: 4 }, () => new Uint8Array(BLOCK_BYTES));
  let wake: () => void = () => {};
  for (let block = 0; block < blocks; block++) {
    while (spare.length === 0) {
      if (breaks) conn.destroy();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const buffer = spare.pop()!.fill(block & 0xff);
    const size = BLOCK_BYTES / partsOfBlock;
    const parts = Array.from({ length: partsOfBlock }, (_, i) =>
      buffer.subarray(i * size, (i + 1) * size),
    );
    conn.write(parts, () => {
      told[block]!++;
      // What is read from now on is not what was sent.
      buffer.fill(0xee);
      spare.push(buffer);
      wake();
    });
  }
  conn.end();
  await conn.closed;
  return told;
}

const BLOCK_BYTES = 256 * 1024;

/** Reads what `sendAgainAndAgain` sends, to the end; rejects at the first byte that is not as sent. */
export async function receiveBlocks(conn: Conn): Promise<number> {
  let at = 0;
  for (;;) {
    const bytes = await conn.read();
    if (bytes === null) return at / BLOCK_BYTES;
    for (const byte of bytes) {
      const wanted = Math.floor(at++ / BLOCK_BYTES) & 0xff;
      if (byte !== wanted) throw new Error(`byte ${at - 1} is ${byte}, sent was ${wanted}`);
    }
  }
}
