/**
 * What a cluster asks of geography: the contract between a node and `geo/`, which is handed in at the
 * start. All of it is pure: the node gathers what is known, asks, and acts on the answer through the
 * log, on the leader only. Nothing here can lose data: a bad answer costs latency or a refused change.
 *
 * Regions are names (`iad`). Times are milliseconds; an RTT is there and back.
 */
import type { RaftTiming } from "./consensus-parts.ts";

/** What operators decide, in the log. */
export interface PlacementSettings {
  /** `auto`: the leader applies plans by itself. `manual`: they are shown, and applied when asked for. */
  readonly mode: "manual" | "auto";
  /** Voters wanted; odd. Fewer are made where that many cannot be had without a region too many. */
  readonly voters: number;
  /** Where the leader is to be; null: where the source is. */
  readonly leaderRegion: string | null;
}

export interface PlacementNode {
  readonly id: number;
  readonly name: string;
  readonly region: string;
  readonly voter: boolean;
  /** It may be a voter: it is heard of, has caught up, and has the history that a voter needs. */
  readonly eligible: boolean;
}

export interface PlacementMap {
  readonly nodes: readonly PlacementNode[];
  readonly voters: number;
  /** The wanted region of the leader; null: whatever is best. */
  readonly leaderRegion: string | null;
  readonly rttMs: (from: string, to: string) => number;
}

/** How good a set of voters is; the first difference counts. */
export interface PlacementCost {
  /** Of a commit by a leader in `leaderRegion`, when all is well. */
  readonly commitMs: number;
  /** The same with the region lost that hurts most, the leader's own left out; null: there is no quorum then. */
  readonly degradedMs: number | null;
}

export interface PlacementPlan extends PlacementCost {
  /** Ids, ascending. */
  readonly voters: readonly number[];
  readonly promote: readonly number[];
  readonly demote: readonly number[];
  /** Where the plan has the leader. */
  readonly leaderRegion: string;
  /** Sentences: why it is so. */
  readonly reasons: readonly string[];
  /** Sentences: what it does not stand. */
  readonly findings: readonly string[];
  /** Of the voters as they are now, with the leader in the same region; null when there are none there. */
  readonly now: PlacementCost | null;
  /** It should be applied: it mends a finding, or the gain is worth a change. */
  readonly worthIt: boolean;
}

/** One that could lead, as the leader sees it. */
export interface Candidate {
  readonly id: number;
  readonly region: string;
  /** Heard of, and lacks nothing that matters. */
  readonly ready: boolean;
}

export interface LeaderView {
  readonly nowMs: number;
  readonly ownRegion: string;
  /** The wanted region; null: nobody cares. */
  readonly wantedRegion: string | null;
  /** Voters beside this node. */
  readonly candidates: readonly Candidate[];
  readonly rttMs: (from: string, to: string) => number;
  /** Monotonic; since when this node leads. */
  readonly leadsSinceMs: number;
}

export interface LeaderMove {
  readonly to: number;
  readonly reason: string;
}

/** Remembers across looks: a wish must last, and a move is followed by rest. */
export interface LeaderPlacement {
  look(view: LeaderView): LeaderMove | null;
  /** A move was tried; whether it was made counts the same. */
  moved(nowMs: number): void;
}

/** Of the links between voters. */
export interface SlowestLink {
  readonly smoothedMs: number;
  /** What hardly any round trip exceeds. */
  readonly worstMs: number;
}

export interface GeoPolicies {
  /** Before anything is measured; null for a region that is not known. */
  estimateRttMs(from: string, to: string): number | null;
  /** What all nodes are to use; `current` itself when a change is not worth it. */
  timing(current: RaftTiming, least: RaftTiming, slowest: SlowestLink): RaftTiming;
  /** Null when there is nobody to choose from. */
  plan(map: PlacementMap): PlacementPlan | null;
  /** What a set of voters, by their regions, does not stand, among the regions that there are. Sentences. */
  lint(voterRegions: readonly string[], regions: readonly string[]): readonly string[];
  /** Regions whose loss takes the quorum of these voters away. */
  criticalRegions(voterRegions: readonly string[]): readonly string[];
  /** Regions that have a quorum of these voters by themselves. */
  quorumRegions(voterRegions: readonly string[]): readonly string[];
  leaderPlacement(cooldownMs: number): LeaderPlacement;
}
