/** What all connections of one binlog server share; made by the server, used by the sessions. */
import type { BufferPool } from "../base/buffer-pool.ts";
import type { Logger } from "../base/logger.ts";
import type { TlsInfo } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import type { FileFormats } from "./file-formats.ts";
import type { LoopTurns } from "./loop-turns.ts";
import type { ReplicaRegistry } from "./replica-registry.ts";
import type { ClientSession } from "./session.ts";
import type { Missing } from "./start-position.ts";
import type { ProcessInfo, RegisteredReplica } from "./statements.ts";
import type { BinlogStream } from "./stream.ts";
import type { StreamSignal } from "./stream-signal.ts";
import type { SourceTables } from "./tables.ts";
import type { VariableContext } from "./variables.ts";
import type { WorkRates } from "./work.ts";

export interface ServerIdentity {
  /** This node's own, random and stored; never the source's. */
  readonly serverUuid: string;
  readonly serverId: number;
}

/** They only grow, over the life of the server. */
export interface ServerCounters {
  connections: number;
  refusedConnections: number;
  logins: number;
  deniedLogins: number;
  /** TLS, time-out, malformed or lost before the login. */
  brokenLogins: number;
  commands: number;
  dumps: number;
  /** Of dumps that have ended; add those of the replicas that are connected. */
  bytesSent: number;
}

export interface ServerShared {
  readonly platform: Pick<Platform, "clock" | "random" | "crypto">;
  readonly logger: Logger;
  readonly stream: BinlogStream;
  readonly signal: StreamSignal;
  readonly formats: FileFormats;
  readonly identity: ServerIdentity;
  readonly registry: ReplicaRegistry;
  readonly counters: ServerCounters;
  /** For bytes that cannot be shared, of all dumps. */
  readonly copies: BufferPool;
  readonly turns: LoopTurns;
  /** What accounts have spent lately. */
  readonly rates: WorkRates;
  readonly idleTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly writeTimeoutMs: number;
  version(): string;
  variables(): Promise<VariableContext>;
  /** For this account; null when it is not allowed to ask the source. */
  tables(account: string): SourceTables | null;
  status(tls: TlsInfo | null): [name: string, value: string][];
  /** The text of COM_STATISTICS. */
  statistics(): string;
  processes(): ProcessInfo[];
  registered(): RegisteredReplica[];
  replicaStatus(): ReadonlyMap<string, string> | null;
  session(id: number): ClientSession | null;
  /** Why no dump may start now, as a sentence for the replica's operator; null when one may. */
  refusal(): string | null;
  /** Throws the error for a replica whose server_id wrote transactions of this log. */
  checkServerId(serverId: number): void;
  confirmMissing(what: Missing): Promise<boolean>;
  isOnTimeline(): Promise<boolean>;
}
