/**
 * The contract of the Raft core, in the shape of etcd raft's Ready (thesis chapters 3, 4 and 10).
 *
 * The core is a pure state machine. The driver feeds it (`propose`, `tick`, `step`), takes a
 * `Ready`, does what it says, and calls `advance`:
 *
 *   1. make `hardState`, `entries` and `snapshot` durable (one sync);
 *   2. send `messages`: none of a term may leave before the hard state of that term is durable;
 *   3. `advance(ready)`.
 *
 * `commit` moves at `advance`. Entries up to it are durable on a quorum: the driver reads them from
 * the log and applies them at any time, in order, without waiting for the next sync. The core
 * itself holds no payload once it has handed it out.
 *
 * Payloads are opaque. Indexes and terms are whole numbers below 2^53. Randomness, time and I/O
 * never enter: the same calls give the same states on every runtime and in the simulator.
 */
export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly type: EntryType;
  /** Empty in the entry with which a leader opens its term. */
  readonly data: Uint8Array;
}

export const EntryType = { NORMAL: 0, CONF_CHANGE: 1 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** What a node must never forget: a vote given or a term seen and lost could elect two leaders. */
export interface HardState {
  readonly term: number;
  /** The id voted for in `term`; 0 is none. */
  readonly vote: number;
  /** Highest index known to be committed. Losing this one costs time, not safety. */
  readonly commit: number;
}

export const EMPTY_HARD_STATE: HardState = { term: 0, vote: 0, commit: 0 };

export interface ConfState {
  readonly voters: readonly number[];
  readonly learners: readonly number[];
}

/** Everything up to `index`, as the application keeps it. */
export interface Snapshot {
  readonly index: number;
  readonly term: number;
  readonly conf: ConfState;
  readonly data: Uint8Array;
}

/** A message to a peer. A cluster of one sends none. */
export interface Message {
  readonly type: string;
  readonly from: number;
  readonly to: number;
  readonly term: number;
}

export interface Ready {
  /** Set when it changed since the last Ready. */
  readonly hardState: HardState | null;
  /** To be appended, in order. */
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | null;
  readonly messages: readonly Message[];
  readonly leader: number;
  readonly role: Role;
}

export type Role = "follower" | "candidate" | "leader";

/** What a restarted node knows from its disk. */
export interface InitialState {
  readonly hardState: HardState;
  readonly lastIndex: number;
  readonly lastTerm: number;
}
