/**
 * What a running node can be asked and told: the contract between the node and its admin API.
 * Reads are local and work without a quorum; writes are entries in the log and resolve once they
 * are applied. All reject with OperationError, whose text goes to the operator.
 */
import type { BinlogFile } from "../binlog/file-view.ts";
import type { SourceCheck, SyncerStatus } from "../syncer/host.ts";
import type { AccountSettings, SourceSettings } from "./command.ts";

export class OperationError extends Error {
  /** Becomes the HTTP status: not-found 404, conflict 409, invalid 400, unavailable 503. */
  readonly kind: "not-found" | "conflict" | "invalid" | "unavailable";
  /** What to do; empty when the message says it. */
  readonly next: string;
  constructor(kind: OperationError["kind"], message: string, next = "") {
    super(message);
    this.name = "OperationError";
    this.kind = kind;
    this.next = next;
  }
}

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

/** A change of the source; what is left out stays. The password is a reference or is stored as a file. */
export type SourceChange = Partial<SourceSettings>;

export interface NodeOperations {
  status(): NodeStatus;
  /** Null when ready to serve; else why not. */
  notReady(): string | null;
  replicas(): readonly ReplicaStatus[];
  gtid(): GtidStatus;
  files(): readonly BinlogFile[];
  /** The file's bytes as the source has them, `fe 62 69 6e` first. Not-found for an unknown name. */
  exportFile(name: string): AsyncIterable<Uint8Array>;
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
  newTimeline(confirm: string): Promise<void>;
  accounts(): readonly { readonly name: string; readonly native: boolean }[];
  /** Verifiers are made from the password at the edge; it goes no further. */
  setAccount(name: string, account: AccountSettings): Promise<void>;
  removeAccount(name: string): Promise<void>;
  kickReplica(uuid: string): boolean;
}
