/** The core as its driver sees it: what a Ready holds, once; restarts; storage that is slow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { encodeConfChange } from "../../../src/raft/conf-change.ts";
import { LocalMessage, PeerNotFound, ProposalDropped } from "../../../src/raft/errors.ts";
import { entriesSize } from "../../../src/raft/sizes.ts";
import {
  APPEND_THREAD,
  APPLY_THREAD,
  EntryType,
  type MessageType,
  message,
  NO_BYTES,
} from "../../../src/raft/types.ts";
import { bytes, conf, entriesOf, entry, Member, PLAIN, snapshotAt, text } from "./member.ts";

test("local messages are not taken from outside, and answers only of members", () => {
  const member = new Member(1, [1, 2], { options: PLAIN });
  const local: MessageType[] = [
    "MsgHup",
    "MsgBeat",
    "MsgUnreachable",
    "MsgSnapStatus",
    "MsgCheckQuorum",
  ];
  for (const type of local) {
    assert.throws(() => member.node.step(message(type, { from: 2, to: 1 })), LocalMessage, type);
  }
  for (const type of ["MsgStorageAppendResp", "MsgStorageApplyResp"] as const) {
    assert.throws(() => member.node.step(message(type, { from: 2, to: 1 })), LocalMessage);
  }
  for (const type of ["MsgAppResp", "MsgVoteResp", "MsgHeartbeatResp"] as const) {
    assert.throws(() => member.node.step(message(type, { from: 9, to: 1 })), PeerNotFound, type);
  }
  assert.equal(member.node.hasReady(), false);
});

test("a node that does not know a leader asks for a soft state, a hard state, messages, in one Ready", () => {
  const { node } = new Member(1, [1, 2], { options: PLAIN });
  assert.equal(node.hasReady(), false);
  node.campaign();
  assert.equal(node.hasReady(), true);
  const ready = node.ready();
  assert.deepEqual(ready.softState, { leader: 0, role: "candidate" });
  assert.deepEqual(ready.hardState, { term: 1, vote: 1, commit: 0 });
  assert.deepEqual(
    ready.messages.map(({ type, to }) => [type, to]),
    [["MsgVote", 2]],
  );
  assert.equal(ready.mustSync, true);
  node.advance(ready);
  assert.equal(node.hasReady(), false);
});

test("everything is in exactly one Ready", () => {
  const member = new Member(1, [1], { options: PLAIN });
  const { node, storage } = member;
  const seen: Record<string, number> = {};
  const note = (what: string): void => {
    seen[what] = (seen[what] ?? 0) + 1;
  };
  node.campaign();
  let proposed = 0;
  while (node.hasReady()) {
    const ready = node.ready();
    assert.equal(node.hasReady(), false, "one at a time");
    assert.throws(() => node.ready(), AssertionError);
    storage.append(ready.entries);
    if (ready.hardState !== null) storage.setHardState(ready.hardState);
    for (const { index } of ready.entries) note(`append ${index}`);
    for (const { index } of ready.committedEntries) note(`apply ${index}`);
    for (const { context } of ready.readStates) note(`read ${text(context)}`);
    if (proposed < 3 && node.role === "leader") {
      node.propose(bytes(`p${proposed++}`));
      if (proposed === 3) node.readIndex(bytes("r"));
    }
    node.advance(ready);
    assert.throws(() => node.advance(ready), AssertionError);
  }
  const expected: Record<string, number> = { "read r": 1 };
  for (let i = 1; i <= 4; i++) expected[`append ${i}`] = expected[`apply ${i}`] = 1;
  assert.deepEqual(seen, expected);
});

test("a commit index alone need not be synced, and states that did not change are left out", () => {
  const member = new Member(1, [1, 2], { options: PLAIN });
  member.receive("MsgApp", 2, { term: 1, entries: entriesOf([1]) });
  member.node.step(message("MsgHeartbeat", { from: 2, to: 1, term: 1, commit: 1 }));
  const ready = member.node.ready();
  assert.deepEqual(ready.hardState, { term: 1, vote: 0, commit: 1 });
  assert.equal(ready.mustSync, false);
  assert.equal(ready.softState, null);
  assert.deepEqual(
    ready.committedEntries.map(({ index }) => index),
    [1],
  );
});

test("committed entries come in pages, and none is left out", () => {
  const one = entry(1, 1, bytes("x".repeat(50)));
  const limit = entriesSize([one]) * 2;
  const member = new Member(1, [1, 2], { options: { ...PLAIN, maxCommittedSizePerReady: limit } });
  const entries = Array.from({ length: 7 }, (_, i) => entry(i + 1, 1, one.data));
  member.node.step(message("MsgApp", { from: 2, to: 1, term: 1, entries, commit: 7 }));
  const pages: number[][] = [];
  while (member.node.hasReady()) {
    const ready = member.node.ready();
    member.storage.append(ready.entries);
    pages.push(ready.committedEntries.map(({ index }) => index));
    member.node.advance(ready);
  }
  assert.deepEqual(pages, [[1, 2], [3, 4], [5, 6], [7]]);
});

test("after a restart pages go on behind what was applied", () => {
  const hardState = { term: 1, vote: 1, commit: 6 };
  const storage = new Member(1, [1]).storage;
  storage.append(Array.from({ length: 6 }, (_, i) => entry(i + 1, 1, bytes("data"))));
  const options = { ...PLAIN, applied: 2, maxCommittedSizePerReady: 30 };
  const member = new Member(1, [1], { options, hardState, storage });
  assert.deepEqual(member.drain(), []);
  assert.deepEqual(
    member.applied.map(({ index }) => index),
    [3, 4, 5, 6],
  );
});

test("a restart takes up term, vote, commit and log, and asks for nothing but applying", () => {
  const hardState = { term: 3, vote: 2, commit: 1 };
  const member = new Member(1, [1, 2], { options: PLAIN, terms: [1, 3], hardState });
  assert.deepEqual(member.raft.hardState, hardState);
  const ready = member.node.ready();
  assert.equal(ready.hardState, null);
  assert.equal(ready.softState, null);
  assert.deepEqual(ready.entries, []);
  assert.deepEqual(
    ready.committedEntries.map(({ index }) => index),
    [1],
  );
  assert.equal(ready.mustSync, false);
});

test("a restart from a snapshot goes on behind it", () => {
  const { storage } = new Member(1, []);
  storage.install(snapshotAt(2, 1, conf([1, 2])));
  storage.append(entriesOf([1], 2));
  const member = new Member(1, [], {
    options: PLAIN,
    storage,
    hardState: { term: 1, vote: 0, commit: 3 },
  });
  member.drain();
  assert.deepEqual(
    member.applied.map(({ index }) => index),
    [3],
  );
  assert.deepEqual(member.raft.tracker.voterIds(), [1, 2]);
});

test("a stored commit index beyond the stored log is fatal", () => {
  assert.throws(
    () => new Member(1, [1], { terms: [1], hardState: { term: 1, vote: 0, commit: 2 } }),
    /commit 2 is out of range \[0, 1\]/,
  );
});

test("without deliverCommitted the driver applies by itself and says how far", () => {
  const options = { ...PLAIN, deliverCommitted: false, maxUncommittedSize: 4 };
  const member = new Member(1, [1], { options });
  member.lead();
  member.node.propose(bytes("1234"));
  member.drain();
  assert.equal(member.node.commit, 2);
  assert.deepEqual(member.applied, [], "nothing is handed out");
  assert.equal(member.raft.log.applied, 0);
  assert.throws(() => member.node.propose(bytes("x")), ProposalDropped);
  member.node.appliedTo(2, 4);
  assert.equal(member.raft.log.applied, 2);
  member.node.propose(bytes("x"));
  assert.equal(member.node.lastIndex, 3);
  member.node.appliedTo(1, 0);
  assert.equal(member.raft.log.applied, 2, "never backwards");
  assert.throws(() => member.node.appliedTo(4, 0), /out of range/);
});

test("without deliverCommitted changes are applied, and a joint configuration is left, as the driver says", () => {
  const member = new Member(1, [1], { options: { ...PLAIN, deliverCommitted: false } });
  member.lead();
  const step = { type: "add-learner", id: 2 } as const;
  member.node.proposeConfChange({ transition: "implicit", changes: [step], context: NO_BYTES });
  member.drain();
  const [one] = member.raft.log.entries(2, 100) as ReturnType<typeof entriesOf>;
  member.apply(one!);
  assert.equal(member.node.lastIndex, 2);
  member.node.appliedTo(2, 0);
  assert.equal(member.node.lastIndex, 3, "the entry that leaves it");
  assert.equal(member.raft.log.termOrZero(3), 1);
});

test("a leader steps down when its driver says so; nobody else does anything", () => {
  const member = new Member(1, [1, 2], { options: PLAIN });
  member.lead(2);
  member.node.stepDown();
  assert.deepEqual([member.node.role, member.node.term, member.node.leader], ["follower", 1, 0]);
  assert.equal(member.raft.vote, 1, "its vote in this term stays given");
  member.receive("MsgHeartbeat", 2, { term: 2 });
  member.node.stepDown();
  assert.equal(member.node.leader, 2);
});

test("a leader is forgotten by a follower only, and never where reads trust the lease", () => {
  const follower = new Member(1, [1, 2], { options: PLAIN });
  follower.receive("MsgHeartbeat", 2, { term: 1 });
  follower.node.forgetLeader();
  assert.deepEqual([follower.node.leader, follower.node.term], [0, 1]);
  follower.receive("MsgHeartbeat", 2, { term: 1 });
  assert.equal(follower.node.leader, 2, "found again");
  const leased = new Member(1, [1, 2], { options: { reads: "lease" } });
  leased.receive("MsgHeartbeat", 2, { term: 1 });
  leased.node.forgetLeader();
  assert.equal(leased.node.leader, 2);
  const leader = new Member(1, [1], { options: PLAIN });
  leader.lead();
  leader.node.forgetLeader();
  assert.deepEqual([leader.node.role, leader.node.leader], ["leader", 1]);
});

test("ids and ticks out of range are refused", () => {
  for (const id of [0, -1, APPLY_THREAD, APPEND_THREAD]) {
    assert.throws(() => new Member(id, [1]), /an id is above 0/, `${id}`);
  }
  assert.throws(() => new Member(1, [1], { options: { heartbeatTick: 0 } }), /heartbeat/);
  assert.throws(() => new Member(1, [1], { options: { electionTick: 1 } }), /election/);
});

test("a payload is handed on as the very bytes that were proposed", () => {
  const member = new Member(1, [1], { options: PLAIN });
  member.lead();
  const data = bytes("as it is");
  member.node.propose(data);
  const ready = member.node.ready();
  assert.equal(ready.entries[0]?.data, data, "no copy");
  assert.equal(text(data), "as it is");
});

test("a batch of proposals with a change in it is taken as one", () => {
  const member = new Member(1, [1], { options: PLAIN });
  member.lead();
  const step = { type: "add-learner", id: 2 } as const;
  const data = encodeConfChange({ transition: "auto", changes: [step], context: NO_BYTES });
  const entries = [
    entry(0, 0, bytes("a")),
    entry(0, 0, data, EntryType.CONF_CHANGE_V2),
    entry(0, 0, bytes("b")),
  ];
  member.node.step(message("MsgProp", { from: 1, entries }));
  member.drain();
  assert.deepEqual(member.payloads(), ["a", "b"]);
  assert.deepEqual(member.storage.conf, conf([1], { learners: [2] }));
  assert.equal(member.raft.pendingConfIndex, 3);
});
