/**
 * How far a peer's log is known to go, and how it is fed (thesis §10.2.1).
 *
 *   probe      where its log agrees is not known: one append at a time, `next` is a guess
 *   replicate  it follows: appends stream within the window, `next` runs ahead of the answers
 *   snapshot   it needs what our log no longer has: nothing is sent until it has the snapshot
 *
 * Invariant: match < next. `match` only grows while we lead.
 */
import type { Inflights } from "./inflights.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

export interface ProgressOptions {
  readonly match?: number;
  readonly next: number;
  readonly inflights: Inflights;
  readonly learner: boolean;
  readonly recentActive?: boolean;
}

export class Progress {
  match: number;
  next: number;
  state: ProgressState = "probe";
  /** The index of the snapshot that was sent, in that state. */
  pendingSnapshot = 0;
  /** It was heard of since the last check of the quorum. */
  recentActive: boolean;
  /** No further append until something comes back. */
  paused = false;
  /** Its entries must be read from the disk first; it is fed again when they are there. */
  awaitsEntries = false;
  learner: boolean;
  readonly inflights: Inflights;
  /** The highest commit index that is on its way to the peer, or there. */
  #sentCommit = 0;

  constructor(options: ProgressOptions) {
    this.match = options.match ?? 0;
    this.next = options.next;
    this.inflights = options.inflights;
    this.learner = options.learner;
    this.recentActive = options.recentActive ?? false;
  }

  #reset(state: ProgressState): void {
    this.paused = false;
    this.awaitsEntries = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  becomeProbe(): void {
    // Behind a snapshot that may have arrived nothing below it need be tried again.
    const behind = this.state === "snapshot" ? this.pendingSnapshot : 0;
    this.#reset("probe");
    this.next = Math.max(this.match, behind) + 1;
    this.#boundSentCommit();
  }

  becomeReplicate(): void {
    this.#reset("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#reset("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.#sentCommit = index;
  }

  /** An append with so many entries went out. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === "replicate") {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      // At a full window one empty append may go a heartbeat, in case all of them were lost.
      this.paused = this.inflights.full;
    } else if (count > 0) {
      this.paused = true;
    }
  }

  sentCommit(index: number): void {
    this.#sentCommit = index;
  }

  /** Whether telling it this commit index now would move the peer's. */
  canBumpCommit(index: number): boolean {
    return index > this.#sentCommit && this.#sentCommit < this.next - 1;
  }

  #boundSentCommit(): void {
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
  }

  /** It acknowledged everything up to `index`; false when that is not news. */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /** It refused the append behind `rejected`; its log may agree at `hint`. False when that is stale. */
  maybeDecreaseTo(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.#boundSentCommit();
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.#boundSentCommit();
    this.paused = false;
    return true;
  }

  get isPaused(): boolean {
    return this.state === "snapshot" || this.paused || this.awaitsEntries;
  }

  /** For a copy of the configuration that may still be refused: the window is shared. */
  clone(): Progress {
    const copy = new Progress(this);
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.paused = this.paused;
    copy.awaitsEntries = this.awaitsEntries;
    copy.#sentCommit = this.#sentCommit;
    return copy;
  }
}
