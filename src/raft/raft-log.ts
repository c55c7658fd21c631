/**
 * One node's log as the core sees it: what the storage has, then the unstable end.
 *
 * Invariant: applied ≤ applying ≤ committed ≤ lastIndex. Entries up to `committed` never change; a
 * message that says otherwise is RaftBroken, for somebody forgot what it had acknowledged.
 */
import { isConfChange } from "./conf-change.ts";
import { RaftBroken } from "./errors.ts";
import { entriesSize, limitSize } from "./sizes.ts";
import { COMPACTED, PENDING, type RaftStorage, UNAVAILABLE } from "./storage.ts";
import type { Entry, EntryId, RaftLogger, Snapshot } from "./types.ts";
import { Unstable } from "./unstable.ts";

export type EntriesAnswer = readonly Entry[] | typeof PENDING | typeof COMPACTED;

export class RaftLog {
  readonly unstable: Unstable;
  committed: number;
  /** Handed to the application. */
  applying: number;
  applied: number;
  readonly #storage: RaftStorage;
  readonly #logger: RaftLogger;
  readonly #maxApplyingSize: number;
  #applyingSize = 0;
  #applyingPaused = false;
  /** The next committed entries are being read from the disk. */
  awaitsCommitted = false;

  constructor(storage: RaftStorage, logger: RaftLogger, maxApplyingSize: number) {
    this.#storage = storage;
    this.#logger = logger;
    this.#maxApplyingSize = maxApplyingSize;
    this.unstable = new Unstable(storage.lastIndex() + 1, logger);
    // All that was compacted was committed and applied.
    this.committed = this.applying = this.applied = storage.firstIndex() - 1;
  }

  describe(): string {
    const { unstable } = this;
    return (
      `committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, ` +
      `unstable.offset=${unstable.offset}, unstable.offsetInProgress=${unstable.offsetInProgress}, ` +
      `len(unstable.Entries)=${unstable.entries.length}`
    );
  }

  firstIndex(): number {
    return this.unstable.firstIndex ?? this.#storage.firstIndex();
  }

  lastIndex(): number {
    return this.unstable.lastIndex ?? this.#storage.lastIndex();
  }

  term(index: number): number | typeof PENDING | typeof COMPACTED | typeof UNAVAILABLE {
    const unstable = this.unstable.term(index);
    if (unstable !== null) return unstable;
    if (index + 1 < this.firstIndex()) return COMPACTED;
    if (index > this.lastIndex()) return UNAVAILABLE;
    return this.#storage.term(index);
  }

  /** 0 where it is not known. */
  termOrZero(index: number): number {
    const term = this.term(index);
    return typeof term === "number" ? term : 0;
  }

  lastId(): EntryId {
    const index = this.lastIndex();
    const term = this.term(index);
    if (typeof term !== "number") throw new RaftBroken(`the last entry's term is ${term}`);
    return { index, term };
  }

  matchTerm({ index, term }: EntryId): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends so is at least as new as one that ends as ours (thesis §3.6.1). */
  isUpToDate(theirs: EntryId, ours: EntryId = this.lastId()): boolean {
    return theirs.term > ours.term || (theirs.term === ours.term && theirs.index >= ours.index);
  }

  append(entries: readonly Entry[]): number {
    const first = entries[0];
    if (first !== undefined) {
      if (first.index <= this.committed) {
        throw new RaftBroken(
          `after(${first.index - 1}) is out of range [committed(${this.committed})]`,
        );
      }
      this.unstable.truncateAndAppend(entries);
    }
    return this.lastIndex();
  }

  /**
   * Appends what a leader sent behind `previous`, if our log has that: what conflicts is replaced.
   * Returns the index of the last entry sent, or null.
   */
  maybeAppend(previous: EntryId, entries: readonly Entry[], committed: number): number | null {
    if (!this.matchTerm(previous)) return null;
    const last = previous.index + entries.length;
    const conflict = this.#findConflict(entries);
    if (conflict > 0) {
      if (conflict <= this.committed) {
        throw new RaftBroken(
          `entry ${conflict} conflict with committed entry [committed(${this.committed})]`,
        );
      }
      this.append(entries.slice(conflict - previous.index - 1));
    }
    this.commitTo(Math.min(committed, last));
    return last;
  }

