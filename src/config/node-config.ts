/**
 * The configuration as the rest of the program takes it: complete, checked, paths absolute. No
 * secret is in it, only where one is: `file:PATH` or `env:NAME`.
 */
import type { HostPort } from "./kinds.ts";

export interface NodeConfig {
  readonly node: {
    readonly name: string;
    readonly region: string;
    readonly dataDir: string;
    /** What is in it may be named in the source's settings. */
    readonly secretsDir: string;
    /** Null: derived from the node's UUID. */
    readonly serverId: number | null;
  };
  readonly listen: {
    readonly mysql: HostPort;
    readonly peer: HostPort;
    readonly admin: HostPort;
  };
  /** Null without any of its keys: a fresh directory becomes a cluster of one. */
  readonly cluster: ClusterSection | null;
  /** Seeds the replicated settings at the first start; null when no url is given. */
  readonly source: SourceSection | null;
  readonly accounts: readonly AccountSection[];
  readonly replicas: {
    readonly tlsCert: string | null;
    readonly tlsKey: string | null;
    readonly requireTls: boolean;
    readonly maxConnections: number;
    readonly allowOriginServerIds: boolean;
  };
  readonly storage: {
    readonly segmentBytes: number;
    readonly retentionBytes: number | null;
    readonly retentionHours: number | null;
    /** 0: what a replica needs is forgotten when it leaves. */
    readonly keepForAbsentHours: number;
  };
  readonly admin: {
    /** Null: made in the data directory at the first start. */
    readonly tokenRef: string | null;
    readonly tlsCert: string | null;
    readonly tlsKey: string | null;
    readonly openMetrics: boolean;
    readonly dashboard: boolean;
  };
}

export interface ClusterSection {
  /** Null: certificates are to do, and `tls` is there. */
  readonly secretRef: string | null;
  /** Files; null: nodes make their own certificates. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string } | null;
  /** Where other nodes reach this one. */
  readonly advertise: HostPort;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly join: readonly HostPort[];
  readonly bootstrapExpect: number | null;
  readonly placement: { readonly mode: "manual" | "auto"; readonly voters: number };
  readonly compress: "auto" | "always" | "never";
  readonly wanWindowBytes: number;
  readonly leaderCooldownMs: number;
  readonly replaceAfterMs: number;
  /** 0: never. */
  readonly removeAfterMs: number;
  /** What a fresh node begins with that joins. */
  readonly history: "all" | "from-now";
  readonly discovery: "static" | "dns" | "fly";
  /** With `dns`. */
  readonly discoveryName: HostPort | null;
}

/** The same shape as the replicated settings of the source. */
export interface SourceSection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly passwordRef: string | null;
  readonly tls: "disabled" | "verify-ca" | "verify-identity";
  readonly tlsCa: string | null;
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  readonly publicKeyFile: string | null;
  readonly semiSync: boolean;
  readonly serverId: number;
  readonly nativePassword: boolean;
  readonly keepConnection: boolean;
  readonly region: string | null;
}

export interface AccountSection {
  readonly name: string;
  readonly passwordRef: string;
  readonly native: boolean;
  readonly metadata: boolean;
}
