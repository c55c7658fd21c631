/** The snapshot that a peer is sent. */

import type { RawNode } from "../raft/raw-node.ts";
import type { Message } from "../raft/types.ts";
import { membersOf } from "./members.ts";

/**
 * The state that a peer begins with is from before the oldest entry, so maybe from before that peer
 * was a member; the core takes no snapshot whose configuration it is not in. As a learner it counts
 * for nothing, and its own entry comes later.
 */
export function forReceiver(message: Message): Message {
  const { snapshot, to } = message;
  if (snapshot === null || membersOf(snapshot.conf).includes(to)) return message;
  const learners = [...snapshot.conf.learners, to].sort((a, b) => a - b);
  return { ...message, snapshot: { ...snapshot, conf: { ...snapshot.conf, learners } } };
}

/**
 * A peer has the snapshot that it was sent, and the core goes on waiting: our log begins behind that by now. Only
 * the application knows that it arrived. Once told, the core probes, and the peer gets a newer one.
 */
export function hasSnapshot({ raft }: RawNode, peer: number): boolean {
  const progress = raft.tracker.progress.get(peer);
  return progress?.state === "snapshot" && progress.match >= progress.pendingSnapshot;
}
