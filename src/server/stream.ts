/**
 * What the binlog server reads from: the stream of complete, committed units, as this node has
 * it. Implemented by the cluster; a reader never sees an unfinished transaction, dead bytes or
 * anything beyond the visible end.
 */
import type { Wakeup } from "../base/service.ts";
import type { Chunk, SourceIdentity } from "../binlog/chunk.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import type { Mark } from "../binlog/marks.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";

export interface BinlogStream {
  /** In order, the newest last. Live: read it anew after every await. */
  readonly files: readonly BinlogFile[];
  /** Files of this epoch are served by GTID; older ones can only be exported. */
  readonly epoch: number;
  readonly executed: GtidSet;
  readonly purged: GtidSet;
  readonly source: SourceIdentity | null;
  /** Every server_uuid that has been our source in this epoch. */
  readonly sourceUuids: ReadonlySet<string>;
  readonly marks: readonly Mark[];
  /** Event bytes of the visible stream: grows with every unit. For lag. */
  readonly visibleEnd: number;
  /** Wakes when the visible end moves, a file begins or files are purged. */
  readonly advanced: Wakeup;
  /** A reader from the chunk of `entry` on (a file's `startEntry`, a mark's `entry`). */
  read(entry: number): StreamReader;
}

export interface StreamReader {
  /**
   * The next pieces of the stream, or null when the reader is at the visible end: then wait for
   * `advanced`. Rejects with EntryDamaged when the bytes are lost on this disk, and with
   * StreamPurged when they were purged meanwhile. `release` when they were sent.
   */
  next(): Promise<StreamPieces | null>;
  /** Goes on from the chunk of a later entry. */
  seek(entry: number): void;
  /** The entry that `next` would begin with: what purge must keep. */
  readonly entry: number;
}

export interface StreamPieces {
  readonly pieces: readonly StreamPiece[];
  /** Done with reading them; bytes that a socket still has to send are held by `hold`. */
  release(): void;
  /** The bytes must stay as they are until the function that this returns is called. */
  hold(): () => void;
}

/** A part of one chunk: whole units, except that a transaction may span several pieces. */
export interface StreamPiece {
  readonly entry: number;
  readonly chunk: Chunk;
  /** The part of `chunk.body` that may be sent now: unit boundaries, or the body's ends. */
  readonly from: number;
  readonly to: number;
  /** Index of its file in `files` at the time of the call. */
  readonly file: BinlogFile;
}

/** The reader's place in the log was purged. */
export class StreamPurged extends Error {
  constructor(entry: number) {
    super(`Entry ${entry} was purged while it was being read`);
    this.name = "StreamPurged";
  }
}
