/** The answers of geography, as one value for the node (contract: src/cluster/policies.ts). */
import type { GeoPolicies } from "../src/cluster/policies.ts";
import { leaderPlacement } from "./leader-placement.ts";
import { criticalRegions, lint, quorumRegions } from "./lint.ts";
import { plan } from "./placement.ts";
import { estimateRttMs } from "./rtt.ts";
import { timing } from "./timing.ts";

export const GEO: GeoPolicies = {
  estimateRttMs,
  timing,
  plan,
  lint,
  criticalRegions,
  quorumRegions,
  leaderPlacement,
};
