/**
 * What a running node can be asked and told: the contract between the node and its admin API.
 * Reads are local and work without a quorum; writes are entries in the log and resolve once they
 * are applied. All reject with OperationError, whose text goes to the operator.
 */
import type { BinlogFile } from "../binlog/file-view.ts";
import type { SourceCheck, SyncerStatus } from "../syncer/host.ts";
import type { AccountSettings, SourceSettings } from "./command.ts";
import type { PlacementPlan, PlacementSettings } from "./policies.ts";
import type { RegionRtt } from "./rtt-matrix.ts";

export class OperationError extends Error {
  /** Becomes the HTTP status: not-found 404, conflict 409, invalid 400; unavailable and no-quorum 503. */
  readonly kind: "not-found" | "conflict" | "invalid" | "unavailable" | "no-quorum";
  /** What to do; empty when the message says it. */
  readonly next: string;
  constructor(kind: OperationError["kind"], message: string, next = "") {
    super(message);
    this.name = "OperationError";
    this.kind = kind;
    this.next = next;
  }
}

/** Why a node that starts can be asked nothing yet; sentences as those of OperationError. */
export interface Waiting {
  readonly reason: string;
  readonly next: string;
}

export const READS_LOG: Waiting = {
  reason: "This node starts: it reads its log",
  next: "try again in a moment",
};
export const NO_PLACE: Waiting = {
  reason: "This node has no place in a cluster yet",
  next: "binraft member add on a node of the cluster invites it",
};

export interface NodeStatus {
  readonly node: {
    readonly name: string;
    readonly region: string;
    readonly version: string;
    readonly runtime: string;
  };
  readonly clusterId: string;
  readonly raft: {
    readonly id: number;
    readonly role: string;
    readonly term: number;
    readonly commit: number;
    readonly applied: number;
    readonly lastIndex: number;
    readonly firstIndex: number;
    /** Since the leader was last heard of: how fresh what this node serves can be; null: never since its start. */
    readonly leaderSilentMs: number | null;
  };
  readonly storage: {
    readonly dataDir: string;
    readonly logBytes: number;
    readonly segments: number;
    readonly full: boolean;
    readonly appendedBytes: number;
    readonly syncs: number;
    readonly damage: readonly string[];
  };
  readonly stream: {
    readonly executed: string;
    readonly purged: string;
    readonly files: number;
    readonly file: string;
    readonly position: number;
    readonly visibleBytes: number;
    readonly deadBytes: number;
    /** True inside a transaction that has not ended yet. */
    readonly open: boolean;
  };
  readonly syncer: SyncerStatus;
  readonly server: ServerStatus;
  /** Sentences that need an operator's eye; empty when all is well. */
  readonly alarms: readonly string[];
  readonly process: {
    readonly pid: number;
    readonly rssBytes: number;
    readonly cpuMs: number;
    readonly uptimeMs: number;
  };
}

export interface ServerStatus {
  readonly listening: boolean;
  readonly address: string;
  readonly tls: "offered" | "required" | "off";
  readonly serverUuid: string;
  readonly serverId: number;
  readonly version: string;
  readonly connections: number;
  readonly replicas: number;
}

export interface ReplicaStatus {
  readonly serverId: number;
  readonly uuid: string;
  readonly address: string;
  readonly account: string;
  readonly file: string;
  readonly position: number;
  readonly sentBytes: number;
  readonly lagBytes: number;
  readonly connectedMs: number;
  readonly tls: boolean;
  readonly compression: string;
  readonly state: string;
}

export interface GtidStatus {
  readonly executed: string;
  readonly purged: string;
  readonly sourceUuids: readonly string[];
}

/** A change of the source; what is left out stays. With another host the password is given again. */
export interface SourceChange extends Partial<SourceSettings> {
  /** The secret itself: sealed by the node that is asked, before it goes anywhere. */
  readonly password?: string;
}

export interface MemberStatus {
  readonly id: number;
  readonly name: string;
  readonly region: string;
  /** `voter` also while a joint configuration has it in either half. */
  readonly role: "voter" | "learner";
  /** It joined from now, and others have older files. */
  readonly fromNow: boolean;
  readonly leader: boolean;
  readonly self: boolean;
  /** Names the disk for good: a node with another disk is another member. */
  readonly diskUuid: string;
  readonly peerAddress: string;
  readonly mysqlAddress: string;
  readonly adminUrl: string;
  readonly version: string;
  /** Heard of within an election time-out, by the node that answers. */
  readonly connected: boolean;
  /** The last entry that it is known to have; null when the node that answers does not know. */
  readonly lastIndex: number | null;
  readonly lagEntries: number | null;
  /** Whether its binlog server is wanted. */
  readonly server: "running" | "stopped";
  /** Why the node that answers refuses its link; empty when it does not. */
  readonly refused: string;
}

export interface ClusterStatus {
  readonly clusterId: string;
  readonly term: number;
  /** 0 while none is known. */
  readonly leaderId: number;
  readonly leaderName: string;
  readonly voters: number;
  /** So many voters must store an entry. */
  readonly quorum: number;
  /** Voters that the node that answers hears of, itself included. */
  readonly votersConnected: number;
  readonly members: readonly MemberStatus[];
  /** A change through a joint configuration is under way. */
  readonly joint: boolean;
  /** In use now: the configuration's, or longer where distances ask for it. */
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** How far regions are from each other. */
  readonly rtts: readonly RegionRtt[];
  readonly retentionBytes: number | null;
  readonly retentionHours: number | null;
  /** The log's format that all members can read, and may be written. */
  readonly formatVersion: number;
}

