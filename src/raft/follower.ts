/** What a follower and a candidate do with a message, and taking in a leader's log. */
import { hex } from "./describe.ts";
import { campaign, hup, poll } from "./election.ts";
import { restoreSnapshot } from "./membership.ts";
import { dropped, type Raft } from "./raft.ts";
import { broadcastAppend } from "./replication.ts";
import { type Message, NONE } from "./types.ts";

export function stepCandidate(raft: Raft, m: Message): void {
  const mine = raft.role === "pre-candidate" ? "MsgPreVoteResp" : "MsgVoteResp";
  switch (m.type) {
    case "MsgProp":
      throw dropped(raft, `no leader at term ${raft.term}`);
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      // Of our own term: somebody won.
      raft.becomeFollower(m.term, m.from);
      fromLeader(raft, m);
      return;
    case mine: {
      const result = poll(raft, m);
      if (result === "won" && raft.role === "pre-candidate") campaign(raft, "election");
      else if (result === "won") {
        raft.becomeLeader();
        broadcastAppend(raft);
      }
      // The answer to a pre-vote has the future term: ours has not changed.
      else if (result === "lost") raft.becomeFollower(raft.term, NONE);
      return;
    }
    case "MsgTimeoutNow":
      raft.logger.debug(
        `${hex(raft.id)} [term ${raft.term} state ${raft.role}] ignored MsgTimeoutNow from ${hex(m.from)}`,
      );
      return;
    default:
  }
}

export function stepFollower(raft: Raft, m: Message): void {
  const id = hex(raft.id);
  switch (m.type) {
    case "MsgProp":
      if (raft.leader === NONE) throw dropped(raft, `no leader at term ${raft.term}`);
      if (raft.config.disableProposalForwarding) {
        throw dropped(raft, `not forwarding to leader ${hex(raft.leader)} at term ${raft.term}`);
      }
      raft.messages.push({ ...m, to: raft.leader, from: m.from === NONE ? raft.id : m.from });
      return;
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      raft.electionElapsed = 0;
      raft.leader = m.from;
      fromLeader(raft, m);
      return;
    case "MsgTransferLeader":
      if (raft.leader === NONE) {
        raft.logger.info(`${id} no leader at term ${raft.term}; dropping leader transfer msg`);
      } else raft.send("MsgTransferLeader", raft.leader, { from: m.from });
      return;
    case "MsgForgetLeader":
      if (raft.config.reads === "lease") {
        raft.logger.error("ignoring MsgForgetLeader due to ReadOnlyLeaseBased");
      } else if (raft.leader !== NONE) {
        raft.logger.info(`${id} forgetting leader ${hex(raft.leader)} at term ${raft.term}`);
        raft.leader = NONE;
      }
      return;
    case "MsgTimeoutNow":
      raft.logger.info(
        `${id} [term ${raft.term}] received MsgTimeoutNow from ${hex(m.from)} and starts an ` +
          `election to get leadership.`,
      );
      // Without a pre-vote: the leader has agreed to be replaced.
      hup(raft, "transfer");
      return;
    case "MsgReadIndex":
      if (raft.leader === NONE) {
        raft.logger.info(`${id} no leader at term ${raft.term}; dropping index reading msg`);
      } else
        raft.messages.push({ ...m, to: raft.leader, from: m.from === NONE ? raft.id : m.from });
      return;
    case "MsgReadIndexResp":
      raft.readStates.push({ index: m.index, context: m.context });
      return;
    default:
  }
}

function fromLeader(raft: Raft, m: Message): void {
  raft.leaderlessTicks = 0;
  if (m.type === "MsgApp") handleAppend(raft, m);
  else if (m.type === "MsgHeartbeat") handleHeartbeat(raft, m);
  else handleSnapshot(raft, m);
}

function handleAppend(raft: Raft, m: Message): void {
  const { log } = raft;
  raft.toldCommitted = Math.max(raft.toldCommitted, m.commit);
  if (m.index < log.committed) {
    raft.send("MsgAppResp", m.from, { index: log.committed });
    return;
  }
  const last = log.maybeAppend({ term: m.logTerm, index: m.index }, m.entries, m.commit);
  if (last !== null) {
    raft.send("MsgAppResp", m.from, { index: last });
    return;
  }
  raft.logger.debug(
    `${hex(raft.id)} [logterm: ${log.termOrZero(m.index)}, index: ${m.index}] rejected MsgApp ` +
      `[logterm: ${m.logTerm}, index: ${m.index}] from ${hex(m.from)}`,
  );
  // Where the two may agree: with our term there the leader can pass over whole terms of its own.
  const hint = log.findConflictByTerm(Math.min(m.index, log.lastIndex()), m.logTerm);
  raft.send("MsgAppResp", m.from, {
    index: m.index,
    reject: true,
    rejectHint: hint.index,
    logTerm: hint.term,
  });
}

function handleHeartbeat(raft: Raft, m: Message): void {
  raft.log.commitTo(m.commit);
  raft.send("MsgHeartbeatResp", m.from, { context: m.context });
}

function handleSnapshot(raft: Raft, m: Message): void {
  const { index, term } = m.snapshot!;
  const restored = restoreSnapshot(raft, m.snapshot!);
  const { committed } = raft.log;
  raft.logger.info(
    `${hex(raft.id)} [commit: ${committed}] ${restored ? "restored" : "ignored"} snapshot ` +
      `[index: ${index}, term: ${term}]`,
  );
  raft.send("MsgAppResp", m.from, { index: restored ? raft.log.lastIndex() : committed });
}
