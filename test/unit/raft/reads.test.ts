/** Linearizable reads: what must be confirmed before one is answered, and by whom. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PendingReads } from "../../../src/raft/reads.ts";
import { message } from "../../../src/raft/types.ts";
import { bytes, Member, PLAIN, text, types } from "./member.ts";
import { Network } from "./network.ts";

function answers(member: Member): [string, number][] {
  return member.reads.map(({ context, index }) => [text(context), index]);
}

test("a safe read is answered by leader, follower and learner once a quorum has confirmed", () => {
  const net = new Network([1, 2, 3], { learners: [4] });
  net.elect(1);
  for (const [asker, commit] of [
    [1, 11],
    [2, 21],
    [3, 31],
    [4, 41],
  ] as const) {
    for (let i = 0; i < 10; i++) net.propose(1, `p${i}`);
    net.at(asker).node.readIndex(bytes(`r${asker}`));
    net.settle();
    assert.deepEqual(answers(net.at(asker)), [[`r${asker}`, commit]]);
  }
});

test("without a quorum a safe read is never answered, not even by who still thinks it leads", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.elect(1);
  net.isolate(1);
  net.elect(2);
  net.propose(2, "news");
  net.at(1).node.readIndex(bytes("stale"));
  net.settle();
  assert.equal(net.at(1).node.role, "leader");
  assert.deepEqual(answers(net.at(1)), []);
  net.heal();
  net.tick(2);
  assert.deepEqual(answers(net.at(1)), [], "and deposed it forgets the request");
});

test("the answer is the commit index of the request, not of the confirmation", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  member.node.readIndex(bytes("r"));
  assert.deepEqual(types(member.drain()), ["MsgHeartbeat>2", "MsgHeartbeat>3"]);
  member.node.propose(bytes("x"));
  member.drain();
  member.receive("MsgAppResp", 2, { index: 2 });
  assert.equal(member.node.commit, 2);
  member.receive("MsgHeartbeatResp", 3, { context: bytes("r") });
  assert.deepEqual(answers(member), [["r", 1]]);
});

test("a confirmation answers all earlier requests too, and leaves later ones", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  for (const name of ["a", "b", "c"]) member.node.readIndex(bytes(name));
  member.drain();
  member.receive("MsgHeartbeatResp", 2, { context: bytes("b") });
  assert.deepEqual(answers(member), [
    ["a", 1],
    ["b", 1],
  ]);
  assert.equal(member.raft.pendingReads.size, 1);
  member.receive("MsgHeartbeatResp", 2, { context: bytes("b") });
  assert.equal(answers(member).length, 2, "a second confirmation answers nothing again");
});

test("only voters confirm: a learner's heartbeat answer is none", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN, learners: [4] });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  member.node.readIndex(bytes("r"));
  member.drain();
  member.receive("MsgHeartbeatResp", 4, { context: bytes("r") });
  assert.deepEqual(answers(member), []);
  member.receive("MsgHeartbeatResp", 3, { context: bytes("r") });
  assert.deepEqual(answers(member), [["r", 1]]);
});

test("an unconfirmed read is asked for again with each heartbeat", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  member.node.readIndex(bytes("r"));
  member.drain();
  const [beat] = member.ticks(1);
  assert.deepEqual([beat?.type, text(beat!.context)], ["MsgHeartbeat", "r"]);
});

test("a lease answers at once, without a word to anybody", () => {
  const options = { reads: "lease", checkQuorum: true } as const;
  const net = new Network([1, 2, 3], { options });
  net.elect(1);
  net.propose(1, "a");
  const before = net.sent.length;
  net.at(1).node.readIndex(bytes("here"));
  net.settle();
  assert.deepEqual(answers(net.at(1)), [["here", 2]]);
  assert.equal(net.sent.length, before);
  net.at(2).node.readIndex(bytes("there"));
  net.settle();
  assert.deepEqual(answers(net.at(2)), [["there", 2]]);
});

test("a new leader answers only when an entry of its term is committed (bug 22)", () => {
  for (const reads of ["safe", "lease"] as const) {
    const member = new Member(1, [1, 2, 3], {
      options: { ...PLAIN, reads },
      terms: [1, 1],
      hardState: { term: 1, vote: 0, commit: 1 },
    });
    member.lead(2);
    member.node.readIndex(bytes("own"));
    member.receive("MsgReadIndex", 2, { term: 0, context: bytes("theirs") });
    member.receive("MsgHeartbeatResp", 2, { context: bytes("own") });
    assert.deepEqual(answers(member), [], reads);
    member.receive("MsgAppResp", 2, { index: 2 });
    assert.deepEqual(answers(member), [], "an entry of the earlier term is not enough");
    const sent = member.receive("MsgAppResp", 2, { index: 3 });
    if (reads === "safe") {
      sent.push(...member.receive("MsgHeartbeatResp", 3, { context: bytes("theirs") }));
    }
    assert.deepEqual(answers(member), [["own", 3]], reads);
    const told = sent.filter(({ type }) => type === "MsgReadIndexResp");
    assert.deepEqual(
      told.map((m) => [m.to, text(m.context), m.index]),
      [[2, "theirs", 3]],
    );
  }
});

test("a sole voter, too, waits after a restart for an entry of its new term", () => {
  const member = new Member(1, [1], {
    options: PLAIN,
    terms: [1, 1, 1],
    hardState: { term: 1, vote: 1, commit: 1 },
  });
  member.node.campaign();
  const vote = member.node.ready();
  member.storage.setHardState(vote.hardState!);
  member.node.advance(vote);
  assert.equal(member.node.role, "leader");
  member.node.readIndex(bytes("r"));
  assert.equal(member.node.commit, 1, "it had answered with more before");
  const ready = member.node.ready();
  assert.deepEqual(ready.readStates, []);
  member.storage.append(ready.entries);
  member.node.advance(ready);
  member.drain();
  assert.deepEqual(answers(member), [["r", 4]]);
});

test("a request that comes twice is answered once", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  for (let i = 0; i < 2; i++) member.node.readIndex(bytes("same"));
  member.drain();
  assert.equal(member.raft.pendingReads.size, 1);
  member.receive("MsgHeartbeatResp", 2, { context: bytes("same") });
  member.receive("MsgHeartbeatResp", 3, { context: bytes("same") });
  assert.deepEqual(answers(member), [["same", 1]]);
});

test("answered requests and those of a lost leadership leave nothing behind", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.lead(2);
  member.node.readIndex(bytes("early"));
  assert.equal(member.raft.earlyReads.length, 1);
  member.receive("MsgAppResp", 2, { index: 1 });
  assert.equal(member.raft.earlyReads.length, 0);
  for (let i = 0; i < 100; i++) {
    member.node.readIndex(bytes(`r${i}`));
    member.drain();
  }
  member.receive("MsgHeartbeatResp", 2, { context: bytes("r99") });
  assert.equal(member.raft.pendingReads.size, 0);
  assert.equal(member.raft.pendingReads.lastContext(), null);
  assert.equal(member.reads.length, 101);
  member.node.readIndex(bytes("late"));
  member.node.stepDown();
  assert.equal(member.raft.pendingReads.size, 0);
});

test("a follower without a leader drops a read", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.node.readIndex(bytes("r"));
  assert.deepEqual(member.drain(), []);
  assert.deepEqual(answers(member), []);
});

test("contexts are told apart by their bytes", () => {
  const reads = new PendingReads();
  const contexts = [[0], [0, 0], [255], [], [1, 2]].map((list) => Uint8Array.from(list));
  for (const [i, context] of contexts.entries()) reads.add(i, message("MsgReadIndex", { context }));
  reads.add(99, message("MsgReadIndex", { context: Uint8Array.of(255) }));
  assert.equal(reads.size, 5);
  assert.equal(reads.ack(1, Uint8Array.of(7)), null);
  assert.deepEqual([...reads.ack(2, Uint8Array.of(255))!], [2]);
  assert.deepEqual(
    reads.take(Uint8Array.of(255)).map(({ index }) => index),
    [0, 1, 2],
  );
  assert.deepEqual(reads.take(Uint8Array.of(255)), []);
  assert.deepEqual(reads.lastContext(), Uint8Array.of(1, 2));
});
