/** The shapes of the cluster, its members and what is asked of them; beside schema.ts. */
import { z } from "@hono/zod-openapi";
import type { ClusterStatus, MemberStatus } from "../cluster/operations.ts";
import { regionRtt } from "./placement-schema.ts";

const text = z.string();
const count = z.number();

export const memberStatus: z.ZodType<MemberStatus> = z.object({
  id: count,
  name: text,
  region: text,
  role: z.enum(["voter", "learner"]),
  fromNow: z.boolean(),
  leader: z.boolean(),
  self: z.boolean(),
  diskUuid: text,
  peerAddress: text,
  mysqlAddress: text,
  adminUrl: text,
  version: text,
  connected: z.boolean(),
  lastIndex: count.nullable(),
  lagEntries: count.nullable(),
  server: z.enum(["running", "stopped"]),
  refused: text,
});

export const clusterStatus: z.ZodType<ClusterStatus> = z.object({
  clusterId: text,
  term: count,
  leaderId: count,
  leaderName: text,
  voters: count,
  quorum: count,
  votersConnected: count,
  members: z.array(memberStatus),
  joint: z.boolean(),
  heartbeatMs: count,
  electionMs: count,
  rtts: z.array(regionRtt),
  retentionBytes: count.nullable(),
  retentionHours: count.nullable(),
  formatVersion: count,
});

/** A member's id or name, in the path and in bodies. */
export const memberName: z.ZodType<string> = z.string().min(1).max(255);

export const leaderRequest: z.ZodType<{ member: string }> = z.strictObject({
  // The leader chooses when it is left out.
  member: z.string().max(255).default(""),
});

export interface LeaderDocument {
  readonly leaderId: number;
  readonly leaderName: string;
}
export const leaderDocument: z.ZodType<LeaderDocument> = z.object({
  leaderId: count,
  leaderName: text,
});

export interface Retention {
  readonly bytes: number | null;
  readonly hours: number | null;
}
/** Null is no bound. Both are given: leaving one out could mean either. */
export const retentionDocument: z.ZodType<Retention> = z.strictObject({
  bytes: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).nullable(),
  hours: z.number().int().min(1).max(1_000_000).nullable(),
});

export const addMemberRequest: z.ZodType<{ address: string }> = z.strictObject({
  address: z
    .string()
    .max(300)
    .regex(
      /^(?:\[[0-9a-fA-F:.%]+\]|[^\s:[\]/@]+):[0-9]{1,5}$/,
      'expected "HOST:PORT", the listen.peer of the node that waits',
    )
    .refine((address) => isPort(address), "expected a port from 1 to 65535"),
});

function isPort(address: string): boolean {
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  return port >= 1 && port <= 65535;
}

export const replaceMemberRequest: z.ZodType<{ with: string }> = z.strictObject({
  with: memberName,
});
