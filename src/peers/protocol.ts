/**
 * How two nodes talk: the contract of this folder.
 *
 *   TCP → TLS 1.3, both sides with a certificate
 *   → proof (handshake.ts): certificates of the cluster's CA, or the cluster secret bound to both
 *   → Hello each way; each side judges the other's and may refuse it, with a sentence
 *   → frames, until either side closes
 *
 *   frame   u32 length of what follows · u8 kind · body            little-endian
 *
 *   RAFT     one Raft message (message-codec.ts)
 *   STATUS   a value, once a second: what the others shall remember of us; keeps the link alive
 *   CALL     u32 number · the value {method, args}   ANSWER   u32 number · u8 1 when it failed · a value
 *   FETCH    u32 number · u64 first · u64 last       ENTRIES  u32 number · a MsgApp with them
 *   REFUSE   the value {code, message, cluster}: why this link ends
 *   PACKED   a RAFT or ENTRIES frame made smaller, between regions (packing.ts)
 *
 * Values are MessagePack as base/packed.ts reads it, checked by a schema before anything acts on them
 * (peers/shapes.ts, cluster/shapes.ts). Keys that a schema does not have are dropped: a newer version may
 * have added them. Nothing else is tolerated.
 *
 * Invariants
 * 1. Before the proof nothing is parsed but fixed lengths, and nothing is allocated for a peer but
 *    these. A length above its kind's cap ends the link.
 * 2. A Raft message whose sender is not the link's node ends the link.
 * 3. What waits to be sent to one peer is bounded in bytes; beyond it messages are dropped and the
 *    core is told. A slow or dead peer costs others nothing.
 * 4. One link a pair: the node with the lower Raft id dials, and the other when that does not for a
 *    while: so a node that was removed meanwhile learns of it. A node without an id (fresh) dials whom
 *    it was told of, and may only call.
 * 5. Whatever comes, it ends at most its own link: a well-formed frame that means nonsense, too
 *    (message-check.ts says what a Raft message can mean, cluster/message-edge.ts what it can mean here
 *    and now). No assertion of the Raft core can be reached from a link.
 * 6. Raft messages and statuses are taken of members, as this node knows them: in the configuration that it
 *    applied or has a snapshot of, or named by an entry that a member sent it. A node whose id is above all
 *    that were ever given here may have come while this one was away. Its link stands, it may call and be
 *    called, and its Raft messages are dropped until a member says that it is one, with this disk; or until
 *    this node has heard no leader for some election time-outs. Then those whom it knows may all be gone, and
 *    the log that it needs be nowhere but there (thesis §4.1: a server takes entries of a leader, and gives
 *    its vote to a candidate, that its own configuration does not have). See cluster/senders.ts.
 * 7. A refusal takes this node out of the cluster only when it comes from the address that the log has for
 *    a member: that is, in answer to our own dialling. Who dialled us proved the secret and no place; we
 *    dial that member ourselves then, and hear what it says.
 */
/** 2: values are MessagePack and no longer JSON. */
export const PROTOCOL_VERSION = 2;

/** Ids are given one after the other. */
export const MAX_RAFT_ID: number = 2 ** 32 - 1;
/** Of entries, terms, starts: beyond what any cluster comes to, and far from where numbers end. */
export const MAX_INDEX: number = 2 ** 48;
export const MAX_TERM: number = 2 ** 48;
/**
 * So many terms may pass while a node is away: a term takes an election, so this is one each hour for a
 * hundred years, or one each second for twelve days. A node that has no term yet takes any.
 */
export const MAX_TERM_JUMP: number = 2 ** 20;
/** The most that any configuration may have, in each of its lists. */
export const MAX_MEMBERS = 256;

export const FrameKind = {
  HELLO: 1,
  REFUSE: 2,
  STATUS: 3,
  RAFT: 4,
  CALL: 5,
  ANSWER: 6,
  FETCH: 7,
  ENTRIES: 8,
  PACKED: 9,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

const KIB = 1024;
const MIB = 1024 * KIB;

/** Body bytes; a MsgSnap carries all that apply has built. */
export const FRAME_CAPS: Readonly<Record<FrameKind, number>> = {
  [FrameKind.HELLO]: 16 * KIB,
  [FrameKind.REFUSE]: 16 * KIB,
  [FrameKind.STATUS]: 256 * KIB,
  [FrameKind.RAFT]: 64 * MIB,
  [FrameKind.CALL]: MIB,
  [FrameKind.ANSWER]: 4 * MIB,
  [FrameKind.FETCH]: 64,
  [FrameKind.ENTRIES]: 16 * MIB,
  [FrameKind.PACKED]: 64 * MIB,
};

export type PackMethod = "zstd" | "deflate";

/** Who a node is; the first frame of each side. */
export interface Hello {
  readonly protocol: number;
  /** Empty on a fresh node. */
  readonly clusterId: string;
  /** When that cluster was formed, wall clock; null when it is not known. */
  readonly foundedMs: number | null;
  /** 0 on a fresh node. */
  readonly raftId: number;
  readonly diskUuid: string;
  readonly name: string;
  readonly version: string;
  /** How often a process was started on this disk. */
  readonly boots: number;
  /** Of this process. */
  readonly nonce: string;
  /** Durable: the term that it is in, and whom it voted for in that (0: nobody). */
  readonly term: number;
  readonly vote: number;
  /** The last durable entry of its log. */
  readonly lastTerm: number;
  readonly lastIndex: number;
  /** How often a snapshot took the place of its log, which may end earlier since. */
  readonly installs: number;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** Where it is, and what it can unpack, the best first; absent of an older version. */
  readonly region?: string | undefined;
  readonly unpacks?: readonly string[] | undefined;
}

export type RefusalCode =
  | "other-cluster"
  | "unknown"
  | "removed"
  | "other-disk"
  | "clone"
  | "reverted"
  | "protocol";

/** Why a node is not taken for a member; the sentence is for its operator. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  /** Of `other-cluster`: which one the refusing node is of. */
  readonly cluster?: MetCluster;
}

/** A cluster of which some node was met. */
export interface MetCluster {
  readonly clusterId: string;
  readonly foundedMs: number | null;
}

/** What came over a link makes no sense here: the link ends. */
export class Nonsense extends Error {
  constructor(what: string) {
    super(`What it says makes no sense: ${what}`);
    this.name = "Nonsense";
  }
}

/** The other side refused us, or we it. */
export class LinkRefused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = "LinkRefused";
    this.refusal = refusal;
  }
}
