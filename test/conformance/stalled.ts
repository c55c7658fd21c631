/** How many bytes a connection takes whose other side does not read. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Clock, delay } from "../../src/platform/clock.ts";
import type { Conn } from "../../src/platform/net.ts";

const MIB = 1024 * 1024;
/** A MiB is queued on either side, a write may be above that, and TLS holds as much once more. */
const OURS_BYTES = 8 * MIB;
/** Offered to a side that does not read; who takes it all has no back-pressure. */
export const OFFERED_BYTES = 256 * MIB;
/** Most that may be taken: what is ours, and what the kernel lets its two buffers grow to on a busy machine. */
export const STALLED_BYTES_MAX =
  OURS_BYTES + largest("tcp_rmem", 32 * MIB) + largest("tcp_wmem", 4 * MIB);

/** The last of three numbers; `usual` where the system does not tell. */
function largest(name: string, usual: number): number {
  try {
    const text = readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8");
    return Number(text.trim().split(/\s+/)[2]);
  } catch {
    return usual;
  }
}

/** Writes until nothing more is taken for a while; resolves with how much was taken, which is bounded. */
export async function writeUntilStalled(writer: Conn, clock: Clock): Promise<number> {
  const block = new Uint8Array(256 * 1024).fill(7);
  let sent = 0;
  let stalled = false;
  while (!stalled && sent < OFFERED_BYTES) {
    sent += block.length;
    if (writer.write([block])) continue;
    const drained = writer.drained().then(() => true);
    stalled = !(await Promise.race([drained, delay(clock, 300).then(() => false)]));
  }
  assert.ok(stalled, "the writer never had to wait");
  assert.ok(sent < STALLED_BYTES_MAX, `${sent} bytes were taken`);
  assert.ok(writer.queuedBytes > 0);
  return sent;
}
