/** What a node of a cluster is told by its configuration. */
import type { PeerCredentials } from "../peers/handshake.ts";
import type { Address } from "../platform/net.ts";
import type { Discovery } from "./discovery.ts";
import type { PlacementSettings } from "./policies.ts";

export type History = "all" | "from-now";

export interface ClusterSettings {
  readonly listen: Address;
  /** Where the others reach this node: "host:port" or a URL. */
  readonly advertised: { readonly peer: string; readonly mysql: string; readonly admin: string };
  /** Finds nodes to join, or to form a cluster with. */
  readonly discovery: Discovery;
  /** A fresh directory forms a cluster once so many fresh nodes see each other. */
  readonly bootstrapExpect: number | null;
  /** A fresh directory becomes a cluster of one that others can join. */
  readonly bootstrap: boolean;
  /** What a fresh directory that joins begins with: everything, or the file that is written now. */
  readonly history: History;
  /** The least; distances make them longer. */
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** Seeds the replicated setting. */
  readonly placement: PlacementSettings;
  /** Whether links are packed: between regions, all of them, or none. */
  readonly compress: "auto" | "always" | "never";
  /** The most that may be on its way to a member in another region. */
  readonly wanWindowBytes: number;
  /** After the leader was moved, or began to lead, it is not moved for so long. */
  readonly leaderCooldownMs: number;
  /** A voter that is not heard of for so long may be replaced by a plan. */
  readonly replaceAfterMs: number;
  /** In mode `auto` a member without a vote that is not heard of for so long is removed; 0: never. */
  readonly removeAfterMs: number;
  /** What this node shows to its peers and accepts of them (peers/host.ts). */
  readonly credentials: () => Promise<PeerCredentials>;
}
