/**
 * A sparse index of the stream: about one mark a MiB, each with the GTIDs from it to the next.
 * A replica that already has them all is taken past them without reading a byte; a file position
 * is found from the mark before it. The number of marks is bounded: beyond it neighbours of one
 * file are merged, so the index of a large log is merely coarser.
 */
import { GtidSet } from "../gtid/gtid-set.ts";
import { type Chunk, ChunkFlag } from "./chunk.ts";

export interface Mark {
  /** The entry whose chunk begins here. */
  readonly entry: number;
  /** Index in the list of files. */
  file: number;
  readonly fileOffset: number;
  readonly streamOffset: number;
  /** Transactions with bytes between this mark and the next. */
  readonly gtids: GtidSet;
}

export const MARK_BYTES: number = 1024 * 1024;
export const MAX_MARKS = 16_384;

/** Takes an accepted chunk into the index; `streamOffset` is where it begins. */
export function addToMarks(
  marks: Mark[],
  entry: number,
  chunk: Chunk,
  file: number,
  streamOffset: number,
): void {
  let last = marks[marks.length - 1];
  const newFile = (chunk.flags & ChunkFlag.NEW_FILE) !== 0;
  if (last === undefined || newFile || streamOffset - last.streamOffset >= MARK_BYTES) {
    last = { entry, file, fileOffset: chunk.fileOffset, streamOffset, gtids: new GtidSet() };
    marks.push(last);
    if (marks.length > MAX_MARKS) thin(marks);
  }
  for (const run of chunk.runs) {
    last.gtids.add(run.sid, run.first, run.first + BigInt(run.count) - 1n);
  }
}

/** Merges every second mark into the one before it, where both are of one file. */
function thin(marks: Mark[]): void {
  let kept = 0;
  for (let i = 0; i < marks.length; i++) {
    const mark = marks[i]!;
    const before = marks[kept - 1];
    if (kept > 0 && i % 2 === 1 && before!.file === mark.file) before!.gtids.addSet(mark.gtids);
    else marks[kept++] = mark;
  }
  marks.length = kept;
}

/** Index of the last mark of `file` at or before a file offset; -1 when there is none. */
export function markBefore(marks: readonly Mark[], file: number, fileOffset: number): number {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const mark = marks[middle]!;
    if (mark.file < file || (mark.file === file && mark.fileOffset <= fileOffset)) low = middle + 1;
    else high = middle;
  }
  const found = low - 1;
  return found >= 0 && marks[found]!.file === file ? found : -1;
}
