/**
 * Planted bugs of one line, as patches to a copy of the sources: the product has no switch for
 * them. Each is a mistake that somebody made once (numbers are those of the table of classic bugs in
 * docs/raft-behaviours.md) or one that a hurried change would make. `from` occurs once in its file.
 */

import { CLUSTER_MUTANTS } from "./cluster-mutants.ts";
import { MACHINE_MUTANTS } from "./machine-mutants.ts";
import { NODE_MUTANTS } from "./node-mutants.ts";
import { type Mutant, patch } from "./patch.ts";
import { STORAGE_MUTANTS } from "./storage-mutants.ts";
import { STREAM_MUTANTS } from "./stream-mutants.ts";

const mutant = patch("cores");

const RAFT = "src/raft/raft.ts";
const LOG = "src/raft/raft-log.ts";
const ELECTION = "src/raft/election.ts";
const LEADER = "src/raft/leader.ts";
const FOLLOWER = "src/raft/follower.ts";
const PROGRESS = "src/raft/progress.ts";
const QUORUM = "src/raft/quorum.ts";
const MEMBERSHIP = "src/raft/membership.ts";
const UNSTABLE = "src/raft/unstable.ts";
const CHANGER = "src/raft/changer.ts";
const INFLIGHTS = "src/raft/inflights.ts";
const REPLICATION = "src/raft/replication.ts";
const RAW_NODE = "src/raft/raw-node.ts";

