/** Snapshots: when a leader sends one, what it waits for, and what a follower makes of one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeConfChange } from "../../../src/raft/conf-change.ts";
import { EntryType, message, NO_BYTES } from "../../../src/raft/types.ts";
import { bytes, conf, entry, Member, only, PLAIN, snapshotAt, to, types } from "./member.ts";
import { Network } from "./network.ts";

/** Leads with a log that begins behind a snapshot at 11; 2 is heard of and needs that. */
function sending(): Member {
  const { storage } = new Member(1, []);
  storage.install(snapshotAt(11, 11, conf([1, 2])));
  const member = new Member(1, [], {
    options: PLAIN,
    storage,
    hardState: { term: 11, vote: 0, commit: 11 },
  });
  member.lead(2);
  member.progress(2).recentActive = true;
  member.receive("MsgAppResp", 2, { index: 11, reject: true, rejectHint: 0 });
  assert.equal(member.progress(2).state, "snapshot");
  return member;
}

test("who needs what was compacted gets the snapshot, and nothing else until it has it", () => {
  const member = sending();
  assert.equal(member.progress(2).pendingSnapshot, 11);
  member.node.propose(bytes("x"));
  assert.deepEqual(member.drain(), []);
  assert.deepEqual(types(member.receive("MsgHeartbeatResp", 2)), []);
  assert.ok(member.progress(2).isPaused);
});

test("who was not heard of lately is sent no snapshot", () => {
  const { storage } = new Member(1, []);
  storage.install(snapshotAt(11, 11, conf([1, 2])));
  const member = new Member(1, [], {
    options: PLAIN,
    storage,
    hardState: { term: 11, vote: 0, commit: 11 },
  });
  member.lead(2);
  member.progress(2).becomeProbe();
  member.progress(2).next = 1;
  member.progress(2).recentActive = false;
  member.node.propose(bytes("x"));
  assert.deepEqual(member.drain(), []);
  assert.equal(member.progress(2).state, "probe");
  assert.deepEqual(types(member.receive("MsgHeartbeatResp", 2)), ["MsgSnap>2"]);
});

test("one that failed is probed again from where it was, after a heartbeat", () => {
  const member = sending();
  member.node.reportSnapshot(2, false);
  const { state, pendingSnapshot, next, paused } = member.progress(2);
  assert.deepEqual(
    { state, pendingSnapshot, next, paused },
    { state: "probe", pendingSnapshot: 0, next: 1, paused: true },
  );
  assert.deepEqual(types(member.receive("MsgHeartbeatResp", 2)), ["MsgSnap>2"]);
});

test("one that arrived is probed from behind it", () => {
  const member = sending();
  member.node.reportSnapshot(2, true);
  const { state, next, paused } = member.progress(2);
  assert.deepEqual({ state, next, paused }, { state: "probe", next: 12, paused: true });
  const sent = only(to(member.receive("MsgHeartbeatResp", 2), 2));
  assert.deepEqual([sent.type, sent.index, sent.logTerm], ["MsgApp", 11, 11]);
});

test("an acknowledgement that reaches the log ends the wait, one below does not", () => {
  const member = sending();
  member.node.propose(bytes("x"));
  member.drain();
  member.receive("MsgAppResp", 2, { index: 5 });
  assert.equal(member.progress(2).state, "snapshot");
  const sent = to(member.receive("MsgAppResp", 2, { index: 11 }), 2);
  assert.equal(member.progress(2).state, "replicate");
  assert.deepEqual(
    sent.flatMap((m) => m.entries.map(({ index }) => index)),
    [12, 13],
  );
});

test("without a snapshot ready yet the peer waits and nothing is sent", () => {
  const member = new Member(1, [1, 2], { options: PLAIN });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  member.node.propose(bytes("x"));
  member.drain();
  member.receive("MsgAppResp", 2, { index: 2 });
  member.storage.compact(2);
  member.progress(2).becomeProbe();
  member.progress(2).match = 0;
  member.progress(2).next = 1;
  assert.deepEqual(types(member.receive("MsgHeartbeatResp", 2)), []);
  assert.equal(member.progress(2).state, "probe");
});