  /** Index of the first entry that we do not have so; 0 when we have all. */
  #findConflict(entries: readonly Entry[]): number {
    for (const entry of entries) {
      if (this.matchTerm(entry)) continue;
      if (entry.index <= this.lastIndex()) {
        this.#logger.info(
          `found conflict at index ${entry.index} [existing term: ${this.termOrZero(entry.index)}, ` +
            `conflicting term: ${entry.term}]`,
        );
      }
      return entry.index;
    }
    return 0;
  }

  /**
   * The largest index up to `index` whose entry may agree with a log that has `term` there: one of a
   * higher term cannot. Where we do not know our term, that index with term 0.
   */
  findConflictByTerm(index: number, term: number): EntryId {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at);
      if (typeof ours !== "number") return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    if (index > this.lastIndex()) {
      throw new RaftBroken(
        `tocommit(${index}) is out of range [lastIndex(${this.lastIndex()})]. Was the raft log ` +
          `corrupted, truncated, or lost?`,
      );
    }
    this.committed = index;
  }

  /** Only an entry of the leader's own term is committed by counting (thesis §3.6.2). */
  maybeCommit({ index, term }: EntryId): boolean {
    if (term === 0 || index <= this.committed || !this.matchTerm({ index, term })) return false;
    this.commitTo(index);
    return true;
  }

  restore(snapshot: Snapshot): void {
    const { index, term } = snapshot;
    this.#logger.info(
      `log [${this.describe()}] starts to restore snapshot [index: ${index}, term: ${term}]`,
    );
    this.committed = index;
    this.unstable.restore(snapshot);
  }

  snapshot(): Snapshot | null {
    return this.unstable.snapshot ?? this.#storage.snapshot();
  }

  entries(from: number, maxBytes: number): EntriesAnswer {
    return from > this.lastIndex() ? [] : this.slice(from, this.lastIndex() + 1, maxBytes);
  }

  /** The entries in [low, high): at least one, more while they take at most `maxBytes`. */
  slice(low: number, high: number, maxBytes: number): EntriesAnswer {
    if (low < this.firstIndex()) return COMPACTED;
    if (low >= high) return [];
    const { unstable } = this;
    if (low >= unstable.offset) return limitSize(unstable.slice(low, high), maxBytes);
    const cut = Math.min(high, unstable.offset);
    const stable = this.#storage.entries(low, cut, maxBytes);
    if (stable === UNAVAILABLE) throw new RaftBroken(`entries [${low}, ${cut}) are unavailable`);
    if (typeof stable === "string" || high <= unstable.offset) return stable;
    if (stable.length < cut - low) return stable;
    const left = maxBytes - entriesSize(stable);
    if (left <= 0) return stable;
    const rest = limitSize(unstable.slice(unstable.offset, high), left);
    // The first one of a limited list may be beyond the limit.
    if (rest.length === 1 && entriesSize(rest) > left) return stable;
    return stable.concat(rest);
  }

  get durableCommitted(): number {
    return Math.min(this.committed, this.unstable.offset - 1);
  }

  /** What a node may apply: with a write of its own still under way only what is durable here. */
  #maxAppliable(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : this.durableCommitted;
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    if (this.#applyingPaused || this.awaitsCommitted || this.unstable.snapshot !== null)
      return false;
    return this.applying < this.#maxAppliable(allowUnstable);
  }

  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const left = this.#maxApplyingSize - this.#applyingSize;
    const entries = this.slice(this.applying + 1, this.#maxAppliable(allowUnstable) + 1, left);
    if (entries === COMPACTED) throw new RaftBroken("committed entries were compacted unapplied");
    if (entries !== PENDING) return entries;
    this.awaitsCommitted = true;
    return [];
  }

  acceptApplying(index: number, size: number, allowUnstable: boolean): void {
    this.applying = index;
    this.#applyingSize += size;
    this.#applyingPaused =
      this.#applyingSize >= this.#maxApplyingSize || index < this.#maxAppliable(allowUnstable);
  }

  appliedTo(index: number, size: number): void {
    if (index > this.committed || index < this.applied) {
      throw new RaftBroken(
        `applied(${index}) is out of range [prevApplied(${this.applied}), committed(${this.committed})]`,
      );
    }
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingSize = Math.max(0, this.#applyingSize - size);
    this.#applyingPaused = this.#applyingSize >= this.#maxApplyingSize;
  }

  /** Whether one of the entries in [low, high) changes the members. */
  hasConfChange(low: number, high: number): boolean {
    const { offset, entries } = this.unstable;
    const from = Math.max(low, offset);
    const unstable = from < high ? entries.slice(from - offset, high - offset) : [];
    if (unstable.some(({ type }) => isConfChange(type))) return true;
    return low < offset && this.#storage.hasConfChange(low, Math.min(high, offset));
  }
}
