/** What a leader does with a message (thesis §3.5, §3.6, §3.10, §6.4). */
import { decodeConfChange, isConfChange } from "./conf-change.ts";
import { describeConfChange, describeConfig, describeProgress, hex } from "./describe.ts";
import { ProposalDropped } from "./errors.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import {
  broadcastAppend,
  broadcastHeartbeat,
  broadcastHeartbeatWith,
  maybeSendAppend,
  sendAppend,
} from "./replication.ts";
import { payloadsSize } from "./sizes.ts";
import { trace, traceAppend } from "./trace.ts";
import { isJoint } from "./tracker.ts";
import { type Entry, EntryType, type Message, NO_BYTES, NONE } from "./types.ts";

export function stepLeader(raft: Raft, m: Message): void {
  switch (m.type) {
    case "MsgBeat":
      broadcastHeartbeat(raft);
      return;
    case "MsgCheckQuorum":
      checkQuorum(raft);
      return;
    case "MsgProp":
      propose(raft, m);
      return;
    case "MsgReadIndex":
      readIndex(raft, m);
      return;
    case "MsgForgetLeader":
      return;
    default:
  }
  const progress = raft.tracker.progress.get(m.from);
  if (progress === undefined) {
    raft.logger.debug(`${hex(raft.id)} no progress available for ${hex(m.from)}`);
    return;
  }
  switch (m.type) {
    case "MsgAppResp":
      handleAppendResponse(raft, m, progress);
      return;
    case "MsgHeartbeatResp":
      handleHeartbeatResponse(raft, m, progress);
      return;
    case "MsgSnapStatus":
      handleSnapshotStatus(raft, m, progress);
      return;
    case "MsgUnreachable":
      // What was sent ahead is probably lost.
      if (progress.state === "replicate") progress.becomeProbe();
      raft.logger.debug(
        `${hex(raft.id)} failed to send message to ${hex(m.from)} because it is unreachable ` +
          `[${describeProgress(progress)}]`,
      );
      return;
    case "MsgTransferLeader":
      transferLeader(raft, m.from, progress);
      return;
    default:
  }
}

function checkQuorum(raft: Raft): void {
  if (!raft.tracker.quorumActive()) {
    raft.logger.warn(`${hex(raft.id)} stepped down to follower since quorum is not active`);
    raft.becomeFollower(raft.term, NONE);
  }
  raft.tracker.visit((id, progress) => {
    if (id !== raft.id) progress.recentActive = false;
  });
}

function propose(raft: Raft, m: Message): void {
  // Removed while it leads: it finishes what is under way and begins nothing.
  if (!raft.tracker.progress.has(raft.id)) throw new ProposalDropped();
  if (raft.leadTransferee !== NONE) {
    raft.logger.debug(
      `${hex(raft.id)} [term ${raft.term}] transfer leadership to ${hex(raft.leadTransferee)} is ` +
        `in progress; dropping proposal`,
    );
    throw new ProposalDropped();
  }
  let pending = raft.pendingConfIndex;
  const entries = m.entries.map((entry, at) => {
    if (!isConfChange(entry.type)) return entry;
    const refusal = confChangeRefusal(raft, entry, pending);
    if (refusal !== null && !raft.config.disableConfChangeValidation) {
      raft.logger.info(
        `${hex(raft.id)} ignoring conf change ${describeConfChange(decodeConfChange(entry.data))} ` +
          `at config ${describeConfig(raft.tracker.config)}: ${refusal}`,
      );
      return { ...entry, type: EntryType.NORMAL, data: NO_BYTES };
    }
    pending = raft.log.lastIndex() + at + 1;
    return entry;
  });
  raft.pendingConfIndex = pending;
  if (!appendAsLeader(raft, entries)) throw new ProposalDropped();
  broadcastAppend(raft);
}

function confChangeRefusal(raft: Raft, entry: Entry, pending: number): string | null {
  const leaves = decodeConfChange(entry.data).changes.length === 0;
  const joint = isJoint(raft.tracker.config);
  if (pending > raft.log.applied) {
    return `possible unapplied conf change at index ${pending} (applied to ${raft.log.applied})`;
  }
  if (joint && !leaves) return "must transition out of joint config first";
  return !joint && leaves ? "not in joint state; refusing empty conf change" : null;
}

/** False when that would be too much that is not committed; then nothing is appended. */
export function appendAsLeader(
  raft: Raft,
  proposed: readonly Pick<Entry, "type" | "data">[],
): boolean {
  const last = raft.log.lastIndex();
  const { term } = raft;
  const entries = proposed.map(({ type, data }, i) => ({ index: last + 1 + i, term, type, data }));
  if (!raft.increaseUncommitted(payloadsSize(entries))) {
    raft.logger.warn(
      `${hex(raft.id)} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`,
    );
    return false;
  }
  traceAppend(raft, entries);
  // The leader acknowledges to itself as anybody does: once they are durable.
  raft.send("MsgAppResp", raft.id, { index: raft.log.append(entries) });
  return true;
}

