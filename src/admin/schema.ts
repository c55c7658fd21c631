/**
 * The shapes of the admin API, once: answers are cut to them (what is not named here cannot leave
 * the node, whatever it was given), requests are checked against them (unknown keys are refused),
 * and `/openapi.json` shows them. The types on the left keep them equal to the node's contract.
 */
import { z } from "@hono/zod-openapi";
import type { AccountSettings, SourceSettings } from "../cluster/command.ts";
import type {
  AccountStatus,
  GtidStatus,
  NodeStatus,
  ReplicaStatus,
  ServerStatus,
  SourceChange,
} from "../cluster/operations.ts";
import type { SourceCheck, SyncerStatus } from "../syncer/host.ts";
import type { ProblemDocument } from "./problem.ts";

/** A label, such as `iad`. */
export const regionName: z.ZodType<string> = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);
const text = z.string();
const count = z.number();

export const sourceCheck: z.ZodType<SourceCheck> = z.object({
  name: text,
  level: z.enum(["ok", "warn", "fail"]),
  message: text,
});

export const syncerStatus: z.ZodType<SyncerStatus> = z.object({
  state: z.enum(["CONNECTING", "RUNNING", "STOPPED", "GAP", "FORK", "REFUSED"]),
  reason: text,
  next: text,
  gtids: z.record(text, text),
  source: text,
  sourceUuid: text,
  sourceVersion: text,
  file: text,
  position: count,
  semiSync: z.boolean(),
  semiSyncSource: z
    .object({ active: z.boolean(), commitsWithoutAck: count, otherReplicas: count })
    .nullable(),
  acksSent: count,
  ackedFile: text,
  ackedPosition: count,
  attempts: count,
  connectedMs: count,
  receivedBytes: count,
  brokenPulls: count,
  kept: z.object({ state: z.enum(["off", "connecting", "ready"]), reason: text, ageMs: count }),
  loginHangs: z.boolean(),
  checks: z.array(sourceCheck),
});

export const serverStatus: z.ZodType<ServerStatus> = z.object({
  listening: z.boolean(),
  address: text,
  tls: z.enum(["offered", "required", "off"]),
  serverUuid: text,
  serverId: count,
  version: text,
  connections: count,
  replicas: count,
});

export const nodeStatus: z.ZodType<NodeStatus> = z.object({
  node: z.object({ name: text, region: text, version: text, runtime: text }),
  clusterId: text,
  raft: z.object({
    id: count,
    role: text,
    term: count,
    commit: count,
    applied: count,
    lastIndex: count,
    firstIndex: count,
    leaderSilentMs: count.nullable(),
  }),
  storage: z.object({
    dataDir: text,
    logBytes: count,
    segments: count,
    full: z.boolean(),
    appendedBytes: count,
    syncs: count,
    damage: z.array(text),
  }),
  stream: z.object({
    executed: text,
    purged: text,
    files: count,
    file: text,
    position: count,
    visibleBytes: count,
    deadBytes: count,
    open: z.boolean(),
  }),
  syncer: syncerStatus,
  server: serverStatus,
  alarms: z.array(text),
  process: z.object({ pid: count, rssBytes: count, cpuMs: count, uptimeMs: count }),
});

export const replicaStatus: z.ZodType<ReplicaStatus> = z.object({
  serverId: count,
  uuid: text,
  address: text,
  account: text,
  file: text,
  position: count,
  sentBytes: count,
  lagBytes: count,
  connectedMs: count,
  tls: z.boolean(),
  compression: text,
  state: text,
});

export const gtidStatus: z.ZodType<GtidStatus> = z.object({
  executed: text,
  purged: text,
  sourceUuids: z.array(text),
});

/** A binlog file as replicas see it. */
export interface BinlogDocument {
  readonly name: string;
  readonly sizeBytes: number;
  /** How it ended; `open` is still written. */
  readonly state: string;
  /** Some of it was never pulled: it is not the source's file byte for byte. */
  readonly partial: boolean;
  /** RFC 3339; null while the file has no event. */
  readonly firstTime: string | null;
  readonly lastTime: string | null;
  readonly sourceName: string;
  readonly sourceUuid: string;
}

