/** The shapes of placement: how far regions are, who votes where, and who is near. */
import { z } from "@hono/zod-openapi";
import type { NearNode, PlacementStatus } from "../cluster/operations.ts";
import type { PlacementPlan, PlacementSettings } from "../cluster/policies.ts";
import type { RegionRtt } from "../cluster/rtt-matrix.ts";
import { regionName } from "./schema.ts";

const text = z.string();
const count = z.number();
const ids = z.array(count);
const sentences = z.array(text);
const cost = { commitMs: count, degradedMs: count.nullable() };

export const regionRtt: z.ZodType<RegionRtt> = z.object({
  from: text,
  to: text,
  rttMs: count.nullable(),
  measured: z.boolean(),
});

const plan: z.ZodType<PlacementPlan> = z.object({
  ...cost,
  voters: ids,
  promote: ids,
  demote: ids,
  leaderRegion: text,
  reasons: sentences,
  findings: sentences,
  now: z.object(cost).nullable(),
  worthIt: z.boolean(),
});

export const placementStatus: z.ZodType<PlacementStatus> = z.object({
  mode: z.enum(["manual", "auto"]),
  voters: count,
  leaderRegion: text.nullable(),
  sourceRegion: text.nullable(),
  leaderId: count,
  current: ids,
  findings: sentences,
  plan: plan.nullable(),
  rtts: z.array(regionRtt),
  last: text,
});

/** What is left out stays. */
export const placementChange: z.ZodType<Partial<PlacementSettings>> = z
  .strictObject({
    mode: z.enum(["manual", "auto"]),
    voters: z.number().int().min(1).max(9),
    leaderRegion: regionName.nullable(),
  })
  .partial() as z.ZodType as z.ZodType<Partial<PlacementSettings>>;

export const nearNode: z.ZodType<NearNode> = z.object({
  id: count,
  name: text,
  region: text,
  mysqlAddress: text,
  rttMs: count,
  lagEntries: count.nullable(),
});
