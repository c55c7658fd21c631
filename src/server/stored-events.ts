/** Small events taken out of stored chunks, and the stored ROTATE under another name. */
import { ByteWriter, readU32 } from "../base/bytes.ts";
import type { Chunk } from "../binlog/chunk.ts";
import { type Checksum, type Crc, decodeRotate } from "../binlog/control-events.ts";
import {
  buildEvent,
  eventFlags,
  eventLogPos,
  eventServerId,
  eventTimestamp,
  eventType,
} from "../binlog/event.ts";
import {
  type BinlogFile,
  formatFileName,
  nextFileName,
  parseFileName,
} from "../binlog/file-view.ts";
import { FRAME_BYTES, framedSize } from "../binlog/frames.ts";

/** Where the frame of a chunk's last unit stands. */
export function lastUnitAt(chunk: Chunk): number {
  const { framedBytes, length } = chunk.units();
  return chunk.body.length - framedBytes[length - 1]!;
}

/** An event that is whole in its body, by the offset of its frame; a view. */
export function eventAt(chunk: Chunk, offset: number): Uint8Array {
  const at = offset + FRAME_BYTES;
  const size = readU32(chunk.body, at + 9);
  return chunk.body.subarray(at, offset + framedSize(size));
}

/**
 * The ROTATE at the end of `file` as we serve it: with the name that the next file has here, which
 * is foreseen when it has not begun (`next` is null). The stored one where it says the same.
 */
export function servedRotate(
  stored: Uint8Array,
  file: BinlogFile,
  next: string | null,
  checksum: Checksum,
  crc: Crc | null,
): Uint8Array {
  const { file: sourceNext } = decodeRotate(stored, checksum);
  const name = next ?? foreseen(file, sourceNext);
  if (name === sourceNext) return stored;
  const body = new ByteWriter(8 + name.length).u64(4).text(name).finish();
  const header = {
    timestamp: eventTimestamp(stored),
    type: eventType(stored),
    serverId: eventServerId(stored),
    logPos: eventLogPos(stored),
    flags: eventFlags(stored),
  };
  return buildEvent(header, body, crc);
}

function foreseen(file: BinlogFile, sourceNext: string): string {
  const base = parseFileName(file.name)?.base ?? null;
  const next = nextFileName(sourceNext, base, file.number);
  return formatFileName(next.base, next.number);
}
