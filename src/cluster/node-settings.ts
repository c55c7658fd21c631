/** What a node is started with. */
import type { Logger } from "../base/logger.ts";
import type { Address } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import type { AccountSettings, SourceSettings } from "./command.ts";
import type { MemoryBudget, NodeCore } from "./node-core.ts";
import type { Waiting } from "./operations.ts";
import type { GeoPolicies } from "./policies.ts";
import type { RetentionPolicy } from "./retention.ts";
import type { SealKeys } from "./seal.ts";
import type { SecretPlaces } from "./secret-places.ts";

export interface NodeSettings extends RetentionPolicy {
  readonly name: string;
  readonly region: string;
  readonly version: string;
  readonly dataDir: string;
  /** Null: derived from the disk's identity. */
  readonly serverId: number | null;
  readonly mysqlAddress: Address;
  readonly segmentBytes: number;
  /** For so long purge keeps what a replica will ask for that left; 0: not at all. */
  readonly keepForAbsentHours: number;
  readonly requireTls: boolean;
  readonly maxConnections: number;
  readonly allowOriginServerIds: boolean;
  /** Seeds of the replicated settings: they count once, then the log holds. */
  readonly source: SourceSettings | null;
  readonly accounts: ReadonlyMap<string, AccountSettings>;
  /** Files and variables of this node that the source's settings may name. */
  readonly secretPlaces: SecretPlaces;
  /** By which secrets in the log are sealed. */
  readonly sealKeys: SealKeys;
  /** Null: a node of its own. */
  readonly cluster: ClusterSettings | null;
  /** Only tests say how much memory entries may take. */
  readonly memory?: MemoryBudget;
}

export interface StartOptions {
  readonly platform: Platform;
  readonly logger: Logger;
  readonly settings: NodeSettings;
  readonly policies: GeoPolicies;
  /** For replicas; null serves without TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Told of the log and of what apply builds before the first entry is applied: for who checks it. */
  readonly onCore?: (core: NodeCore) => void;
  /** Told what the start waits for, when that is not its log. */
  readonly onWaiting?: (waiting: Waiting) => void;
}
