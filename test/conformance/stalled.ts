/** How many bytes a connection takes whose other side does not read. */
import { readFileSync } from "node:fs";

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