test("a follower takes a snapshot: log, commit index, configuration, in one Ready", () => {
  const member = new Member(2, [1, 2], { options: PLAIN, terms: [1, 1] });
  const snapshot = snapshotAt(11, 3, conf([1, 2, 3], { learners: [4] }), bytes("state"));
  member.node.step(message("MsgSnap", { from: 1, to: 2, term: 3, snapshot }));
  const ready = member.node.ready();
  assert.deepEqual(ready.snapshot, snapshot);
  assert.equal(ready.hardState?.commit, 11);
  assert.deepEqual(
    ready.messages.map(({ type, to, index }) => [type, to, index]),
    [["MsgAppResp", 1, 11]],
  );
  assert.equal(member.raft.log.applied, 0, "not before it was stored");
  member.storage.install(snapshot);
  member.node.advance(ready);
  const { log, tracker } = member.raft;
  assert.deepEqual(
    [log.firstIndex(), log.lastIndex(), log.applied, log.termOrZero(11)],
    [12, 11, 11, 3],
  );
  assert.deepEqual(tracker.confState(), snapshot.conf);
});

test("while its snapshot is on the way to the disk a node does not campaign", () => {
  const member = new Member(2, [1, 2], { options: { ...PLAIN, asyncStorageWrites: true } });
  member.node.step(
    message("MsgSnap", { from: 1, to: 2, term: 3, snapshot: snapshotAt(11, 3, conf([1, 2])) }),
  );
  const [append] = member.node.ready().messages;
  for (let i = 0; i < 40; i++) member.node.tick();
  assert.equal(member.node.role, "follower");
  member.storage.install(append!.snapshot!);
  for (const own of append!.responses.filter(({ to: id }) => id === 2)) member.node.step(own);
  for (let i = 0; i < 40; i++) member.node.tick();
  assert.equal(member.node.role, "candidate");
});

test("a snapshot stored in an earlier term counts as stored", () => {
  const member = new Member(2, [1, 2], { options: { ...PLAIN, asyncStorageWrites: true } });
  member.node.step(
    message("MsgSnap", { from: 1, to: 2, term: 3, snapshot: snapshotAt(11, 3, conf([1, 2])) }),
  );
  const [append] = member.node.ready().messages;
  member.node.step(message("MsgHeartbeat", { from: 1, to: 2, term: 4 }));
  for (const own of append!.responses.filter(({ to: id }) => id === 2)) member.node.step(own);
  assert.equal(member.raft.log.unstable.snapshot, null);
  assert.equal(member.raft.log.applied, 11);
});

test("a snapshot of what it has already only moves the commit index; an older one nothing", () => {
  const hardState = { term: 1, vote: 0, commit: 1 };
  const member = new Member(2, [1, 2], { options: PLAIN, terms: [1, 1, 1], hardState });
  const answer = only(
    member.receive("MsgSnap", 1, { snapshot: snapshotAt(2, 1, conf([1, 2, 9])) }),
  );
  assert.deepEqual([answer.type, answer.index], ["MsgAppResp", 2]);
  assert.equal(member.node.commit, 2);
  assert.equal(member.node.lastIndex, 3, "the log stays");
  assert.deepEqual(
    member.raft.tracker.voterIds(),
    [1, 2],
    "and the configuration that it has applied",
  );
  const old = only(member.receive("MsgSnap", 1, { snapshot: snapshotAt(1, 1, conf([1])) }));
  assert.equal(old.index, 2);
  assert.deepEqual(member.raft.tracker.voterIds(), [1, 2]);
});

