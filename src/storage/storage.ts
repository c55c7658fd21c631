/**
 * The durable log of one node: the contract of this folder.
 *
 * One log serves Raft and the binlog. It is a chain of segments, each a run of batches; a batch
 * is what one durable write holds (format.ts; O_DSYNC: write and fdatasync in one step). The driver
 * appends one batch at a time and may tell nobody of its content before `append` has resolved.
 *
 * Invariants
 * 1. No byte of batch n+1 is written before batch n is durable. So only the last batch
 *    can be torn, and nothing in a torn batch was ever acknowledged.
 * 2. Bytes are never rewritten in place. A changed byte is damage, not history. Conflicting
 *    entries are cut by a TRUNCATE record, old segments go by unlink. Two exceptions write only what
 *    stood there already: opening writes the last batch again, which may not have been synced
 *    (open.ts), and a repair writes back bytes that the CRCs on this disk prove (repair.ts).
 * 3. The manifest is durable before a segment's first record: a segment that it names and that is
 *    not there is damage, one that it does not name never held anything.
 * 4. Every payload is checked against its CRC each time it comes from the disk. A sector that the disk
 *    does not read (EIO) is damage like any other, and nobody's end.
 * 5. A write or sync error is final for this process (`onFatal`). It is never retried, since the
 *    kernel may have dropped what it could not write.
 * 6. A full disk is not such an error: space is taken a whole segment ahead, and `full` is set as soon
 *    as that fails, while there is room for what is on its way. The last part of a segment is kept for
 *    control entries and hard states. `append` of what has no room rejects with LogFull, all else goes
 *    on, and it works again when there is space.
 * 7. What a peer that is behind can begin with is always here: a purge keeps a checkpoint below its
 *    index and all entries behind that checkpoint. A log that begins behind entry 1 has a checkpoint
 *    that says what was before, or it is not opened.
 * 8. What the safety of Raft needs is proved from what is whole, though any one sector be lost: of
 *    which term the last entry is, whether the members were changed where entries are lost
 *    (format.ts, LogEnd), and a checkpoint to begin with, of which there are always two. A log for
 *    which it cannot be proved is not opened; where a change of the members is lost `hasConfChange`
 *    says so.
 * 9. A snapshot that was received replaces the log as a whole, by one write of the manifest
 *    (install.ts): the power may go at any time, and the log is the old one or the new one.
 *
 * Files
 *   LOCK                        held by the process (platform)
 *   MANIFEST.0 MANIFEST.1       two slots, written in turn (manifest.ts)
 *   log/<first index>-<id>.seg  segments (segment-file.ts)
 *   log/next.tmp                the segment being pre-written
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import type { Entry, HardState } from "../raft/types.ts";

export interface LogBatch {
  readonly hardState: HardState;
  /** Entries beyond this index are dropped first. */
  readonly truncateAfter?: number;
  readonly entries: readonly Entry[];
  readonly checkpoint?: Checkpoint;
  /** What it holds is small and may use the space that is kept for the time when the disk is full. */
  readonly isControl?: boolean;
}

/** What apply has built from all entries up to `index`. */
export interface Checkpoint {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

/**
 * For a log whose end is damaged, of which a new cluster is to be made (`binraft recover --salvage`): "cut"
 * cuts it where it is whole, "look" opens it as if it had been cut, and changes nothing.
 */
export type Salvage = "look" | "cut";

export interface StorageOptions {
  readonly segmentBytes: number;
  /** Recently appended entries kept in memory for readers. */
  readonly hotBytes: number;
  /** Gets payload buffers back that nobody can be reading any more. */
  readonly pool: BufferPool;
  /** Blocks of the log kept in memory or in use by readers. */
  readonly blockBytes: number;
  /** Called once, before a new segment's first entry: what to restart from. */
  readonly checkpoint: () => Checkpoint | null;
  /** The log cannot be written any more: stop acknowledging, end the process. */
  readonly onFatal: (error: Error) => void;
}

/** Entries whose bytes are lost; the rest of the log is whole. */
export interface DamagedRange {
  readonly fromIndex: number;
  readonly toIndex: number;
  readonly why: string;
}

/** What one look of the scrub at a block brought. */
export interface VerifiedBlock {
  /** The entry to go on from. */
  readonly next: number;
  readonly bytes: number;
  /** Damage that nobody had found before. */
  readonly found: readonly DamagedRange[];
  /** Why the disk did not give the block. */
  readonly unreadable: string | null;
}

/** There is no space for a further segment. */
export class LogFull extends Error {
  constructor() {
    super("The disk is full: no further segment of the log can be made");
    this.name = "LogFull";
  }
}

/** A read of an entry that is damaged on this disk. */
export class EntryDamaged extends Error {
  readonly index: number;
  constructor(index: number, why: string) {
    super(`Entry ${index} of the log is damaged on this disk: ${why}`);
    this.name = "EntryDamaged";
    this.index = index;
  }
}

/** A read of an entry that was purged, or went with a log that a snapshot replaced, meanwhile. */
export class EntryGone extends Error {
  constructor(index: number) {
    super(`Entry ${index} of the log was purged or replaced while it was being read`);
    this.name = "EntryGone";
  }
}

/** `what` is wrong with the log in the data directory `root`, and what its operator can do. */
export function logCorrupt(root: string, what: string, cause?: unknown): LogCorrupt {
  return new LogCorrupt(
    `The log in "${root}" ${what}. Restore the directory from a backup; or, in a cluster, start with an ` +
      "empty one, which joins as a new learner, promote that and remove the old member; or, alone, with an " +
      "empty one, which pulls again what the source still has",
    cause === undefined ? {} : { cause },
  );
}

/** The log as a whole cannot be trusted: this node must not go on with it. */
export class LogCorrupt extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LogCorrupt";
  }
}
