/** A binlog file's bytes as the source has them, rebuilt from the log. */
import { concatBytes } from "../base/bytes.ts";
import { FILE_MAGIC } from "../binlog/event.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { Unframer } from "../binlog/frames.ts";
import type { StreamState } from "../binlog/stream-state.ts";
import type { DurableLog } from "../storage/log.ts";
import { LogStreamReader } from "./stream-reader.ts";

/** Up to the file's visible end as it is when the export begins. */
export async function* exportBytes(
  log: DurableLog,
  state: StreamState,
  file: BinlogFile,
): AsyncGenerator<Uint8Array> {
  yield FILE_MAGIC;
  const reader = new LogStreamReader(log, state, file.startEntry);
  const unframer = new Unframer();
  for (;;) {
    const next = await reader.next();
    if (next === null) return;
    const parts: Uint8Array[] = [];
    let ended = false;
    for (const piece of next.pieces) {
      if (piece.file !== file) {
        ended = true;
        break;
      }
      for (const part of unframer.push(piece.chunk.body.subarray(piece.from, piece.to))) {
        parts.push(part);
      }
    }
    // Copied: the consumer may keep it longer than the block stays.
    const bytes = concatBytes(parts);
    next.release();
    if (bytes.length > 0) yield bytes;
    if (ended) return;
  }
}
