/** A log in memory, for tests and for embedders whose log is small. */
import { assert } from "../base/assert.ts";
import { isConfChange } from "./conf-change.ts";
import { limitSize } from "./sizes.ts";
import { COMPACTED, type RaftStorage, UNAVAILABLE } from "./storage.ts";
import {
  type ConfState,
  EMPTY_CONF_STATE,
  EMPTY_HARD_STATE,
  EMPTY_SNAPSHOT,
  type Entry,
  type HardState,
  type Snapshot,
} from "./types.ts";

export class MemoryStorage implements RaftStorage {
  hardState: HardState = EMPTY_HARD_STATE;
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  /** What was compacted last, then the entries behind it. */
  #offset = 0;
  #offsetTerm = 0;
  #entries: Entry[] = [];

  initialState(): { hardState: HardState; conf: ConfState } {
    return { hardState: this.hardState, conf: this.#snapshot.conf ?? EMPTY_CONF_STATE };
  }

  firstIndex(): number {
    return this.#offset + 1;
  }

  lastIndex(): number {
    return this.#offset + this.#entries.length;
  }

  term(index: number): number | typeof COMPACTED | typeof UNAVAILABLE {
    if (index < this.#offset) return COMPACTED;
    if (index === this.#offset) return this.#offsetTerm;
    return this.#entries[index - this.#offset - 1]?.term ?? UNAVAILABLE;
  }

  entries(
    low: number,
    high: number,
    maxBytes: number,
  ): readonly Entry[] | typeof COMPACTED | typeof UNAVAILABLE {
    if (low <= this.#offset) return COMPACTED;
    if (high > this.lastIndex() + 1) return UNAVAILABLE;
    return limitSize(
      this.#entries.slice(low - this.#offset - 1, high - this.#offset - 1),
      maxBytes,
    );
  }

  hasConfChange(low: number, high: number): boolean {
    return this.#entries.some(
      ({ index, type }) => index >= low && index < high && isConfChange(type),
    );
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  setHardState(hardState: HardState): void {
    this.hardState = hardState;
  }

  /** Replaces what there is from the first entry's index on. */
  append(entries: readonly Entry[]): void {
    const fresh = entries.filter((entry) => entry.index > this.#offset);
    const first = fresh[0];
    if (first === undefined) return;
    assert(first.index <= this.lastIndex() + 1, "entries leave no gap");
    this.#entries.length = first.index - this.#offset - 1;
    this.#entries.push(...fresh);
  }

  /** False when it is older than the one there is. */
  applySnapshot(snapshot: Snapshot): boolean {
    if (snapshot.index <= this.#snapshot.index) return false;
    this.#snapshot = snapshot;
    this.#offset = snapshot.index;
    this.#offsetTerm = snapshot.term;
    this.#entries = [];
    return true;
  }

  createSnapshot(index: number, conf: ConfState, data: Uint8Array): Snapshot {
    assert(
      index > this.#snapshot.index && index <= this.lastIndex(),
      "it is newer, and in the log",
    );
    this.#snapshot = { index, term: this.term(index) as number, conf, data };
    return this.#snapshot;
  }

  /** Forgets the entries up to `index`. */
  compact(index: number): void {
    assert(index > this.#offset && index <= this.lastIndex(), "it is in the log");
    this.#offsetTerm = this.term(index) as number;
    this.#entries = this.#entries.slice(index - this.#offset);
    this.#offset = index;
  }
}
