/** Why a plan is as it is, for the operator who has to believe it. */
import type { PlacementCost, PlacementMap, PlacementNode } from "../src/cluster/policies.ts";
import { quorumOf } from "./quorum.ts";

export function describePlan(
  { voters: wanted, leaderRegion: wantedRegion, rttMs }: PlacementMap,
  chosen: readonly PlacementNode[],
  leaderRegion: string,
  { commitMs, degradedMs }: PlacementCost,
): string[] {
  const regions = [...new Set(chosen.map(({ region }) => region))];
  const reasons = [
    `${count(chosen.length, "voter")} in ${count(regions.length, "region")}: a commit needs ` +
      `${quorumOf(chosen.length)}${regions.length >= 3 ? ", so any one region can be lost" : ""}`,
  ];
  if (chosen.length < wanted) {
    reasons.push(
      `${wanted} voters are wanted; with the nodes that can vote now ${chosen.length} are the most`,
    );
  }
  reasons.push(
    wantedRegion === leaderRegion
      ? `The leader is to be in ${leaderRegion}, where the source is or the operator wants it`
      : wantedRegion === null
        ? `The region of the source is not known; from ${leaderRegion} commits are quickest`
        : `No node of ${wantedRegion} can vote; from ${leaderRegion} the way of a transaction is shortest`,
  );
  const nearest = regions.filter((region) => region !== leaderRegion);
  if (nearest.length > 0) {
    const ways = nearest
      .map((region) => ({ region, ms: rttMs(leaderRegion, region) }))
      .sort((a, b) => a.ms - b.ms)
      .map(({ region, ms }) => `${region} ${Math.round(ms)} ms`);
    reasons.push(`From there and back: ${ways.join(", ")}`);
    reasons.push(
      degradedMs === null
        ? `A commit waits ${Math.round(commitMs)} ms for its quorum`
        : `A commit waits ${Math.round(commitMs)} ms for its quorum, and ${Math.round(degradedMs)} ms with the ` +
            "other region lost that hurts most",
    );
  }
  return reasons;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
