/**
 * What a Raft message of a member can mean here and now (pure): what no honest node could say to this one
 * is nonsense, and ends its link; what this one has no use for is dropped, for Raft sends again what
 * matters. Behind it no message can make the core find its own log contradicted (raft/errors.ts,
 * RaftBroken). What a message can mean at all: peers/message-check.ts.
 */
import { MAX_TERM_JUMP } from "../peers/protocol.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { Message, Role } from "../raft/types.ts";

/** This node, as its core has it. */
export interface Standing {
  readonly term: number;
  readonly role: Role;
  readonly leader: number;
  /** Written or not. */
  readonly lastIndex: number;
  /** Of reads that wait for a quorum. */
  readonly waitingReads: number;
}

export function standingOf({ term, role, leader, lastIndex, raft }: RawNode): Standing {
  const waitingReads = raft.pendingReads.size + raft.earlyReads.length;
  return { term, role, leader, lastIndex, waitingReads };
}

export type Meaning = "take" | "drop" | { readonly nonsense: string };

const MAX_WAITING_READS = 4096;

export function meaningOf(m: Message, own: Standing): Meaning {
  // Who was in no term yet may come into a cluster of any age.
  if (own.term > 0 && m.term > own.term + MAX_TERM_JUMP)
    return { nonsense: `term ${m.term}, where this node is in term ${own.term}` };
  const isOfNow = m.term === own.term;
  switch (m.type) {
    case "MsgHeartbeat":
      // It tells at most what this node has acknowledged. One of an earlier leader is answered, and no more.
      return m.term >= own.term && m.commit > own.lastIndex
        ? {
            nonsense: `entry ${m.commit} is committed here, where the log ends at ${own.lastIndex}`,
          }
        : "take";
    case "MsgAppResp":
      return isOfNow && own.role === "leader" && m.index > own.lastIndex
        ? { nonsense: `entry ${m.index} is acknowledged, and the last one is ${own.lastIndex}` }
        : "take";
    case "MsgTimeoutNow":
      // The leader's own wish. A late one must not cost the next leader its place.
      return isOfNow && m.from === own.leader ? "take" : "drop";
    case "MsgReadIndex":
      // A follower would pass it on in the asker's name. Who asked asks again.
      return own.role === "leader" && own.waitingReads < MAX_WAITING_READS ? "take" : "drop";
    case "MsgReadIndexResp":
      return isOfNow && m.from === own.leader ? "take" : "drop";
    default:
      return "take";
  }
}