/** Where voters and leader are and should be, as the leader sees it. */
export interface PlacementStatus extends PlacementSettings {
  /** Where the source is, if somebody said so. */
  readonly sourceRegion: string | null;
  readonly leaderId: number;
  /** The voters as they are. */
  readonly current: readonly number[];
  /** What these do not stand; sentences. */
  readonly findings: readonly string[];
  /** Null when no node may vote. */
  readonly plan: PlacementPlan | null;
  readonly rtts: readonly RegionRtt[];
  /** What was done last by itself, or why it was not; empty when nothing was. */
  readonly last: string;
}

/** A node for clients of a region, the nearest first. */
export interface NearNode {
  readonly id: number;
  readonly name: string;
  readonly region: string;
  readonly mysqlAddress: string;
  /** From that region, there and back. */
  readonly rttMs: number;
  readonly lagEntries: number | null;
}

/**
 * What concerns the cluster as a whole. A member is named by its id or by its name, if that is one
 * member's alone. Any node takes these; the leader decides. Rejects with `no-quorum` when there
 * is no leader, `conflict` when the change would be unsafe: the message says why, `next` what first.
 */
export interface ClusterOperations {
  cluster(): ClusterStatus;
  /** Invites the fresh node that waits at a peer address; it becomes a learner. */
  addMember(peerAddress: string): Promise<MemberStatus>;
  /** A learner becomes a voter; refused until it is caught up. */
  promoteMember(member: string): Promise<MemberStatus>;
  /** A voter becomes a learner. */
  demoteMember(member: string): Promise<MemberStatus>;
  /** For good: its id never comes back. Refused when those that are left have no quorum. */
  removeMember(member: string): Promise<void>;
  /** In one step through a joint configuration: a learner becomes a voter, and a voter goes. */
  replaceMember(old: string, fresh: string): Promise<MemberStatus>;
  /** Resolves with the new leader's id; "" lets the leader choose. */
  transferLeader(member: string): Promise<number>;
  placement(): Promise<PlacementStatus>;
  /** What is left out stays. */
  setPlacement(change: Partial<PlacementSettings>): Promise<PlacementStatus>;
  /** Changes the voters to those of the plan, in one step; what it was. `conflict` where that is unsafe. */
  applyPlacement(): Promise<PlacementStatus>;
  /** Nodes that serve, for clients in a region; those not heard of are left out. */
  nearest(region: string): readonly NearNode[];
  /** Of whole files; null is no bound. */
  setRetention(retention: {
    readonly bytes: number | null;
    readonly hours: number | null;
  }): Promise<void>;
  /** The binlog server of the node that is asked; remembered over restarts. */
  startServer(): Promise<ServerStatus>;
  stopServer(): Promise<ServerStatus>;
  /** The syncer as the leader has it; this node's own view when there is no leader. */
  syncer(): Promise<SyncerStatus>;
  metrics(): NodeMetrics;
}

/** Counters since the process started, and gauges; beside what `status` and `cluster` tell. */
export interface NodeMetrics {
  readonly raft: {
    readonly elections: number;
    readonly leaderChanges: number;
    readonly proposals: number;
    /** Of the last entries that this node proposed, until they were applied here; null of none. */
    readonly commitMsP50: number | null;
    readonly commitMsP99: number | null;
    readonly uncommittedBytes: number;
    readonly unsyncedBytes: number;
    /** 1 when the last comparison of entry hashes with a peer differed. */
    readonly hashMismatches: number;
  };
  readonly peers: readonly {
    readonly id: number;
    readonly name: string;
    readonly connected: boolean;
    readonly sentBytes: number;
    readonly receivedBytes: number;
    readonly droppedMessages: number;
    /** That packing saved of what was sent. */
    readonly savedBytes: number;
    readonly queuedBytes: number;
    readonly rttMs: number | null;
  }[];
  readonly server: {
    readonly connections: number;
    readonly refusedConnections: number;
    readonly logins: number;
    readonly deniedLogins: number;
    readonly dumps: number;
    readonly bytesSent: number;
  };
}

export interface AccountStatus {
  readonly name: string;
  readonly native: boolean;
  readonly metadata: boolean;
}

/** Of verifiers nothing is shown. */
export function accountStatus([name, account]: readonly [string, AccountSettings]): AccountStatus {
  return { name, native: account.native !== null, metadata: account.metadata === true };
}

export interface NodeOperations {
  status(): NodeStatus;
  /** Null when ready to serve; else why not. */
  notReady(): string | null;
  replicas(): readonly ReplicaStatus[];
  gtid(): GtidStatus;
  files(): readonly BinlogFile[];
  /** The file's bytes as the source has them, `fe 62 69 6e` first. Not-found for an unknown name. */
  exportFile(name: string): AsyncIterable<Uint8Array>;
  /** All that this node has, from its oldest file on (backup.ts). */
  backup(): AsyncIterable<Uint8Array>;
  /** Drops whole files before `firstKept`; resolves with their names. With `dryRun` drops nothing. */
  purge(firstKept: string, dryRun: boolean): Promise<readonly string[]>;
  source(): SourceSettings | null;
  setSource(change: SourceChange): Promise<void>;
  startSyncer(): Promise<void>;
  stopSyncer(): Promise<void>;
  /** Connects to the source and reports, without changing anything. */
  checkSource(): Promise<readonly SourceCheck[]>;
  /** `confirm` is the cluster id. */
  acceptGap(gtids: string, confirm: string): Promise<void>;
  acceptUnproved(confirm: string): Promise<void>;
  newTimeline(confirm: string): Promise<void>;
  accounts(): readonly AccountStatus[];
  /** Verifiers are made from the password at the edge; it goes no further. */
  setAccount(name: string, account: AccountSettings): Promise<void>;
  removeAccount(name: string): Promise<void>;
  kickReplica(uuid: string): boolean;
}
