/**
 * The FORMAT_DESCRIPTION of binlog files: read once per file from its first chunk, kept while the
 * file is in the list. A dump that starts inside a file sends it first, `@@binlog_checksum` is
 * the newest file's algorithm, and nothing else of a file is needed to serve from its middle.
 */
import { assert } from "../base/assert.ts";
import { readU32 } from "../base/bytes.ts";
import { type Chunk, ChunkFlag, UnitKind } from "../binlog/chunk.ts";
import { decodeFormatDescription, type FormatDescription } from "../binlog/control-events.ts";
import { FILE_START } from "../binlog/event.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { FRAME_BYTES } from "../binlog/frames.ts";
import type { BinlogStream } from "./stream.ts";

export interface FileFormat {
  /** The event as it is stored. */
  readonly event: Uint8Array;
  readonly description: FormatDescription;
  /** Where PREVIOUS_GTIDS ends, or the description when there is none. */
  readonly headEnd: number;
}

/** The first event of a chunk that begins a file. */
export function formatEventOf(chunk: Chunk): Uint8Array {
  assert((chunk.flags & ChunkFlag.NEW_FILE) !== 0, "the chunk begins a file");
  const size = readU32(chunk.body, FRAME_BYTES + 9);
  assert(FRAME_BYTES + size <= chunk.body.length, "a description is whole in its chunk");
  return chunk.body.subarray(FRAME_BYTES, FRAME_BYTES + size);
}

export class FileFormats {
  readonly #stream: BinlogStream;
  readonly #known = new WeakMap<BinlogFile, FileFormat>();

  constructor(stream: BinlogStream) {
    this.#stream = stream;
  }

  /** Null when the file's beginning is not visible yet. */
  async of(file: BinlogFile): Promise<FileFormat | null> {
    const known = this.#known.get(file);
    if (known !== undefined) return known;
    const batch = await this.#stream.read(file.startEntry).next();
    if (batch === null) return null;
    try {
      const chunk = batch.pieces[0]!.chunk;
      if ((chunk.flags & ChunkFlag.NEW_FILE) === 0) return null;
      const event = formatEventOf(chunk).slice();
      const { kinds, eventBytes } = chunk.units();
      const previous = kinds[1] === UnitKind.PREVIOUS_GTIDS ? eventBytes[1]! : 0;
      const headEnd = FILE_START + event.length + previous;
      const format = { event, description: decodeFormatDescription(event), headEnd };
      this.#known.set(file, format);
      return format;
    } finally {
      batch.release();
    }
  }
}