test("a snapshot is not restored while entries that were handed out are not applied", () => {
  const member = new Member(2, [1, 2], { options: { ...PLAIN, asyncStorageWrites: true } });
  member.node.step(
    message("MsgApp", { from: 1, to: 2, term: 1, entries: [entry(1, 1)], commit: 1 }),
  );
  const [append] = member.node.ready().messages;
  member.storage.append(append!.entries);
  for (const own of append!.responses.filter(({ to: id }) => id === 2)) member.node.step(own);
  const apply = member.node.ready().messages.find((m) => m.type === "MsgStorageApply")!;
  const snap = message("MsgSnap", {
    from: 1,
    to: 2,
    term: 1,
    snapshot: snapshotAt(11, 1, conf([1, 2, 3])),
  });
  member.node.step(snap);
  assert.deepEqual(member.raft.tracker.voterIds(), [1, 2]);
  assert.equal(member.node.commit, 1);
  for (const own of apply.responses) member.node.step(own);
  member.node.step(snap);
  assert.deepEqual(member.raft.tracker.voterIds(), [1, 2, 3]);
  assert.equal(member.node.commit, 11);
});

test("who is not in a snapshot's configuration does not take it", () => {
  const member = new Member(2, [1, 2], { options: PLAIN });
  const answer = only(
    member.receive("MsgSnap", 1, { term: 1, snapshot: snapshotAt(11, 1, conf([1, 3])) }),
  );
  assert.equal(answer.index, 0);
  assert.equal(member.node.lastIndex, 0);
  assert.deepEqual(member.raft.tracker.voterIds(), [1, 2]);
});

test("voters of the old half and learners take a snapshot, and know what they are", () => {
  for (const [voters, more, learner] of [
    [[1], { votersOutgoing: [1, 2] }, false],
    [[1], { learners: [2] }, true],
    [[1, 2], {}, false],
  ] as const) {
    for (const before of [{ learners: [2] }, { voters: [1, 2] }] as const) {
      const start = { options: PLAIN, learners: "learners" in before ? before.learners : [] };
      const member = new Member(2, "voters" in before ? before.voters : [1], start);
      const snapshot = snapshotAt(11, 1, conf(voters, more));
      member.receive("MsgSnap", 1, { term: 1, snapshot });
      assert.equal(member.node.commit, 11);
      assert.equal(member.raft.isLearner, learner);
      assert.deepEqual(member.raft.tracker.confState(), snapshot.conf);
    }
  }
});

test("a snapshot over an uncommitted change makes its own configuration count (bug 12)", () => {
  const step = { type: "add-node", id: 9 } as const;
  const data = encodeConfChange({ transition: "auto", changes: [step], context: NO_BYTES });
  const member = new Member(2, [1, 2, 3], { options: PLAIN });
  member.receive("MsgApp", 1, { term: 1, entries: [entry(1, 1, data, EntryType.CONF_CHANGE_V2)] });
  member.receive("MsgSnap", 3, { term: 2, snapshot: snapshotAt(5, 2, conf([1, 2, 3])) });
  assert.deepEqual(member.raft.tracker.voterIds(), [1, 2, 3]);
  assert.deepEqual(member.storage.conf.voters, [1, 2, 3]);
  assert.deepEqual(member.applied, [], "what was overwritten is never applied");
  member.restart();
  assert.deepEqual(member.raft.tracker.voterIds(), [1, 2, 3]);
});

test("a slow node is brought up by a snapshot and then by entries; a learner too", () => {
  const net = new Network([1, 2], { learners: [3], options: PLAIN });
  net.elect(1);
  net.isolate(3);
  net.propose(1, ...Array.from({ length: 50 }, (_, i) => `p${i}`));
  const { storage } = net.at(1);
  storage.createSnapshot(51, storage.conf, bytes("all of it"));
  storage.compact(51);
  net.heal();
  net.tick(2);
  net.propose(1, "after");
  assert.deepEqual(net.at(3).payloads(), ["after"]);
  assert.equal(net.at(3).storage.snapshot().index, 51);
  assert.equal(net.at(1).progress(3).state, "replicate");
  assert.equal(net.at(1).progress(3).match, 52);
  assert.deepEqual(net.commits(), [52, 52, 52]);
});
