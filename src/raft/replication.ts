/** What a leader sends to one peer or to all: appends, snapshots, heartbeats. */
import { describeProgress, hex } from "./describe.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { payloadsSize } from "./sizes.ts";
import { COMPACTED, PENDING } from "./storage.ts";
import { NO_BYTES } from "./types.ts";

export function broadcastAppend(raft: Raft): void {
  raft.tracker.visit((id) => {
    if (id !== raft.id) sendAppend(raft, id);
  });
}

/** An append even without entries: it carries the commit index, and probes. */
export function sendAppend(raft: Raft, to: number): void {
  maybeSendAppend(raft, to, true);
}

/** False when nothing was sent: the peer is paused, or there is nothing for it. */
export function maybeSendAppend(raft: Raft, to: number, evenEmpty: boolean): boolean {
  const progress = raft.tracker.progress.get(to)!;
  if (progress.isPaused) return false;
  const previous = progress.next - 1;
  const logTerm = raft.log.term(previous);
  if (logTerm === PENDING) {
    progress.awaitsEntries = true;
    return false;
  }
  if (typeof logTerm !== "number") return maybeSendSnapshot(raft, to, progress);
  const windowFull = progress.state === "replicate" && progress.inflights.full;
  if (windowFull) progress.inflights.timesFull++;
  const entries = windowFull ? [] : raft.log.entries(progress.next, raft.config.maxSizePerMessage);
  if (entries === COMPACTED) return maybeSendSnapshot(raft, to, progress);
  if (entries === PENDING) {
    // They come from the disk: no reason for a snapshot.
    progress.awaitsEntries = true;
    return false;
  }
  if (entries.length === 0 && !evenEmpty) return false;
  const commit = raft.log.committed;
  raft.send("MsgApp", to, { index: previous, logTerm, entries, commit });
  progress.sentEntries(entries.length, payloadsSize(entries));
  progress.sentCommit(commit);
  return true;
}

function maybeSendSnapshot(raft: Raft, to: number, progress: Progress): boolean {
  const id = hex(raft.id);
  if (!progress.recentActive) {
    raft.logger.debug(`ignore sending snapshot to ${hex(to)} since it is not recently active`);
    return false;
  }
  const snapshot = raft.log.snapshot();
  if (snapshot === null || snapshot.index === 0) {
    raft.logger.debug(
      `${id} failed to send snapshot to ${hex(to)} because snapshot is temporarily unavailable`,
    );
    return false;
  }
  const { index, term } = snapshot;
  raft.logger.debug(
    `${id} [firstindex: ${raft.log.firstIndex()}, commit: ${raft.log.committed}] sent ` +
      `snapshot[index: ${index}, term: ${term}] ` +
      `to ${hex(to)} [${describeProgress(progress)}]`,
  );
  progress.becomeSnapshot(index);
  raft.logger.debug(
    `${id} paused sending replication messages to ${hex(to)} [${describeProgress(progress)}]`,
  );
  raft.send("MsgSnap", to, { snapshot });
  return true;
}

/** What was awaited from the disk has arrived: feed those who waited. */
export function resumeAwaiting(raft: Raft): void {
  if (!raft.leads) return;
  raft.tracker.visit((id, progress) => {
    if (!progress.awaitsEntries) return;
    progress.awaitsEntries = false;
    while (maybeSendAppend(raft, id, false));
  });
}

export function broadcastHeartbeat(raft: Raft): void {
  broadcastHeartbeatWith(raft, raft.pendingReads.lastContext() ?? NO_BYTES);
}

export function broadcastHeartbeatWith(raft: Raft, context: Uint8Array): void {
  raft.tracker.visit((id, progress) => {
    if (id === raft.id) return;
    // Not more than it is known to have: its log may not reach our commit index.
    const commit = Math.min(progress.match, raft.log.committed);
    raft.send("MsgHeartbeat", id, { commit, context });
    progress.sentCommit(commit);
  });
}