export const MUTANTS: readonly Mutant[] = [
  mutant(
    "1: an entry of an earlier term is committed by counting",
    LOG,
    "index <= this.committed || !this.matchTerm({ index, term })) return false;",
    "index <= this.committed) return false;",
  ),
  mutant(
    "2: a second change of the configuration while one is unapplied",
    LEADER,
    "if (pending > raft.log.applied) {",
    "if (pending > raft.log.lastIndex() + 1_000_000) {",
  ),
  mutant(
    "2: a new leader forgets that a change may be unapplied",
    RAFT,
    "this.pendingConfIndex = this.log.lastIndex();",
    "this.pendingConfIndex = 0;",
  ),
  mutant(
    "3: a campaign with an unapplied change of the configuration",
    ELECTION,
    "if (applied >= committed) return false;",
    "if (applied >= 0 && committed >= 0) return false;",
  ),
  mutant(
    "6: the answer to a pre-vote counts as a vote",
    FOLLOWER,
    'const mine = raft.role === "pre-candidate" ? "MsgPreVoteResp" : "MsgVoteResp";',
    'const mine = m.type === "MsgPreVoteResp" ? "MsgPreVoteResp" : "MsgVoteResp";',
  ),
  mutant(
    "6: the vote is forgotten without a new term",
    RAFT,
    "if (this.term !== term) {",
    "if (this.term <= term) {",
  ),
  mutant(
    "8: a follower acknowledges before its disk",
    RAFT,
    '  "MsgAppResp",\n  "MsgVoteResp",\n  "MsgPreVoteResp",\n',
    '  "MsgVoteResp",\n  "MsgPreVoteResp",\n',
  ),
  mutant(
    "8: the leader counts itself before its disk",
    LEADER,
    'raft.send("MsgAppResp", raft.id, { index: raft.log.append(entries) });',
    "raft.tracker.progress.get(raft.id)?.maybeUpdate(raft.log.append(entries));",
  ),
  mutant(
    "8: a vote leaves before its disk",
    RAFT,
    '  "MsgAppResp",\n  "MsgVoteResp",\n  "MsgPreVoteResp",\n',
    '  "MsgAppResp",\n  "MsgPreVoteResp",\n',
  ),
  mutant(
    "9: a write is acknowledged for what has overwritten it",
    UNSTABLE,
    "} else if (ours !== term) {",
    "} else if (ours < 0) {",
  ),
  mutant(
    "12: a snapshot does not bring its configuration",
    MEMBERSHIP,
    "  raft.tracker = new Tracker();\n  switchToConfig(raft, raft.changer().restore(conf));",
    "  raft.changer().restore(conf);",
  ),
  mutant(
    "12: a snapshot is restored under entries that are being applied",
    MEMBERSHIP,
    "if (log.applying > log.applied) {",
    "if (log.applying < log.applied) {",
  ),
  mutant(
    "14: a joint configuration is not left",
    MEMBERSHIP,
    "if (!config.autoLeave || !raft.leads ||",
    "if (config.autoLeave || !raft.leads ||",
  ),
  mutant(
    "16: the vote is not read back from the disk",
    RAFT,
    "this.vote = state.vote;",
    "this.vote = NONE;",
  ),
  mutant(
    "17: a heartbeat commits what the peer need not have",
    REPLICATION,
    "const commit = Math.min(progress.match, raft.log.committed);",
    "const commit = raft.log.committed;",
  ),
  mutant(
    "17: an append commits beyond what it brought",
    LOG,
    "this.commitTo(Math.min(committed, last));",
    "this.commitTo(Math.min(committed, this.lastIndex()));",
  ),
  mutant(
    "22: a read is answered before anything of the term is committed",
    LEADER,
    "if (raft.committedInTerm()) confirmRead(raft, m);",
    "if (raft.term > 0) confirmRead(raft, m);",
  ),
  mutant(
    "a read is answered without a quorum",
    LEADER,
    'if (acks === null || raft.tracker.ackResult(acks) !== "won") return;',
    "if (acks === null) return;",
  ),
  mutant(
    "half is taken for a majority of acknowledgements",
    QUORUM,
    "return indexes[indexes.length - (Math.floor(voters.length / 2) + 1)]!;",
    "return indexes[indexes.length - Math.floor((voters.length + 1) / 2)]!;",
  ),
  mutant(
    "half is taken for a majority of votes",
    QUORUM,
    "const quorum = Math.floor(voters.length / 2) + 1;",
    "const quorum = Math.floor((voters.length + 1) / 2);",
  ),
  mutant(
    "a joint configuration commits by its new half alone",
    QUORUM,
    "majorityCommitted(config.outgoing, acked),",
    "majorityCommitted(config.incoming, acked),",
  ),
  mutant(
    "a joint configuration elects by its new half alone",
    QUORUM,
    "const outgoing = majorityVote(config.outgoing, vote);",
    "const outgoing = majorityVote(config.incoming, vote);",
  ),
  mutant(
    "logs are compared by length alone",
    LOG,
    "(theirs.term === ours.term && theirs.index >= ours.index)",
    "theirs.index >= ours.index",
  ),
  mutant(
    "logs are compared by term alone",
    LOG,
    "(theirs.term === ours.term && theirs.index >= ours.index)",
    "theirs.term === ours.term",
  ),
  mutant(
    "two votes in a term",
    ELECTION,
    "(raft.vote === NONE && raft.leader === NONE) ||",
    "raft.leader === NONE ||",
  ),
  mutant("a vote is not remembered", ELECTION, "raft.vote = m.from;", "raft.electionElapsed = 0;"),
  mutant(
    "conflicting entries stay",
    LOG,
    "if (this.matchTerm(entry)) continue;",
    "if (entry.index <= this.lastIndex()) continue;",
  ),
  mutant(
    "the previous entry is not compared",
    LOG,
    "if (!this.matchTerm(previous)) return null;",
    "if (previous.index > this.lastIndex()) return null;",
  ),
  mutant(
    "an append of a deposed leader is taken",
    RAFT,
    "} else if (m.term > 0 && m.term < this.term) {",
    '} else if (m.term > 0 && m.term < this.term && m.type !== "MsgApp") {',
  ),
  mutant(
    "the commit index may fall",
    LOG,
    "if (index <= this.committed) return;",
    "if (index === this.committed) return;",
  ),
  mutant(
    "what replaces unwritten entries is not written",
    UNSTABLE,
    "this.offset = this.offsetInProgress = from;",
    "this.offset = from;",
  ),
  mutant(
    "what replaces entries that are being written is not written",
    UNSTABLE,
    "this.offsetInProgress = Math.min(this.offsetInProgress, from);",
    "this.offsetInProgress = Math.max(this.offsetInProgress, from);",
  ),
  mutant(
    "a node applies what is not durable there",
    RAW_NODE,
    "return !this.#config.asyncStorageWrites;",
    "return this.#config.deliverCommitted;",
  ),
  mutant(
    "a learner campaigns",
    ELECTION,
    "return own !== undefined && !own.learner && raft.log.unstable.snapshot === null;",
    "return own !== undefined && raft.log.unstable.snapshot === null;",
  ),
  mutant(
    "a voter that is demoted in a joint configuration stops voting at once",
    CHANGER,
    "if (draft.outgoing.has(id)) {",
    "if (draft.outgoing.has(-id)) {",
  ),
  mutant(
    "who was removed asks for no log at all",
    ELECTION,
    "const granted = free && isWhole && raft.log.isUpToDate(theirs) && !prefersItself(raft, m);",
    "const has = raft.log.isUpToDate(theirs) || !raft.tracker.voterIds().includes(raft.id);\n" +
      "  const granted = free && isWhole && has && !prefersItself(raft, m);",
  ),
  mutant(
    "who was removed does not say what is committed",
    ELECTION,
    "const known = hasVote ? {} : { known: knownOf(raft) };",
    "const known = {};",
  ),
  mutant(
    "who does not know that it votes does not learn it from a candidate",
    ELECTION,
    "  if (!hasVote) learnCommitted(raft, request);\n",
    "",
  ),
  mutant(
    "what a refusal knows to be committed is taken for whatever stands there",
    ELECTION,
    "|| !log.matchTerm(known)) return;",
    "|| known.index > log.lastIndex()) return;",
  ),
  mutant(
    "an old snapshot is restored",
    MEMBERSHIP,
    "if (index <= log.committed) return false;",
    "if (index <= 0) return false;",
  ),
  mutant(
    "what is sent counts as received",
    PROGRESS,
    "this.next += count;",
    "this.match = (this.next += count) - 1;",
  ),
  mutant(
    "the window is not opened by acknowledgements",
    INFLIGHTS,
    "this.#indexes[this.#start]! <= index",
    "this.#indexes[this.#start]! < index - 1_000",
  ),
  mutant(
    "bytes in flight are never given back",
    INFLIGHTS,
    "this.bytes -= this.#sizes[this.#start]!;",
    "this.bytes -= 0;",
  ),
  mutant(
    "a heartbeat's answer does not open a paused peer",
    LEADER,
    "progress.recentActive = true;\n  progress.paused = false;",
    "progress.recentActive = true;",
  ),
  mutant(
    "the fate of a snapshot is not listened to",
    LEADER,
    'if (progress.state !== "snapshot") return;',
    'if (progress.state !== "probe") return;',
  ),
  mutant(
    "a leader does not open its term with an entry",
    RAFT,
    "appendAsLeader(this, [{ type: 0, data: NO_BYTES }]);",
    "appendAsLeader(this, []);",
  ),
  mutant(
    "the driver lets messages of a new term go before its hard state is durable",
    "test/sim/node.ts",
    "return asks || term <= this.storage.hardState.term;",
    "return asks || term >= 0;",
  ),
  ...MACHINE_MUTANTS,
  ...NODE_MUTANTS,
  ...STORAGE_MUTANTS,
  ...STREAM_MUTANTS,
  ...CLUSTER_MUTANTS,
];
