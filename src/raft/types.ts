/**
 * The contract of the Raft core, in the shape of etcd raft (thesis chapters 3, 4, 6 and 10).
 *
 * The core is a pure state machine: no clock, no disk, no socket, no randomness of its own. The
 * driver feeds it and carries out what it asks for:
 *
 *   tick()             one tick of logical time has passed
 *   step(message)      a message came from a peer, or back from the log's own thread
 *   propose(data)      append a payload, if this node leads
 *   ready()            what is to be done now; at most one is out at a time
 *   advance(ready)     it was done
 *
 * Doing a Ready, in this order:
 *   1. make `hardState`, `entries` and `snapshot` durable, in one write;
 *   2. send `messages`: those of a leader that carry entries may go before 1, nothing else may, for
 *      a vote or an acknowledgement promises what 1 makes true;
 *   3. apply `committedEntries` in order; for a conf change call `applyConfChange`;
 *   4. `advance(ready)`.
 *
 * With `asyncStorageWrites` the same order travels in messages: a Ready holds MsgStorageAppend for
 * APPEND_THREAD and MsgStorageApply for APPLY_THREAD, each with the responses that may leave once
 * it was done, and `advance` is not called. Messages for one thread are carried out in order.
 *
 * Invariants
 * - At most one leader a term; a vote or a term is durable before any message of that term that
 *   depends on it can leave.
 * - Entries up to `commit` are durable on a quorum and never change. Only an entry of the leader's
 *   own term is committed by counting.
 * - Two configurations that follow each other have intersecting quorums; there is never more than
 *   one unapplied change of them.
 * - Payloads are opaque bytes that the core never reads, copies or changes.
 *
 * Indexes, terms and ids are whole numbers below 2^53. The same calls give the same states on every
 * runtime and in the simulator.
 */
export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly type: EntryType;
  /** Empty in the entry with which a leader opens its term. */
  readonly data: Uint8Array;
}

export const EntryType = { NORMAL: 0, CONF_CHANGE: 1, CONF_CHANGE_V2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** The name of an entry. */
export interface EntryId {
  readonly term: number;
  readonly index: number;
}

/** What a node must never forget: a vote given or a term seen and lost could elect two leaders. */
export interface HardState {
  readonly term: number;
  /** The id voted for in `term`; 0 is none. */
  readonly vote: number;
  /** Highest index known to be committed. Losing this one costs time, not safety. */
  readonly commit: number;
}

export const EMPTY_HARD_STATE: HardState = { term: 0, vote: 0, commit: 0 };

/** A configuration as it is kept in a snapshot. Ids ascend. */
export interface ConfState {
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  /** The old half of a joint configuration; empty when it is not joint. */
  readonly votersOutgoing: readonly number[];
  /** Voters of the old half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly number[];
  /** The leader leaves the joint configuration by itself once it was applied. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** Everything up to `index`, as the application keeps it. */
export interface Snapshot {
  readonly index: number;
  readonly term: number;
  readonly conf: ConfState;
  readonly data: Uint8Array;
}

export const NO_BYTES: Uint8Array = new Uint8Array(0);
export const EMPTY_SNAPSHOT: Snapshot = {
  index: 0,
  term: 0,
  conf: EMPTY_CONF_STATE,
  data: NO_BYTES,
};

/** No node. */
export const NONE = 0;
/** Where messages for the log's own threads go; no node can have these ids. */
export const APPEND_THREAD: number = Number.MAX_SAFE_INTEGER;
export const APPLY_THREAD: number = Number.MAX_SAFE_INTEGER - 1;

export type MessageType =
  /** Local: start an election; a heartbeat is due; a quorum must have been heard of. */
  | "MsgHup"
  | "MsgBeat"
  | "MsgCheckQuorum"
  | "MsgProp"
  | "MsgApp"
  | "MsgAppResp"
  | "MsgVote"
  | "MsgVoteResp"
  | "MsgPreVote"
  | "MsgPreVoteResp"
  | "MsgSnap"
  | "MsgHeartbeat"
  | "MsgHeartbeatResp"
  /** Local: the transport could not deliver; a snapshot was, or was not, delivered. */
  | "MsgUnreachable"
  | "MsgSnapStatus"
  | "MsgTransferLeader"
  /** The receiver shall campaign at once, for leadership is handed to it. */
  | "MsgTimeoutNow"
  | "MsgReadIndex"
  | "MsgReadIndexResp"
  | "MsgForgetLeader"
  | "MsgStorageAppend"
  | "MsgStorageAppendResp"
  | "MsgStorageApply"
  | "MsgStorageApplyResp";

/** One message, of a peer or of the log's own threads. A field that a type does not use is 0 or empty. */
export interface Message {
  readonly type: MessageType;
  readonly from: number;
  readonly to: number;
  /** 0 in local messages. */
  readonly term: number;
  /** With `index` the entry before `entries`; of a vote request, the last entry of the log. */
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  readonly vote: number;
  readonly snapshot: Snapshot | null;
  readonly reject: boolean;
  /** Where the receiver's log may still agree. */
  readonly rejectHint: number;
  readonly context: Uint8Array;
  /** Of a candidate (election.ts). */
  readonly priority: number;
  /** Of vote requests, and refusals of who has no vote: what the sender knows to be committed. */
  readonly known: EntryId;
  /** To be delivered once the storage did what this message asks for. */
  readonly responses: readonly Message[];
}

const BLANK: Omit<Message, "type"> = {
  from: NONE,
  to: NONE,
  term: 0,
  logTerm: 0,
  index: 0,
  entries: [],
  commit: 0,
  vote: 0,
  snapshot: null,
  reject: false,
  rejectHint: 0,
  context: NO_BYTES,
  priority: 0,
  known: { index: 0, term: 0 },
  responses: [],
};

export function message(type: MessageType, fields: Partial<Omit<Message, "type">> = {}): Message {
  return { type, ...BLANK, ...fields };
}

/** Reads up to `index` are linearizable for the request that carried `context`. */
export interface ReadState {
  readonly index: number;
  readonly context: Uint8Array;
}

export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** Who leads and what this node is; not to be stored. */
export interface SoftState {
  readonly leader: number;
  readonly role: Role;
}

export interface Ready {
  /** Set when it changed since the last Ready. */
  readonly softState: SoftState | null;
  readonly hardState: HardState | null;
  readonly readStates: readonly ReadState[];
  /** To be appended, in order. They replace what the log has from their first index on. */
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | null;
  /** Empty when the driver reads them from its log itself (`RaftConfig.deliverCommitted`). */
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** What this Ready stores must be synced; otherwise losing it would cost time only. */
  readonly mustSync: boolean;
}

/** Lines for who follows what the core does; they carry no payload. */
export interface RaftLogger {
  debug(line: string): void;
  info(line: string): void;
  warn(line: string): void;
  error(line: string): void;
}

export const silentRaftLogger: RaftLogger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