function handleAppendResponse(raft: Raft, m: Message, progress: Progress): void {
  progress.recentActive = true;
  if (m.reject) {
    raft.logger.debug(
      `${hex(raft.id)} received MsgAppResp(rejected, hint: (index ${m.rejectHint}, term ` +
        `${m.logTerm})) from ${hex(m.from)} for index ${m.index}`,
    );
    // Our entries of a term above theirs at the hint cannot match: the last one that can is tried.
    const hint =
      m.logTerm > 0 ? raft.log.findConflictByTerm(m.rejectHint, m.logTerm).index : m.rejectHint;
    if (!progress.maybeDecreaseTo(m.index, hint)) return;
    raft.logger.debug(
      `${hex(raft.id)} decreased progress of ${hex(m.from)} to [${describeProgress(progress)}]`,
    );
    if (progress.state === "replicate") progress.becomeProbe();
    sendAppend(raft, m.from);
    return;
  }
  const news = progress.maybeUpdate(m.index);
  // A probe that brought nothing new still tells that the logs agree.
  if (!news && !(progress.match === m.index && progress.state === "probe")) return;
  if (progress.state === "probe") {
    progress.becomeReplicate();
  } else if (progress.state === "snapshot") {
    if (progress.match + 1 >= raft.log.firstIndex()) {
      raft.logger.debug(
        `${hex(raft.id)} recovered from needing snapshot, resumed sending replication messages to ` +
          `${hex(m.from)} [${describeProgress(progress)}]`,
      );
      progress.becomeProbe();
      progress.becomeReplicate();
    }
  } else {
    progress.inflights.freeUpTo(m.index);
  }
  if (maybeCommit(raft)) {
    releaseEarlyReads(raft);
    broadcastAppend(raft);
  } else if (m.from !== raft.id && progress.canBumpCommit(raft.log.committed)) {
    sendAppend(raft, m.from);
  }
  if (m.from !== raft.id) while (maybeSendAppend(raft, m.from, false));
  if (m.from === raft.leadTransferee && progress.match === raft.log.lastIndex()) {
    raft.logger.info(
      `${hex(raft.id)} sent MsgTimeoutNow to ${hex(m.from)} after received MsgAppResp`,
    );
    raft.send("MsgTimeoutNow", m.from);
  }
}

export function maybeCommit(raft: Raft): boolean {
  const moved = raft.log.maybeCommit({ index: raft.tracker.committed(), term: raft.term });
  trace(raft, "Commit");
  return moved;
}

function handleHeartbeatResponse(raft: Raft, m: Message, progress: Progress): void {
  progress.recentActive = true;
  progress.paused = false;
  // Behind, or unsure: one append a heartbeat, so that a window whose messages were all lost opens again.
  if (progress.match < raft.log.lastIndex() || progress.state === "probe") sendAppend(raft, m.from);
  if (raft.config.reads !== "safe" || m.context.length === 0) return;
  const acks = raft.pendingReads.ack(m.from, m.context);
  if (acks === null || raft.tracker.ackResult(acks) !== "won") return;
  for (const { request, index } of raft.pendingReads.take(m.context)) {
    answerRead(raft, request, index);
  }
}

function handleSnapshotStatus(raft: Raft, m: Message, progress: Progress): void {
  if (progress.state !== "snapshot") return;
  // One that failed was never applied: probing begins where it was before.
  if (m.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  raft.logger.debug(
    `${hex(raft.id)} snapshot ${m.reject ? "failed" : "succeeded"}, resumed sending replication ` +
      `messages to ${hex(m.from)} [${describeProgress(progress)}]`,
  );
  // Its answer to the snapshot, or the next heartbeat, opens it.
  progress.paused = true;
}

function transferLeader(raft: Raft, to: number, progress: Progress): void {
  const at = `${hex(raft.id)} [term ${raft.term}]`;
  if (progress.learner) {
    raft.logger.debug(`${hex(raft.id)} is learner. Ignored transferring leadership`);
    return;
  }
  if (raft.leadTransferee === to) {
    raft.logger.info(
      `${at} transfer leadership to ${hex(to)} is in progress, ignores request to same node ${hex(to)}`,
    );
    return;
  }
  if (raft.leadTransferee !== NONE) {
    const before = hex(raft.leadTransferee);
    abortTransfer(raft);
    raft.logger.info(`${at} abort previous transferring leadership to ${before}`);
  }
  if (to === raft.id) {
    raft.logger.debug(`${hex(raft.id)} is already leader. Ignored transferring leadership to self`);
    return;
  }
  raft.logger.info(`${at} starts to transfer leadership to ${hex(to)}`);
  // It has one election time-out.
  raft.electionElapsed = 0;
  raft.leadTransferee = to;
  if (progress.match === raft.log.lastIndex()) {
    raft.send("MsgTimeoutNow", to);
    raft.logger.info(
      `${hex(raft.id)} sends MsgTimeoutNow to ${hex(to)} immediately as ${hex(to)} already has up-to-date log`,
    );
  } else {
    sendAppend(raft, to);
  }
}

export function abortTransfer(raft: Raft): void {
  raft.leadTransferee = NONE;
}

function readIndex(raft: Raft, m: Message): void {
  // What earlier leaders committed is known only with the first entry of the own term: also by a
  // sole voter, which may have stored less of its commit index than it had answered with.
  if (raft.committedInTerm()) confirmRead(raft, m);
  else raft.earlyReads.push(m);
}

function releaseEarlyReads(raft: Raft): void {
  if (raft.earlyReads.length === 0 || !raft.committedInTerm()) return;
  const reads = raft.earlyReads;
  raft.earlyReads = [];
  for (const read of reads) confirmRead(raft, read);
}

function confirmRead(raft: Raft, m: Message): void {
  if (raft.config.reads === "lease" || raft.tracker.isSingleton()) {
    answerRead(raft, m, raft.log.committed);
    return;
  }
  raft.pendingReads.add(raft.log.committed, m);
  raft.pendingReads.ack(raft.id, m.context);
  broadcastHeartbeatWith(raft, m.context);
}

function answerRead(raft: Raft, { from, context }: Message, index: number): void {
  if (from === NONE || from === raft.id) raft.readStates.push({ index, context });
  else raft.send("MsgReadIndexResp", from, { index, context });
}
