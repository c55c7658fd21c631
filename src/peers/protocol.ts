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
 *   STATUS   JSON, once a second: what the others shall remember of us; keeps the link alive
 *   CALL     u32 number · JSON {method, args}        ANSWER   u32 number · u8 1 when it failed · JSON
 *   FETCH    u32 number · u64 first · u64 last       ENTRIES  u32 number · a MsgApp with them
 *   REFUSE   JSON {code, message}: why this link ends
 *   PACKED   a RAFT or ENTRIES frame made smaller, between regions (packing.ts)
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
 * 5. Whatever comes, it ends at most its own link.
 */
export const PROTOCOL_VERSION = 1;

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
  readonly region?: string;
  readonly unpacks?: readonly string[];
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

/** The other side refused us, or we it. */
export class LinkRefused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = "LinkRefused";
    this.refusal = refusal;
  }
}
