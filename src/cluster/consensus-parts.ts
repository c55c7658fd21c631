/** What the ready loop of a node is made of. */
import type { Logger } from "../base/logger.ts";
import type { Clock } from "../platform/clock.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { DurableLog } from "../storage/log.ts";
import type { PeerLinks } from "./links.ts";
import type { LogStorage } from "./raft-storage.ts";

export interface ConsensusParts {
  readonly node: RawNode;
  readonly log: DurableLog;
  readonly storage: LogStorage;
  readonly links: PeerLinks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timing: RaftTiming;
  readonly random: (length: number) => Uint8Array;
}

/** The same on all nodes of a cluster. */
export interface RaftTiming {
  readonly heartbeatMs: number;
  /** A node without a leader campaigns after once to twice this time. */
  readonly electionMs: number;
}
