/** How far a member is, as the leader knows it: who may come to vote, or to lead. */
import type { Member } from "./members.ts";
import type { NodeCore } from "./node-core.ts";

/** One that lacks more entries than this is not caught up. */
const CAUGHT_UP_ENTRIES = 1024;

export function lacksEntries({ driver }: NodeCore, id: number): number {
  const { node } = driver.consensus;
  return node.commit - (node.raft.tracker.progress.get(id)?.match ?? 0);
}

export function isCaughtUp(core: NodeCore, id: number): boolean {
  const progress = core.driver.consensus.node.raft.tracker.progress.get(id);
  return progress?.state === "replicate" && lacksEntries(core, id) <= CAUGHT_UP_ENTRIES;
}

/** A voter may come to lead, and then serves what others lack: it needs all files that there are. */
export function hasHistory({ state }: NodeCore, member: Member): boolean {
  const oldest = state.stream.files[0];
  return oldest === undefined || (member.startsAt ?? 0) <= oldest.startEntry;
}
