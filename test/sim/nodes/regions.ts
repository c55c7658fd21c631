/** Runs over regions: who is where, and how far that is. The source is in the first region. */
import { estimateRttMs } from "../../../geo/rtt.ts";
import type { MemoryNetwork } from "../../../runtime/memory/net.ts";
import type { NodePlan, SimNode } from "./node.ts";

export const REGIONS = ["iad", "fra", "syd"] as const;

/** Impatient, so that much happens in a short run. */
const GEO: NonNullable<NodePlan["geo"]> = {
  placement: { mode: "auto", voters: 3, leaderRegion: null },
  leaderCooldownMs: 1_500,
  replaceAfterMs: 3_000,
};

/** Of the node of that number. */
export function placeOf(number: number): Pick<NodePlan, "region" | "geo"> {
  return { region: REGIONS[number % REGIONS.length]!, geo: GEO };
}

/** What goes from one region to another takes as long as it does. */
export function spread(network: MemoryNetwork, nodes: readonly SimNode[]): void {
  const setLine = (from: string, to: string, rttMs: number): void =>
    network.setLink(from, to, { latencyMs: rttMs / 2 });
  for (const a of nodes) {
    for (const b of nodes) if (a !== b) setLine(a.name, b.name, estimateRttMs(a.region, b.region)!);
    const rttMs = estimateRttMs(a.region, REGIONS[0])!;
    setLine(a.name, "source", rttMs);
    setLine("source", a.name, rttMs);
  }
}
