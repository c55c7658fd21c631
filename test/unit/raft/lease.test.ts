/** Time-outs, pre-votes and leases: nobody deposes a leader that a quorum hears, and nobody gets stuck. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { message } from "../../../src/raft/types.ts";
import { Member, only, PLAIN, types } from "./member.ts";
import { Network } from "./network.ts";

const PRE_VOTE = { preVote: true, checkQuorum: false };
const CHECK = { preVote: false, checkQuorum: true };
const BOTH = { preVote: true, checkQuorum: true };

test("an election starts at a time-out drawn from [n, 2n), each value of it about as often", () => {
  const counts = new Map<number, number>();
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  for (let i = 0; i < 5000; i++) {
    member.raft.becomeFollower(member.node.term, 2);
    let ticks = 0;
    while (member.node.role === "follower") {
      member.node.tick();
      ticks++;
    }
    member.drain();
    counts.set(ticks, (counts.get(ticks) ?? 0) + 1);
  }
  assert.deepEqual(
    [...counts.keys()].sort((a, b) => a - b),
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
  );
  for (const [ticks, count] of counts) assert.ok(count > 350 && count < 650, `${ticks}: ${count}`);
});

test("a candidate whose election comes to nothing starts another, in a new term", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.ticks(20);
  assert.equal(member.node.role, "candidate");
  const { term } = member.node;
  member.ticks(20);
  assert.ok(member.node.term > term);
});

test("each message of the leader puts the time-out back", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  for (let i = 0; i < 10; i++) {
    member.ticks(9);
    member.receive("MsgHeartbeat", 2, { term: 1 });
  }
  assert.equal(member.node.role, "follower");
  assert.equal(member.node.leader, 2);
});

test("a leader with a silent quorum steps down after an election time-out, with an active one it stays", () => {
  const alone = new Member(1, [1, 2, 3], { options: CHECK });
  alone.lead(2);
  alone.ticks(10);
  alone.ticks(10);
  assert.equal(alone.node.role, "follower");
  assert.equal(alone.node.term, 1);
  const heard = new Member(1, [1, 2, 3], { options: CHECK });
  heard.lead(2);
  for (let i = 0; i < 10; i++) {
    heard.ticks(5);
    heard.receive("MsgHeartbeatResp", 2);
  }
  assert.equal(heard.node.role, "leader");
});

test("one of four others is no quorum: a leader on a bridge steps down", () => {
  const net = new Network([1, 2, 3, 4, 5], { options: CHECK });
  net.elect(1);
  net.drop((m) => (m.from === 1 || m.to === 1) && m.from !== 2 && m.to !== 2);
  net.tick(45);
  assert.notEqual(net.at(1).node.role, "leader");
  const [leader] = net.leaders();
  assert.ok(leader !== undefined, "the others elect one");
  net.propose(leader, "x");
  assert.deepEqual(net.at(leader).payloads(), ["x"]);
});

test("inside the lease voters ignore a candidate, afterwards they elect it", () => {
  for (const options of [CHECK, BOTH]) {
    const net = new Network([1, 2, 3], { options });
    net.elect(1);
    net.isolate(1);
    net.campaign(3);
    assert.notEqual(net.at(3).node.role, "leader");
    assert.equal(net.at(2).node.term, 1, "not even the term is looked at");
    for (let i = 0; i < 10; i++) net.at(2).node.tick();
    net.campaign(3);
    assert.equal(net.at(3).node.role, "leader");
    assert.equal(net.at(2).node.leader, 3);
  }
});

test("a follower that forgot its leader grants a vote inside the lease", () => {
  const follower = new Member(1, [1, 2, 3], { options: CHECK });
  follower.receive("MsgHeartbeat", 2, { term: 1 });
  assert.deepEqual(follower.receive("MsgVote", 3, { term: 2 }), []);
  follower.node.forgetLeader();
  assert.equal(follower.node.leader, 0);
  assert.equal(follower.node.term, 1);
  assert.equal(only(follower.receive("MsgVote", 3, { term: 2 })).reject, false);
});

test("a pre-vote is granted in the term that was asked for, and refused in our own", () => {
  const voter = new Member(1, [1, 2, 3], { options: PRE_VOTE, terms: [1, 1] });
  voter.receive("MsgVote", 2, { term: 2, index: 2, logTerm: 1 });
  const yes = only(voter.receive("MsgPreVote", 3, { term: 3, index: 2, logTerm: 1 }));
  assert.deepEqual([yes.type, yes.term, yes.reject], ["MsgPreVoteResp", 3, false]);
  const older = only(voter.receive("MsgPreVote", 3, { term: 3, index: 1, logTerm: 1 }));
  assert.deepEqual([older.term, older.reject], [2, true]);
  const lower = only(voter.receive("MsgPreVote", 3, { term: 1, index: 2, logTerm: 1 }));
  assert.deepEqual([lower.term, lower.reject], [2, true]);
  assert.equal(voter.raft.vote, 2, "the vote that was given is still given");
});

test("a pre-candidate neither takes a term nor a vote, and stops when a majority refuses", () => {
  const member = new Member(1, [1, 2, 3], {
    options: PRE_VOTE,
    hardState: { term: 4, vote: 3, commit: 0 },
  });
  member.node.campaign();
  const sent = member.drain();
  assert.deepEqual(
    sent.map(({ term }) => term),
    [5, 5],
  );
  assert.deepEqual(member.raft.hardState, { term: 4, vote: 3, commit: 0 });
  for (const from of [2, 3]) member.receive("MsgPreVoteResp", from, { reject: true });
  assert.equal(member.node.role, "follower");
  assert.deepEqual(member.raft.hardState, { term: 4, vote: 3, commit: 0 });
});

test("a refusal of a higher term tells a pre-candidate that term", () => {
  const member = new Member(1, [1, 2, 3], { options: PRE_VOTE });
  member.node.campaign();
  member.drain();
  member.receive("MsgPreVoteResp", 2, { term: 7, reject: true });
  assert.deepEqual([member.node.role, member.node.term], ["follower", 7]);
});

test("a yes that comes late, for a pre-election that is over, does not elect (bug 6)", () => {
  const member = new Member(1, [1, 2, 3], { options: PRE_VOTE });
  member.node.campaign();
  member.drain();
  const late = message("MsgPreVoteResp", { from: 2, to: 1, term: 1 });
  member.receive("MsgHeartbeat", 3, { term: 1 });
  member.node.step(late);
  member.drain();
  assert.equal(member.node.role, "follower");
  member.node.campaign();
  member.drain();
  for (let i = 0; i < 3; i++) member.node.step({ ...late, from: 2, term: 2 });
  assert.equal(member.node.role, "candidate", "pre-election won");
  for (let i = 0; i < 3; i++) member.node.step({ ...late, from: 2, term: 2 });
  member.drain();
  assert.equal(member.node.role, "candidate", "and its answers are no votes");
});

test("an isolated follower deposes the leader on its return only without pre-vote and lease", () => {
  for (const [options, deposes] of [
    [PLAIN, true],
    [PRE_VOTE, false],
    [BOTH, false],
  ] as const) {
    const net = new Network([1, 2, 3], { options });
    net.elect(1);
    const { term } = net.at(1).node;
    net.isolate(3);
    for (let i = 0; i < 60; i++) net.at(3).node.tick();
    net.propose(1, "x");
    net.heal();
    net.campaign(3);
    assert.equal(net.at(1).node.term > term, deposes, JSON.stringify(options));
    assert.equal(net.at(1).node.role === "leader", !deposes);
  }
});

test("a node of a higher term that lost touch is freed by the leader's next message", () => {
  for (const options of [CHECK, BOTH]) {
    const net = new Network([1, 2, 3], { options });
    net.elect(1);
    net.isolate(3);
    net.at(3).raft.becomeCandidate();
    net.at(3).raft.becomeCandidate();
    net.settle();
    net.heal();
    assert.ok(net.at(3).node.term > net.at(1).node.term);
    net.tick(45);
    assert.equal(net.leaders().length, 1, "one leads");
    const terms = new Set([...net.members.values()].map(({ node }) => node.term));
    assert.equal(terms.size, 1, "all are in one term");
    net.propose(net.leaders()[0]!, "x");
    assert.deepEqual(net.at(3).payloads(), ["x"]);
  }
});

test("to a lower term's append or heartbeat a node with leases answers its term, another is silent", () => {
  for (const [options, answers] of [
    [PLAIN, []],
    [PRE_VOTE, ["MsgAppResp>2"]],
    [CHECK, ["MsgAppResp>2"]],
  ] as const) {
    for (const type of ["MsgApp", "MsgHeartbeat"] as const) {
      const hardState = { term: 5, vote: 0, commit: 0 };
      const member = new Member(1, [1, 2, 3], { options, hardState });
      const sent = member.receive(type, 2, { term: 4 });
      assert.deepEqual(types(sent), answers);
      for (const m of sent) assert.equal(m.term, 5);
    }
  }
});

test("pre-vote can be switched on node by node, in every mixture of the two options (bug 5)", () => {
  for (let mask = 0; mask < 64; mask++) {
    const on = (bit: number): boolean => (mask & (1 << bit)) !== 0;
    const net = new Network([1, 2, 3], {
      each: (id) => ({ options: { preVote: on(id - 1), checkQuorum: on(id + 2) } }),
    });
    net.tick(45);
    assert.equal(net.leaders().length, 1, `mixture ${mask}`);
    const [first] = net.leaders();
    net.isolate(first!);
    net.tick(90);
    const rest = net.leaders().filter((id) => id !== first);
    assert.equal(rest.length, 1, `mixture ${mask} without ${first}`);
    net.heal();
    net.tick(90);
    assert.equal(net.leaders().length, 1, `mixture ${mask} together again`);
    net.propose(net.leaders()[0]!, "x");
    for (const member of net.members.values()) assert.deepEqual(member.payloads(), ["x"]);
  }
});

test("unequal terms do not keep a pre-vote from electing", () => {
  const net = new Network([1, 2, 3], { options: PRE_VOTE });
  net.elect(1);
  net.isolate(3);
  net.propose(1, "a");
  net.at(3).raft.becomeCandidate();
  net.settle();
  net.heal();
  net.isolate(1);
  net.campaign(3);
  assert.equal(net.at(3).node.role, "pre-candidate", "its log is older");
  net.campaign(2);
  if (net.at(2).node.role !== "leader") net.campaign(2);
  assert.equal(net.at(2).node.role, "leader");
});
