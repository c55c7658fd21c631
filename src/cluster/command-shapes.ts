/**
 * The shapes of commands, by their type. They decide on every node what an entry is worth, and nodes of
 * several versions must decide the same: what is refused here changes only with the log's format
 * (version-gate.ts). Whether a command is wise is asked before it is proposed (operation-shapes.ts).
 */
import { z } from "zod";
import { GtidSet } from "../gtid/gtid-set.ts";
import {
  MAX_SOURCE_VALUE_LENGTH,
  MAX_SOURCE_VALUES,
  type SourceValues,
} from "../mysql/source-values.ts";
import { MAX_RAFT_ID } from "../peers/protocol.ts";
import { foundedMs, plainText, whole } from "../peers/shapes.ts";
import type { AccountSettings, Command, RetentionSettings, SourceSettings } from "./command.ts";
import type { SourceChange } from "./operations.ts";
import type { PlacementSettings } from "./policies.ts";
import { announcement, regionName, running, uuid } from "./shapes.ts";

const MAX_GTIDS = 8 * 1024 * 1024;
/** A day: no cluster waits so long for a leader. */
const MAX_HEARTBEAT_MS = 86_400_000;

const id = whole(MAX_RAFT_ID).refine((one) => one > 0);
/** A path, what is sealed, or PEM, which has lines. */
const MAX_REFERENCE = 80_000;
const reference = z
  .string()
  .max(MAX_REFERENCE)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is kept out.
  .regex(/^[^\0-\x08\x0b\x0c\x0e-\x1f\x7f]*$/)
  .nullable();

export const gtidSet: z.ZodType<string> = z
  .string()
  .max(MAX_GTIDS)
  .refine((text) => {
    try {
      GtidSet.parse(text);
      return true;
    } catch {
      return false;
    }
  });

export const fileName: z.ZodType<string> = plainText(512).refine((name) => name !== "");
export const accountName: z.ZodType<string> = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,32}$/u);

const sourceFields = {
  host: plainText(255),
  port: whole(65_535).refine((port) => port > 0),
  user: plainText(128),
  passwordRef: reference,
  tls: z.enum(["disabled", "verify-ca", "verify-identity"]),
  tlsCa: reference,
  tlsCert: reference,
  tlsKey: reference,
  publicKeyFile: reference,
  semiSync: z.boolean(),
  serverId: whole(2 ** 32 - 1).refine((one) => one > 0),
  nativePassword: z.boolean(),
  keepConnection: z.boolean(),
  region: regionName.nullable(),
} as const satisfies Record<keyof SourceSettings, z.ZodType>;

export const sourceSettings: z.ZodType<SourceSettings> = z.object(sourceFields);
export const sourceChange: z.ZodType<SourceChange> = z
  .object(sourceFields)
  .partial() as z.ZodType as z.ZodType<SourceChange>;

export const accountSettings: z.ZodType<AccountSettings> = z.object({
  sha2: z.string().regex(/^[0-9a-f]{64}$/),
  native: z
    .string()
    .regex(/^[0-9a-f]{40}$/)
    .nullable(),
  metadata: z.boolean().optional(),
});

export const retention: z.ZodType<RetentionSettings> = z.object({
  bytes: whole(Number.MAX_SAFE_INTEGER).nullable(),
  hours: whole(1_000_000).nullable(),
});

const placementFields = {
  mode: z.enum(["manual", "auto"]),
  voters: whole(9).refine((voters) => voters > 0),
  leaderRegion: regionName.nullable(),
} as const satisfies Record<keyof PlacementSettings, z.ZodType>;
export const placement: z.ZodType<PlacementSettings> = z.object(placementFields);
export const placementChange: z.ZodType<Partial<PlacementSettings>> = z
  .object(placementFields)
  .partial() as z.ZodType as z.ZodType<Partial<PlacementSettings>>;

/** Any names: what a node of a newer version reads at the source is kept, and shown where it is known. */
export const sourceValues: z.ZodType<SourceValues> = z
  .record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/), plainText(MAX_SOURCE_VALUE_LENGTH))
  .refine((values) => Object.keys(values).length <= MAX_SOURCE_VALUES);

const SHAPES: { readonly [T in Command["type"]]: z.ZodType } = {
  start: z.object({ type: z.literal("start"), purged: gtidSet }),
  "accept-gap": z.object({ type: z.literal("accept-gap"), gtids: gtidSet }),
  "accept-unproved": z.object({ type: z.literal("accept-unproved") }),
  "new-timeline": z.object({ type: z.literal("new-timeline") }),
  purge: z.object({ type: z.literal("purge"), firstKept: fileName }),
  "set-source": z.object({ type: z.literal("set-source"), source: sourceSettings }),
  "set-syncer": z.object({
    type: z.literal("set-syncer"),
    wanted: running,
    because: plainText(4096).optional(),
    met: uuid.optional(),
  }),
  "set-account": z.object({
    type: z.literal("set-account"),
    name: accountName,
    account: accountSettings,
  }),
  "remove-account": z.object({ type: z.literal("remove-account"), name: z.string().max(64) }),
  announce: z.object({ type: z.literal("announce"), id, announcement }),
  "set-server": z.object({ type: z.literal("set-server"), id, wanted: running }),
  "set-retention": z.object({ type: z.literal("set-retention"), retention }),
  "set-placement": z.object({ type: z.literal("set-placement"), placement }),
  "set-timing": z.object({
    type: z.literal("set-timing"),
    heartbeatMs: z.number().min(1).max(MAX_HEARTBEAT_MS),
  }),
  "set-source-values": z.object({
    type: z.literal("set-source-values"),
    values: sourceValues,
  }),
  "set-format": z.object({ type: z.literal("set-format"), version: whole(2 ** 16) }),
};

/** Null: it is none, of a type that this version knows. */
export function commandOf(value: { readonly type: Command["type"] }): Command | null {
  const result = SHAPES[value.type].safeParse(value);
  return result.success ? (result.data as Command) : null;
}

export function isKnownType(type: string): type is Command["type"] {
  return Object.hasOwn(SHAPES, type);
}

export const metCluster: z.ZodType<{ clusterId: string; foundedMs: number | null }> = z.object({
  clusterId: uuid,
  foundedMs,
});
