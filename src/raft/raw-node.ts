/**
 * The core for a cluster of one voter: real terms, a real vote, a log that is driven by Ready.
 * It elects itself, opens its term with an empty entry, and commits what its own disk has synced
 * (thesis §3.3–3.6 with a quorum of one).
 */
import { assert } from "../base/assert.ts";
import {
  type Entry,
  EntryType,
  type HardState,
  type InitialState,
  type Ready,
  type Role,
} from "./types.ts";

const NO_BYTES = new Uint8Array(0);

/** A proposal on a node that does not lead; the caller tries again elsewhere or later. */
export class NotLeader extends Error {
  constructor() {
    super("Cannot propose: this node does not lead");
    this.name = "NotLeader";
  }
}

export class RawNode {
  readonly id: number;
  #term: number;
  #vote: number;
  #commit: number;
  #role: Role = "follower";
  #lastIndex: number;
  /** Appended by proposals, not yet in a Ready. */
  #unstable: Entry[] = [];
  #saved: HardState;
  #inFlight: Ready | null = null;

  constructor(id: number, initial: InitialState) {
    this.id = id;
    this.#term = initial.hardState.term;
    this.#vote = initial.hardState.vote;
    this.#lastIndex = initial.lastIndex;
    this.#commit = Math.min(initial.hardState.commit, initial.lastIndex);
    this.#saved = initial.hardState;
    assert(initial.lastTerm <= this.#term, "the log has no entry of a later term");
  }

  get term(): number {
    return this.#term;
  }
  get role(): Role {
    return this.#role;
  }
  get commit(): number {
    return this.#commit;
  }
  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** The sole voter votes for itself; it leads once term and vote are durable. */
  campaign(): void {
    if (this.#role === "leader") return;
    this.#term++;
    this.#vote = this.id;
    this.#role = "candidate";
  }

  /** Appends an entry in the leader's term; returns its index. */
  propose(data: Uint8Array): number {
    if (this.#role !== "leader") throw new NotLeader();
    return this.#append(data);
  }

  #append(data: Uint8Array): number {
    const index = ++this.#lastIndex;
    this.#unstable.push({ index, term: this.#term, type: EntryType.NORMAL, data });
    return index;
  }

  hasReady(): boolean {
    if (this.#inFlight !== null) return false;
    if (this.#unstable.length > 0) return true;
    return this.#term !== this.#saved.term || this.#vote !== this.#saved.vote;
  }

  /**
   * At most one Ready is out at a time. `maxBytes` bounds the payloads in it, but one entry always
   * fits.
   */
  ready(maxBytes: number): Ready {
    assert(this.#inFlight === null, "the Ready before was advanced");
    let bytes = 0;
    let count = 0;
    while (count < this.#unstable.length && (count === 0 || bytes < maxBytes)) {
      bytes += this.#unstable[count++]!.data.length;
    }
    const hardState = { term: this.#term, vote: this.#vote, commit: this.#commit };
    const { term, vote, commit } = this.#saved;
    const changed =
      hardState.term !== term || hardState.vote !== vote || hardState.commit !== commit;
    const ready: Ready = {
      hardState: changed ? hardState : null,
      entries: this.#unstable.splice(0, count),
      snapshot: null,
      messages: [],
      leader: this.#role === "leader" ? this.id : 0,
      role: this.#role,
    };
    this.#inFlight = ready;
    return ready;
  }

  /** What `ready` held is durable: with a quorum of one that commits its entries. */
  advance(ready: Ready): void {
    assert(this.#inFlight === ready, "advance follows its own ready");
    this.#inFlight = null;
    if (ready.hardState !== null) this.#saved = ready.hardState;
    const last = ready.entries[ready.entries.length - 1];
    if (last !== undefined) this.#commit = last.index;
    if (this.#role === "candidate" && this.#saved.term === this.#term) {
      this.#role = "leader";
      // Entries of earlier terms are committed only through one of the own term (thesis §3.6.2).
      this.#append(NO_BYTES);
    }
  }
}
