/**
 * Finding a file position in the stream, and walking events from there. Offsets are counted from
 * the chunks' 64-bit ones, never taken from event headers, which wrap at 4 GiB.
 */
import { concatBytes, readU24 } from "../base/bytes.ts";
import { type Chunk, ChunkFlag } from "../binlog/chunk.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { type FramedEvent, PACKET_HEADER_BYTES, walkEvents } from "../binlog/frames.ts";
import { markBefore } from "../binlog/marks.ts";
import type { Exclusion } from "./exclusion.ts";
import type { BinlogStream, StreamPiece, StreamPieces, StreamReader } from "./stream.ts";

/** File offset of the first event that begins in a chunk. */
export function firstEventOffset(chunk: Chunk): number {
  let headers = 0;
  // What stands before it are the packets that continue an event: headers only, no 00 byte.
  for (let at = chunk.firstPacketAt; at < chunk.firstEventAt; headers++) {
    at += PACKET_HEADER_BYTES + readU24(chunk.body, at);
  }
  return chunk.fileOffset + chunk.firstEventAt - headers * PACKET_HEADER_BYTES;
}

/** Event bytes of a chunk before body offset `to`, a unit's end. */
export function eventBytesBefore(chunk: Chunk, to: number): number {
  if (to === chunk.body.length) return chunk.eventBytes;
  const units = chunk.units();
  let offset = 0;
  let bytes = 0;
  for (let i = 0; i < units.length && offset < to; i++) {
    offset += units.framedBytes[i]!;
    bytes += units.eventBytes[i]!;
  }
  return bytes;
}

/** Calls `visit` with each event that begins in a piece and where it stands in its file. */
export function walkPiece(
  piece: StreamPiece,
  visit: (event: FramedEvent, fileOffset: number) => boolean,
): void {
  const { chunk, to } = piece;
  if (chunk.firstEventAt >= to) return;
  let offset = firstEventOffset(chunk);
  walkEvents(chunk.body, chunk.firstEventAt, (event) => {
    if (event.frameAt >= to) return false;
    const at = offset;
    offset += event.size;
    return event.frameAt < piece.from || visit(event, at);
  });
}

/**
 * For a reader that is at `entry` of `file`: the entry up to which everything in this file is in
 * the exclusion, or null when that is not far. Found from the marks, without reading.
 */
export function skipByMarks(
  stream: BinlogStream,
  file: BinlogFile,
  entry: number,
  exclusion: Exclusion,
): number | null {
  const { marks } = stream;
  const index = fileIndex(stream.files, file);
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (marks[middle]!.entry <= entry) low = middle + 1;
    else high = middle;
  }
  const begin = low - 1;
  if (begin < 0 || marks[begin]!.file !== index) return null;
  let at = begin;
  while (marks[at + 1]?.file === index && exclusion.containsSet(marks[at]!.gtids)) at++;
  return at > begin ? marks[at]!.entry : null;
}

export type Location =
  /** `batch` begins at the position; null when it is the end of what there is. */
  | { readonly kind: "found"; readonly reader: StreamReader; readonly batch: StreamPieces | null }
  /** An event reaches over the position; its bytes there begin with `bytes`. */
  | { readonly kind: "inside-event"; readonly bytes: Uint8Array }
  /** It lies in what was never pulled. */
  | { readonly kind: "hole" }
  /** It is not visible here. */
  | { readonly kind: "beyond" };

/** Index of a file in the list, by its start; -1 when it is gone. */
export function fileIndex(files: readonly BinlogFile[], file: BinlogFile): number {
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (files[middle]!.startEntry < file.startEntry) low = middle + 1;
    else high = middle;
  }
  return files[low] === file ? low : -1;
}

/** Finds `position` (4 … the file's size) in a file. The caller releases the batch. */
export async function locate(
  stream: BinlogStream,
  file: BinlogFile,
  position: number,
): Promise<Location> {
  const mark = markBefore(stream.marks, fileIndex(stream.files, file), position);
  const reader = stream.read(mark < 0 ? file.startEntry : stream.marks[mark]!.entry);
  let end = mark < 0 ? 4 : stream.marks[mark]!.fileOffset;
  for (;;) {
    const batch = await reader.next();
    if (batch === null) {
      return end === position ? { kind: "found", reader, batch } : { kind: "beyond" };
    }
    let keep = false;
    try {
      for (const [i, piece] of batch.pieces.entries()) {
        const { chunk } = piece;
        // The file ended right at the position; what is next begins another one.
        if (piece.file !== file) {
          if (end !== position) return { kind: "beyond" };
          keep = true;
          return { kind: "found", reader, batch: from(batch, i, piece.from) };
        }
        const hole = (chunk.flags & ChunkFlag.AFTER_HOLE) !== 0 && piece.from === 0;
        if (hole && position > end && position < chunk.fileOffset) return { kind: "hole" };
        if (hole && position === end) {
          keep = true;
          return { kind: "found", reader, batch: from(batch, i, 0) };
        }
        const pieceEnd = chunk.fileOffset + eventBytesBefore(chunk, piece.to);
        if (position < pieceEnd) {
          const found = inPiece(piece, position);
          if (found.kind === "inside-event") return found;
          keep = true;
          return { kind: "found", reader, batch: from(batch, i, found.at) };
        }
        end = Math.max(end, pieceEnd);
      }
    } finally {
      if (!keep) batch.release();
    }
  }
}

function from(batch: StreamPieces, index: number, offset: number): StreamPieces {
  const pieces = batch.pieces.slice(index);
  pieces[0] = { ...pieces[0]!, from: offset };
  return { pieces, release: () => batch.release(), hold: () => batch.hold() };
}

const HEADER_BYTES = 19;

function inPiece(
  piece: StreamPiece,
  position: number,
): { kind: "at"; at: number } | { kind: "inside-event"; bytes: Uint8Array } {
  let at = -1;
  const parts: Uint8Array[] = [];
  let wanted = HEADER_BYTES;
  const { body } = piece.chunk;
  walkPiece(piece, (event, offset) => {
    if (offset === position) at = event.frameAt;
    else if (position < offset + event.size) {
      // The bytes of the file there, which go on in the next event.
      const from = event.eventAt + Math.max(0, position - offset);
      const part = body.slice(from, Math.min(event.eventAt + event.size, from + wanted));
      parts.push(part);
      wanted -= part.length;
    }
    return at < 0 && wanted > 0;
  });
  return at >= 0 ? { kind: "at", at } : { kind: "inside-event", bytes: concatBytes(parts) };
}
