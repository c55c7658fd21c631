/**
 * What may be purged: whole binlog files from the oldest on. A file goes when the log
 * is larger than allowed, or when its newest event is older than allowed, and no replica still
 * reads in it or left so lately that it may come back (server/absent-replicas.ts), unless the log
 * has grown to twice its allowed size: then the disk comes first.
 * The newest file always stays. Pure.
 */
import type { BinlogFile } from "../binlog/file-view.ts";

export interface RetentionPolicy {
  /** Of event bytes; null keeps all. */
  readonly retentionBytes: number | null;
  readonly retentionHours: number | null;
}

/** How far beyond its size a log may grow for a slow reader's sake. */
const HARD_CAP = 2;

/**
 * The first file to keep, or null when nothing goes. `nowSeconds` is on the clock of the events;
 * `slowestEntry` the entry that the slowest reader still needs.
 */
export function firstFileToKeep(
  files: readonly BinlogFile[],
  policy: RetentionPolicy,
  nowSeconds: number,
  slowestEntry: number,
): BinlogFile | null {
  let bytes = 0;
  for (const file of files) bytes += file.size;
  let keep = 0;
  while (keep < files.length - 1) {
    const file = files[keep]!;
    const next = files[keep + 1]!;
    const { retentionBytes, retentionHours } = policy;
    const tooMuch = retentionBytes !== null && bytes > retentionBytes;
    const tooOld =
      retentionHours !== null && nowSeconds - file.lastTimestamp > retentionHours * 3600;
    if (!tooMuch && !tooOld) break;
    const farTooMuch = retentionBytes !== null && bytes > retentionBytes * HARD_CAP;
    if (slowestEntry < next.startEntry && !farTooMuch) break;
    bytes -= file.size;
    keep++;
  }
  return keep === 0 ? null : files[keep]!;
}
