/** Joint configurations: both halves decide, and each is left, whatever comes between. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfChange, ConfChangeStep, Transition } from "../../../src/raft/conf-change.ts";
import { ProposalDropped } from "../../../src/raft/errors.ts";
import { type ConfState, NO_BYTES } from "../../../src/raft/types.ts";
import { bytes, conf, Member, PLAIN } from "./member.ts";
import { Network } from "./network.ts";

const add = (id: number): ConfChangeStep => ({ type: "add-node", id });
const remove = (id: number): ConfChangeStep => ({ type: "remove-node", id });

function change(changes: readonly ConfChangeStep[], transition: Transition = "auto"): ConfChange {
  return { transition, changes, context: NO_BYTES };
}

function state(member: Member): ConfState {
  return member.raft.tracker.confState();
}

test("a joint configuration is left by the leader that comes after (bug 14)", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.join(4, PLAIN);
  net.elect(1);
  // The first leader is lost before the entry that leaves reaches anybody.
  net.drop((m) => m.from === 1 && m.entries.some((e) => e.type !== 0 && e.data.length === 0));
  net.at(1).node.proposeConfChange(change([add(4), remove(3)]));
  net.settle();
  assert.equal(state(net.at(2)).votersOutgoing.length, 3);
  net.isolate(1);
  net.campaign(2);
  assert.equal(net.at(2).node.role, "leader", "2 and 4 of the new, 2 and 3 of the old");
  net.tick(2);
  assert.deepEqual(state(net.at(2)), conf([1, 2, 4]));
  net.heal();
  net.tick(2);
  assert.deepEqual(state(net.at(1)), conf([1, 2, 4]));
});

test("a transfer under way delays leaving a joint configuration, and does not lose it (bug 14)", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.elect(1);
  net.drop((m) => m.type === "MsgTimeoutNow");
  net.at(1).node.proposeConfChange(change([remove(3)], "implicit"));
  net.at(1).node.transferLeader(2);
  net.settle();
  assert.equal(state(net.at(1)).votersOutgoing.length, 3);
  assert.equal(state(net.at(1)).autoLeave, true);
  net.tick(10);
  assert.equal(net.at(1).raft.leadTransferee, 0, "given up");
  net.propose(1, "next");
  net.tick(2);
  assert.deepEqual(state(net.at(1)), conf([1, 2]));
});

test("leaving a joint configuration is not refused for the size of what is uncommitted (bug 14)", () => {
  const options = { ...PLAIN, maxUncommittedSize: 4, asyncStorageWrites: false };
  const net = new Network([1, 2, 3], { options });
  net.elect(1);
  net.at(1).node.proposeConfChange(change([remove(3)], "implicit"));
  assert.throws(() => net.at(1).node.propose(bytes("too much")), ProposalDropped);
  net.settle();
  assert.deepEqual(state(net.at(1)), conf([1, 2]));
});

test("in a joint configuration both majorities decide an election and a commit", () => {
  const joint = conf([1, 4, 5], { votersOutgoing: [1, 2, 3] });
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.storage.conf = joint;
  member.restart();
  member.node.campaign();
  member.drain();
  member.receive("MsgVoteResp", 4);
  member.receive("MsgVoteResp", 5);
  assert.equal(member.node.role, "candidate");
  member.receive("MsgVoteResp", 2);
  assert.equal(member.node.role, "leader");
  member.receive("MsgAppResp", 2, { index: 1 });
  member.receive("MsgAppResp", 3, { index: 1 });
  assert.equal(member.node.commit, 0);
  member.receive("MsgAppResp", 4, { index: 1 });
  assert.equal(member.node.commit, 1);
});
