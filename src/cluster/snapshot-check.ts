/**
 * Whether the snapshot that a message brings can take the place of this node's log and of all that was built
 * from it. Entries need no such look: whatever they hold, apply takes it or passes it over, on all
 * nodes alike (command.ts, applied-change.ts).
 */
import type { Message } from "../raft/types.ts";
import { NodeState } from "./node-state.ts";

/** Null: nothing speaks against it, or the core will not want it. */
export function snapshotTrouble({ snapshot }: Message, commit: number): string | null {
  if (snapshot === null || snapshot.index <= commit) return null;
  const { index, data } = snapshot;
  try {
    const { applied } = NodeState.decode(data).stream;
    return applied === index ? null : `a snapshot of entry ${applied} that says ${index}`;
  } catch (error) {
    return `a snapshot that cannot be read: ${(error as Error).message}`;
  }
}
