/**
 * The end of the log that is not known to be durable: entries, or a snapshot, or both.
 *
 *   stable …  | offset … (being written) | offsetInProgress … (not yet handed out)
 *
 * What is being written may be overwritten here by a later leader before the write is done. So a
 * write is acknowledged by (index, term): `stableTo` takes nothing for durable that has changed.
 */
import { assert } from "../base/assert.ts";
import type { Entry, EntryId, RaftLogger, Snapshot } from "./types.ts";

export class Unstable {
  snapshot: Snapshot | null = null;
  snapshotInProgress = false;
  /** Grows in place; what is handed out are copies of it. */
  entries: Entry[] = [];
  /** Index of the first of `entries`, or of the next one. */
  offset: number;
  offsetInProgress: number;
  readonly #logger: RaftLogger;

  constructor(offset: number, logger: RaftLogger) {
    this.offset = this.offsetInProgress = offset;
    this.#logger = logger;
  }

  get firstIndex(): number | null {
    return this.snapshot === null ? null : this.snapshot.index + 1;
  }

  get lastIndex(): number | null {
    if (this.entries.length > 0) return this.offset + this.entries.length - 1;
    return this.snapshot?.index ?? null;
  }

  term(index: number): number | null {
    if (index < this.offset) return this.snapshot?.index === index ? this.snapshot.term : null;
    return this.entries[index - this.offset]?.term ?? null;
  }

  /** Not yet handed out for writing. */
  nextEntries(): readonly Entry[] {
    return this.entries.slice(this.offsetInProgress - this.offset);
  }

  get hasNextEntries(): boolean {
    return this.offsetInProgress < this.offset + this.entries.length;
  }

  nextSnapshot(): Snapshot | null {
    return this.snapshotInProgress ? null : this.snapshot;
  }

  /** All of it is being written now. */
  acceptInProgress(): void {
    this.offsetInProgress = this.offset + this.entries.length;
    if (this.snapshot !== null) this.snapshotInProgress = true;
  }

  stableTo({ index, term }: EntryId): void {
    const ours = this.term(index);
    if (ours === null) {
      this.#logger.info(`entry at index ${index} missing from unstable log; ignoring`);
    } else if (index < this.offset) {
      this.#logger.info(`entry at index ${index} matched unstable snapshot; ignoring`);
    } else if (ours !== term) {
      this.#logger.info(
        `entry at (index,term)=(${index},${term}) mismatched with entry at (${index},${ours}) in ` +
          `unstable log; ignoring`,
      );
    } else {
      this.entries = this.entries.slice(index + 1 - this.offset);
      this.offset = index + 1;
      this.offsetInProgress = Math.max(this.offsetInProgress, this.offset);
    }
  }

  stableSnapshotTo(index: number): void {
    if (this.snapshot?.index !== index) return;
    this.snapshot = null;
    this.snapshotInProgress = false;
  }

  restore(snapshot: Snapshot): void {
    this.offset = this.offsetInProgress = snapshot.index + 1;
    this.entries = [];
    this.snapshot = snapshot;
    this.snapshotInProgress = false;
  }

  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0]!.index;
    const end = this.offset + this.entries.length;
    if (from === end) {
      for (const entry of entries) this.entries.push(entry);
    } else if (from <= this.offset) {
      this.#logger.info(`replace the unstable entries from index ${from}`);
      this.entries = [...entries];
      this.offset = this.offsetInProgress = from;
    } else {
      this.#logger.info(`truncate the unstable entries before index ${from}`);
      this.entries = [...this.slice(this.offset, from), ...entries];
      this.offsetInProgress = Math.min(this.offsetInProgress, from);
    }
  }

  slice(low: number, high: number): readonly Entry[] {
    assert(low >= this.offset && high <= this.offset + this.entries.length, "within the log's end");
    return this.entries.slice(low - this.offset, high - this.offset);
  }
}