export const binlogDocument: z.ZodType<BinlogDocument> = z.object({
  name: text,
  sizeBytes: count,
  state: z.enum(["open", "rotate", "stop", "crash", "tail-unknown"]),
  partial: z.boolean(),
  firstTime: text.nullable(),
  lastTime: text.nullable(),
  sourceName: text,
  sourceUuid: text,
});

const port = z.number().int().min(1).max(65535);
/** PEM, or the path of a file of it on each node. What is sealed comes from the log alone. */
const given = z
  .string()
  .min(1)
  .max(32 * 1024)
  .refine((value) => !value.startsWith("sealed:"), "expected PEM or a path");

/** Where secrets are; the secrets themselves are not in it. */
const sourceFields = {
  host: z.string().min(1).max(255),
  port,
  user: z.string().min(1).max(128),
  passwordRef: z
    .string()
    .regex(/^(file:.+|env:[A-Za-z_][A-Za-z0-9_]*)$/, 'expected "file:PATH" or "env:NAME"')
    .max(4096)
    .nullable(),
  tls: z.enum(["disabled", "verify-ca", "verify-identity"]),
  tlsCa: given.nullable(),
  tlsCert: given.nullable(),
  tlsKey: given.nullable(),
  publicKeyFile: given.nullable(),
  semiSync: z.boolean(),
  serverId: z
    .number()
    .int()
    .min(1)
    .max(2 ** 32 - 1),
  nativePassword: z.boolean(),
  keepConnection: z.boolean(),
  region: regionName.nullable(),
};

/** What is sealed is shown as just that. */
const shown = z.string().transform((value) => (value.startsWith("sealed:") ? "sealed" : value));
export const sourceSettings: z.ZodType<SourceSettings> = z.object({
  ...sourceFields,
  passwordRef: shown.nullable(),
  tlsKey: shown.nullable(),
}) as z.ZodType as z.ZodType<SourceSettings>;
/** JSON knows no `undefined`: what is optional is there or is not. */
export const sourceChange: z.ZodType<SourceChange> = z
  .strictObject({ ...sourceFields, password: z.string().min(1).max(1024) })
  .partial() as z.ZodType as z.ZodType<SourceChange>;

export interface SyncerDocument extends SyncerStatus {
  readonly settings: SourceSettings | null;
}
export const syncerDocument: z.ZodType<SyncerDocument> = z.intersection(
  syncerStatus,
  z.object({ settings: sourceSettings.nullable() }),
);

export const acceptGapRequest: z.ZodType<{ gtids: string; confirm: string }> = z.strictObject({
  gtids: z.string().min(1),
  confirm: z.string(),
});
/** What gives something up for good, or cannot be taken back. */
export const confirmRequest: z.ZodType<{ confirm: string }> = z.strictObject({
  confirm: z.string(),
});
export const purgeRequest: z.ZodType<{ to: string; dryRun: boolean }> = z.strictObject({
  to: z.string().min(1).max(512),
  dryRun: z.boolean().default(false),
});
/** What start, stop and check take: nothing. */
export const emptyRequest: z.ZodType<Record<string, never>> = z.strictObject({});

export const accountRequest: z.ZodType<AccountSettings> = z.strictObject({
  sha2: z.string().regex(/^[0-9a-f]{64}$/, "expected SHA256(SHA256(password)) in hex"),
  native: z
    .string()
    .regex(/^[0-9a-f]{40}$/, "expected SHA1(SHA1(password)) in hex")
    .nullable(),
  metadata: z.boolean().optional(),
});
export const accountDocument: z.ZodType<AccountStatus> = z.object({
  name: text,
  native: z.boolean(),
  metadata: z.boolean(),
});

export const problemDocument: z.ZodType<ProblemDocument> = z.object({
  type: text,
  title: text,
  status: count,
  code: text,
  detail: text,
  next: text,
});
