/** Handing leadership over: to whom, when it is given up, and what it must not break. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ProposalDropped } from "../../../src/raft/errors.ts";
import { NO_BYTES } from "../../../src/raft/types.ts";
import { bytes, Member, only, PLAIN, to } from "./member.ts";
import { Network } from "./network.ts";

const BOTH = { preVote: true, checkQuorum: true };

function led(options = {}): Network {
  const net = new Network([1, 2, 3], { options });
  net.elect(1);
  return net;
}

/** 3 is behind, and 1 is handing over to it. */
function under(options = {}): Network {
  const net = led(options);
  net.isolate(3);
  net.propose(1, "x");
  net.at(1).node.transferLeader(3);
  net.settle();
  assert.equal(net.at(1).raft.leadTransferee, 3);
  return net;
}

test("to one that is up to date it takes one message, and no pre-vote or lease is in the way", () => {
  for (const options of [PLAIN, BOTH]) {
    const net = led(options);
    net.at(1).node.transferLeader(2);
    net.settle();
    assert.deepEqual(net.leaders(), [2]);
    assert.deepEqual(
      [...net.members.values()].map(({ node }) => node.leader),
      [2, 2, 2],
    );
    assert.equal(net.at(1).raft.leadTransferee, 0);
    assert.equal(net.at(2).node.term, 2);
    assert.equal(net.sent.filter((m) => m.type === "MsgPreVote" && m.from === 2).length, 0);
  }
});

test("a follower passes the wish on to the leader", () => {
  const net = led();
  net.at(2).node.transferLeader(2);
  net.settle();
  assert.deepEqual(net.leaders(), [2]);
  net.at(1).node.transferLeader(3);
  net.settle();
  assert.deepEqual(net.leaders(), [3]);
});

test("one that is behind is brought up first", () => {
  const net = led();
  net.isolate(3);
  net.propose(1, "x");
  net.heal();
  net.at(1).node.transferLeader(3);
  net.settle();
  net.tick();
  assert.deepEqual(net.leaders(), [3]);
  assert.deepEqual(net.at(3).payloads(), ["x"]);
});

test("one that needs a snapshot is brought up first", () => {
  const net = led();
  net.isolate(3);
  net.propose(1, "x", "y");
  const { storage } = net.at(1);
  storage.createSnapshot(3, storage.conf, NO_BYTES);
  storage.compact(3);
  net.heal();
  net.at(1).node.transferLeader(3);
  net.tick(2);
  assert.equal(
    net.sent.some((m) => m.type === "MsgSnap" && m.to === 3),
    true,
  );
  assert.deepEqual(net.leaders(), [3]);
});

test("to itself, to a learner, or to nobody known nothing happens", () => {
  const net = new Network([1, 2], { learners: [3], options: PLAIN });
  net.elect(1);
  for (const id of [1, 3, 9]) {
    net.at(1).node.transferLeader(id);
    net.settle();
    assert.deepEqual(net.leaders(), [1], `to ${id}`);
    assert.equal(net.at(1).raft.leadTransferee, 0);
  }
  net.propose(1, "x");
  assert.deepEqual(net.at(1).payloads(), ["x"]);
});

test("it is given up after an election time-out", () => {
  const net = under();
  net.tick(9);
  assert.equal(net.at(1).raft.leadTransferee, 3);
  net.tick(1);
  assert.equal(net.at(1).raft.leadTransferee, 0);
  assert.deepEqual(net.leaders(), [1]);
});

test("meanwhile proposals are dropped, afterwards taken", () => {
  const net = under();
  assert.throws(() => net.at(1).node.propose(bytes("no")), ProposalDropped);
  assert.equal(net.at(1).node.lastIndex, 2);
  net.tick(10);
  net.propose(1, "yes");
  assert.deepEqual(net.at(1).payloads(), ["x", "yes"]);
});

test("a vote in a higher term ends it", () => {
  const net = under(PLAIN);
  net.elect(2);
  assert.equal(net.at(1).raft.leadTransferee, 0);
  assert.equal(net.at(1).node.role, "follower");
});

test("to remove or to demote the one it goes to ends it", () => {
  for (const type of ["remove-node", "add-learner"] as const) {
    const net = led(PLAIN);
    net.drop((m) => m.type === "MsgTimeoutNow");
    net.at(1).node.proposeConfChange({
      transition: "auto",
      changes: [{ type, id: 3 }],
      context: NO_BYTES,
    });
    net.at(1).node.transferLeader(3);
    assert.equal(net.at(1).raft.leadTransferee, 3);
    net.settle();
    assert.equal(net.at(1).raft.leadTransferee, 0, type);
    net.propose(1, "x");
    assert.deepEqual(net.at(1).payloads(), ["x"]);
  }
});

test("a wish to keep leadership ends it, one for another replaces it", () => {
  const back = under();
  back.at(1).node.transferLeader(1);
  back.settle();
  assert.equal(back.at(1).raft.leadTransferee, 0);
  assert.deepEqual(back.leaders(), [1]);
  const other = under();
  other.at(1).node.transferLeader(2);
  other.settle();
  assert.deepEqual(other.leaders().includes(2), true);
  assert.equal(other.at(2).node.leader, 2);
});

test("a second wish for the same one does not give it more time", () => {
  const net = under();
  net.tick(5);
  net.at(1).node.transferLeader(3);
  net.tick(5);
  assert.equal(net.at(1).raft.leadTransferee, 0);
});

test("the transferee is told once its log has all", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  member.node.propose(bytes("x"));
  member.drain();
  member.node.transferLeader(2);
  assert.deepEqual(
    to(member.drain(), 2)
      .map(({ type }) => type)
      .includes("MsgTimeoutNow"),
    false,
  );
  const sent = to(member.receive("MsgAppResp", 2, { index: 2 }), 2);
  assert.equal(sent.at(-1)?.type, "MsgTimeoutNow");
});

test("who is told to take over campaigns at once, in the name of the transfer", () => {
  const member = new Member(2, [1, 2], { options: BOTH });
  member.receive("MsgHeartbeat", 1, { term: 1 });
  const asked = only(member.receive("MsgTimeoutNow", 1));
  assert.deepEqual([asked.type, asked.term, asked.context.length], ["MsgVote", 2, 1]);
});

test("who is no voter, or campaigns already, does not take over", () => {
  for (const [voters, learners] of [
    [[1, 3], [2]],
    [[1, 3], []],
  ] as const) {
    const member = new Member(2, voters, { options: PLAIN, learners });
    assert.deepEqual(member.receive("MsgTimeoutNow", 1, { term: 1 }), []);
    assert.equal(member.node.role, "follower");
    assert.equal(member.node.term, 1);
  }
  const member = new Member(2, [1, 2], { options: PLAIN });
  member.node.campaign();
  member.drain();
  assert.deepEqual(member.receive("MsgTimeoutNow", 1), []);
  assert.equal(member.node.term, 1);
});

test("a transferee that is lost on the way does not lose the cluster", () => {
  const net = led();
  net.drop((m) => m.from === 2);
  net.at(1).node.transferLeader(2);
  net.settle();
  net.tick(10);
  assert.equal(net.at(1).raft.leadTransferee, 0);
  net.propose(1, "x");
  assert.deepEqual(net.at(3).payloads(), ["x"]);
});
