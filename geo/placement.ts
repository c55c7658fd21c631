/**
 * Which nodes should vote: so that any one region can be lost, and commits are as quick as they can be.
 *
 * - Odd numbers only: one voter more makes no difference to what an even number stands.
 * - Over three regions or more no region has a quorum, nor takes one away: it has at most (n - 1) / 2
 *   of n voters. Over two regions the leader's has the majority: that is the best there is.
 * - With that given, the nearest to the leader: a commit waits for the (quorum - 1)th nearest voter.
 *   Caps for each region and a number of nodes are a matroid, so taking the nearest one that still
 *   fits is not only quick, it is the best there is, also for what remains when a region is lost
 *   (test/unit/geo/placement.test.ts compares it with all sets).
 * - Among equals those that vote already: a change costs, too.
 */
import type {
  PlacementCost,
  PlacementMap,
  PlacementNode,
  PlacementPlan,
} from "../src/cluster/policies.ts";
import { lint } from "./lint.ts";
import { describePlan } from "./plan-text.ts";
import { capOf, quorumOf } from "./quorum.ts";

/** A gain below both is not worth a change. */
const GAIN_MS = 5;
const GAIN_SHARE = 0.2;

/** Null without any node that may vote. */
export function plan(map: PlacementMap): PlacementPlan | null {
  const nodes = map.nodes.filter(({ eligible }) => eligible);
  if (nodes.length === 0) return null;
  const regions = [...new Set(nodes.map(({ region }) => region))].sort();
  const voters = mostVoters(nodes, map.voters, regions.length);
  const leaderRegion = chooseLeaderRegion(map, nodes, regions, voters);
  const chosen = choose(map, nodes, leaderRegion, voters);
  return compare(map, chosen, leaderRegion, regions);
}

/** The wanted number, or the highest odd one below it that these nodes allow. */
function mostVoters(nodes: readonly PlacementNode[], wanted: number, regions: number): number {
  const perRegion = new Map<string, number>();
  for (const { region } of nodes) perRegion.set(region, (perRegion.get(region) ?? 0) + 1);
  for (let voters = wanted - (wanted % 2 === 0 ? 1 : 0); voters > 1; voters -= 2) {
    const cap = capOf(voters, regions);
    let room = 0;
    for (const count of perRegion.values()) room += Math.min(cap, count);
    if (room >= voters) return voters;
  }
  return 1;
}

/** The wanted one if a node there may vote; else the one with the shortest way for a transaction. */
function chooseLeaderRegion(
  map: PlacementMap,
  nodes: readonly PlacementNode[],
  regions: readonly string[],
  voters: number,
): string {
  const wanted = map.leaderRegion;
  if (wanted !== null && regions.includes(wanted)) return wanted;
  let best: { readonly region: string; readonly ways: readonly number[] } | null = null;
  for (const region of regions) {
    const chosen = choose(map, nodes, region, voters).map((node) => node.region);
    const { commitMs, degradedMs } = costOf(chosen, region, map.rttMs)!;
    const toLeaderMs = wanted === null ? 0 : map.rttMs(wanted, region);
    const ways = [toLeaderMs + commitMs, degradedMs ?? Number.POSITIVE_INFINITY];
    if (best === null || isLess(ways, best.ways)) best = { region, ways };
  }
  return best!.region;
}

function choose(
  { rttMs }: PlacementMap,
  nodes: readonly PlacementNode[],
  leaderRegion: string,
  voters: number,
): PlacementNode[] {
  const cap = capOf(voters, new Set(nodes.map(({ region }) => region)).size);
  const ways = new Map(
    nodes.map(({ region }) => [region, distance(leaderRegion, region, rttMs)] as const),
  );
  const byWay = [...nodes].sort(
    (a, b) =>
      ways.get(a.region)! - ways.get(b.region)! || Number(b.voter) - Number(a.voter) || a.id - b.id,
  );
  const chosen: PlacementNode[] = [];
  const taken = new Map<string, number>();
  for (const node of byWay) {
    const inRegion = taken.get(node.region) ?? 0;
    if (chosen.length === voters || inRegion >= cap) continue;
    chosen.push(node);
    taken.set(node.region, inRegion + 1);
  }
  return chosen;
}

function distance(from: string, to: string, rttMs: PlacementMap["rttMs"]): number {
  return from === to ? 0 : rttMs(from, to);
}

/** Null when no voter is in the leader's region. */
export function costOf(
  voterRegions: readonly string[],
  leaderRegion: string,
  rttMs: PlacementMap["rttMs"],
): PlacementCost | null {
  if (!voterRegions.includes(leaderRegion)) return null;
  const quorum = quorumOf(voterRegions.length);
  const waitsFor = (regions: readonly string[]): number | null => {
    const ways = regions.map((region) => distance(leaderRegion, region, rttMs));
    return ways.sort((a, b) => a - b)[quorum - 1] ?? null;
  };
  const commitMs = waitsFor(voterRegions)!;
  let degradedMs: number | null = commitMs;
  for (const lost of new Set(voterRegions)) {
    if (lost === leaderRegion) continue;
    const left = waitsFor(voterRegions.filter((region) => region !== lost));
    degradedMs = left === null || degradedMs === null ? null : Math.max(degradedMs, left);
  }
  return { commitMs, degradedMs };
}

/** The plan beside what there is. */
function compare(
  map: PlacementMap,
  chosen: readonly PlacementNode[],
  leaderRegion: string,
  regions: readonly string[],
): PlacementPlan {
  const voters = chosen.map(({ id }) => id).sort((a, b) => a - b);
  const current = map.nodes.filter(({ voter }) => voter);
  const promote = chosen.filter(({ voter }) => !voter).map(({ id }) => id);
  const demote = current.filter(({ id }) => !voters.includes(id)).map(({ id }) => id);
  const chosenRegions = chosen.map(({ region }) => region);
  const cost = costOf(chosenRegions, leaderRegion, map.rttMs)!;
  const currentRegions = current.map(({ region }) => region);
  const now = costOf(currentRegions, leaderRegion, map.rttMs);
  const findings = lint(chosenRegions, regions);
  const gone = current.some(({ eligible }) => !eligible);
  const mends = gone || lint(currentRegions, regions).length > findings.length;
  const changes = promote.length + demote.length > 0;
  const gains = now === null || voters.length > current.length || isGain(now, cost);
  return {
    ...cost,
    voters,
    promote: promote.sort((a, b) => a - b),
    demote: demote.sort((a, b) => a - b),
    leaderRegion,
    reasons: describePlan(map, chosen, leaderRegion, cost),
    findings,
    now,
    worthIt: changes && (mends || gains),
  };
}

function isGain(now: PlacementCost, then: PlacementCost): boolean {
  const better = (before: number, after: number): boolean =>
    before - after > Math.max(GAIN_MS, GAIN_SHARE * before);
  if (better(now.commitMs, then.commitMs)) return true;
  if (then.commitMs > now.commitMs || then.degradedMs === null) return false;
  return now.degradedMs === null || better(now.degradedMs, then.degradedMs);
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at]! < b[at]!;
}
