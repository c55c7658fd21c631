/**
 * A process, or a machine, that has too many files open. Nothing was written when an open failed for that,
 * and nothing is wrong with the disk: what the log must do is done once there is a handle again. A write
 * that takes long meanwhile is seen by who waits for it, as of a disk that hangs.
 */
import { type Clock, delay } from "../platform/clock.ts";
import { DiskError } from "../platform/disk.ts";

export const NO_HANDLE: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);
const AGAIN_MS = 100;

/** `work` may be begun again from its start when an open in it fails. */
export async function patiently<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DiskError) || !NO_HANDLE.has(error.code)) throw error;
      await delay(clock, AGAIN_MS);
    }
  }
}
