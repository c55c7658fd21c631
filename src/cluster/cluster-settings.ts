/** What a node of a cluster is told by its configuration. */
import type { PeerCredentials } from "../peers/handshake.ts";
import type { Address } from "../platform/net.ts";
import type { Discovery } from "./discovery.ts";

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
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** What this node shows to its peers and accepts of them (peers/host.ts). */
  readonly credentials: () => Promise<PeerCredentials>;
}
