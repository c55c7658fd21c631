/** How one node's core behaves. Sizes are bytes; Infinity is no limit. */
import type { RaftStorage } from "./storage.ts";
import type { Tracer } from "./trace.ts";
import type { RaftLogger } from "./types.ts";

export interface RaftConfig {
  /** Not 0, below 2^53 - 2. */
  readonly id: number;
  readonly storage: RaftStorage;
  /** The last entry that the application has applied; after a restart it is not applied again. */
  readonly applied: number;
  /** Ticks without a leader until an election: drawn from [electionTick, 2 × electionTick). */
  readonly electionTick: number;
  /** Ticks between the heartbeats of a leader; below electionTick. */
  readonly heartbeatTick: number;
  /** A whole number in [0, below); drives the election time-outs. */
  readonly random: (below: number) => number;
  readonly logger: RaftLogger;
  /** Told every step, for checking a run against a specification; null costs nothing. */
  readonly tracer: Tracer | null;
  /** See the contract in types.ts. */
  readonly asyncStorageWrites: boolean;
  /** False: committed entries are not put into Ready; the driver reads them and calls `appliedTo`. */
  readonly deliverCommitted: boolean;
  /** Of the entries in one append; one entry always fits. */
  readonly maxSizePerMessage: number;
  readonly maxCommittedSizePerReady: number;
  /** Payload bytes of proposals that are not yet committed; beyond it they are dropped. */
  readonly maxUncommittedSize: number;
  readonly maxInflightMessages: number;
  /** Of payloads to one peer that are not yet acknowledged; 0 is no limit. */
  readonly maxInflightBytes: number;
  /** A leader that hears from no quorum for an election time-out steps down; followers refuse votes meanwhile. */
  readonly checkQuorum: boolean;
  /** An election is tried without a new term first (thesis §9.6). */
  readonly preVote: boolean;
  /** "lease" answers reads from the leader's clock: only safe with checkQuorum and bounded clock drift. */
  readonly reads: "safe" | "lease";
  readonly disableProposalForwarding: boolean;
  /** For an application that validates changes itself before they are applied. */
  readonly disableConfChangeValidation: boolean;
  /** A leader that is removed or demoted becomes a follower when that is applied. */
  readonly stepDownOnRemoval: boolean;
  /** Higher is preferred to lead, among logs that are equal (src/raft/priority.ts). */
  readonly priority: number;
}

export const DEFAULT_RAFT_CONFIG: Omit<RaftConfig, "id" | "storage" | "random" | "logger"> = {
  applied: 0,
  tracer: null,
  electionTick: 10,
  heartbeatTick: 1,
  asyncStorageWrites: false,
  deliverCommitted: true,
  maxSizePerMessage: 1024 * 1024,
  maxCommittedSizePerReady: 4 * 1024 * 1024,
  maxUncommittedSize: Number.POSITIVE_INFINITY,
  maxInflightMessages: 256,
  maxInflightBytes: 0,
  checkQuorum: true,
  preVote: true,
  reads: "safe",
  disableProposalForwarding: false,
  disableConfChangeValidation: false,
  stepDownOnRemoval: true,
  priority: 0,
};
