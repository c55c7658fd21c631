/** Changes of the configuration: how they are proposed, applied, left, and what they must not break. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ConfChange,
  type ConfChangeStep,
  encodeConfChange,
  type Transition,
} from "../../../src/raft/conf-change.ts";
import { ConfChangeRefused, ProposalDropped } from "../../../src/raft/errors.ts";
import { type ConfState, EntryType, message, NO_BYTES } from "../../../src/raft/types.ts";
import { bytes, conf, entry, Member, PLAIN, to } from "./member.ts";
import { Network } from "./network.ts";

const add = (id: number): ConfChangeStep => ({ type: "add-node", id });
const learn = (id: number): ConfChangeStep => ({ type: "add-learner", id });
const remove = (id: number): ConfChangeStep => ({ type: "remove-node", id });

function change(changes: readonly ConfChangeStep[], transition: Transition = "auto"): ConfChange {
  return { transition, changes, context: NO_BYTES };
}

const LEAVE = change([]);

function state(member: Member): ConfState {
  return member.raft.tracker.confState();
}

test("each flavour of a change, and the configuration that it leads to", () => {
  const done = (voters: number[], more: Partial<ConfState> = {}): ConfState => conf(voters, more);
  const joint = { votersOutgoing: [1] };
  // [change, version, configuration after it was applied, after it was left (null: as it is)]
  const cases: readonly (readonly [ConfChange, 1 | 2, ConfState, ConfState | null])[] = [
    [change([add(2)]), 1, done([1, 2]), null],
    [change([add(2)]), 2, done([1, 2]), null],
    [change([learn(2)]), 1, done([1], { learners: [2] }), null],
    [change([learn(2)]), 2, done([1], { learners: [2] }), null],
    [change([add(2)], "explicit"), 2, done([1, 2], joint), done([1, 2])],
    [change([add(2)], "implicit"), 2, done([1, 2], { ...joint, autoLeave: true }), done([1, 2])],
    [
      change([add(2), learn(1), learn(3)]),
      2,
      done([2], { ...joint, learners: [3], learnersNext: [1], autoLeave: true }),
      done([2], { learners: [1, 3] }),
    ],
    [
      change([add(2), learn(1), learn(3)], "explicit"),
      2,
      done([2], { ...joint, learners: [3], learnersNext: [1] }),
      done([2], { learners: [1, 3] }),
    ],
    [
      change([learn(2), learn(3)], "implicit"),
      2,
      done([1], { ...joint, learners: [2, 3], autoLeave: true }),
      done([1], { learners: [2, 3] }),
    ],
    [change([{ type: "update-node", id: 1 }]), 1, done([1]), null],
    [change([add(0)]), 1, done([1]), null],
  ];
  for (const [what, version, entered, left] of cases) {
    const net = new Network([1], { options: PLAIN });
    const seen: ConfState[] = [];
    const { node } = net.at(1);
    const apply = node.applyConfChange.bind(node);
    node.applyConfChange = (one) => {
      seen.push(apply(one));
      return seen.at(-1)!;
    };
    for (const id of [2, 3]) net.join(id, PLAIN);
    net.elect(1);
    net.at(1).node.proposeConfChange(what, version);
    net.settle();
    const name = JSON.stringify(what);
    assert.deepEqual(seen[0], entered, name);
    if (left !== null && !entered.autoLeave) {
      assert.equal(seen.length, 1, "an explicit one is left by an operator");
      net.at(1).node.proposeConfChange(LEAVE);
      net.settle();
    }
    net.tick(2);
    assert.deepEqual(seen[1] ?? null, left, name);
    assert.equal(net.at(1).storage.conf.votersOutgoing.length, 0);
  }
});

test("a second change waits for the first: it is made an empty entry", () => {
  const member = new Member(1, [1, 2], { options: PLAIN });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  member.node.proposeConfChange(change([add(3)]));
  member.node.proposeConfChange(change([add(4)]));
  member.drain();
  const { log, pendingConfIndex } = member.raft;
  const [first, second] = log.entries(2, 1000) as readonly { type: number; data: Uint8Array }[];
  assert.equal(first?.type, EntryType.CONF_CHANGE_V2);
  assert.deepEqual([second?.type, second?.data.length], [EntryType.NORMAL, 0]);
  assert.equal(pendingConfIndex, 2);
  member.receive("MsgAppResp", 2, { index: 3 });
  assert.deepEqual(state(member).voters, [1, 2, 3]);
  member.node.proposeConfChange(change([add(4)]));
  assert.equal(member.raft.pendingConfIndex, 4, "applied, so the next one may come");
});

test("a new leader proposes no change before its own entry is committed (bug 2)", () => {
  const uncommitted = entry(2, 1, encodeConfChange(change([add(4)])), EntryType.CONF_CHANGE_V2);
  const member = new Member(1, [1, 2, 3], {
    options: PLAIN,
    terms: [1],
    hardState: { term: 1, vote: 0, commit: 1 },
  });
  member.storage.append([uncommitted]);
  member.restart();
  member.lead(2);
  assert.equal(member.raft.pendingConfIndex, 2, "there may be one in what is not applied");
  member.node.proposeConfChange(change([remove(3)]));
  member.drain();
  assert.deepEqual([...member.terms()], [1, 1, 2, 2]);
  member.receive("MsgAppResp", 2, { index: 4 });
  assert.deepEqual(state(member).voters, [1, 2, 3, 4], "the second one was blanked");
});

test("in a joint configuration only leaving it is taken, outside of one leaving is refused", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.elect(1);
  const { node } = net.at(1);
  node.proposeConfChange(LEAVE);
  net.settle();
  assert.deepEqual(state(net.at(1)), conf([1, 2, 3]));
  node.proposeConfChange(change([remove(3)], "explicit"));
  net.settle();
  node.proposeConfChange(change([add(4)]));
  net.settle();
  assert.deepEqual(state(net.at(2)), conf([1, 2], { votersOutgoing: [1, 2, 3] }));
  node.proposeConfChange(LEAVE);
  net.settle();
  assert.deepEqual(state(net.at(2)), conf([1, 2]));
});

test("without validation by the core an impossible change is refused when it is applied", () => {
  const member = new Member(1, [1], { options: { ...PLAIN, disableConfChangeValidation: true } });
  member.lead();
  member.node.proposeConfChange(LEAVE);
  assert.throws(() => member.drain(), ConfChangeRefused);
  assert.deepEqual(state(member), conf([1]));
});

test("changes that have no meaning are refused and leave everything as it was", () => {
  const plain = new Member(1, [1, 2, 3]);
  const refused = (what: ConfChange, reason: RegExp): void =>
    assert.throws(
      () => plain.node.applyConfChange(what),
      (error: Error) => error instanceof ConfChangeRefused && reason.test(error.message),
    );
  refused(LEAVE, /can't leave a non-joint config/);
  refused(change([remove(1), remove(2), remove(3)]), /removed all voters/);
  plain.node.applyConfChange(change([remove(3)], "explicit"));
  refused(change([add(4)]), /simple config change in joint config/);
  refused(change([add(4), add(5)]), /config is already joint/);
  assert.deepEqual(state(plain), conf([1, 2], { votersOutgoing: [1, 2, 3] }));
  const empty = new Member(1, []);
  assert.throws(() => empty.node.applyConfChange(change([add(1), add(2)])), /zero-voter/);
});

test("to add a voter again, or remove a stranger, changes nothing", () => {
  const member = new Member(1, [1, 2], { learners: [3] });
  for (const step of [add(1), remove(9), learn(3)]) {
    assert.deepEqual(member.node.applyConfChange(change([step])), conf([1, 2], { learners: [3] }));
  }
});

test("a new voter counts as heard of, and is fed at once", () => {
  const member = new Member(1, [1], { options: { ...PLAIN, checkQuorum: true } });
  member.lead();
  member.node.proposeConfChange(change([add(2)]));
  const sent = member.drain();
  assert.equal(member.progress(2).recentActive, true);
  assert.equal(to(sent, 2).length > 0, true);
  member.ticks(10);
  assert.equal(member.node.role, "leader", "one time-out for its first answer");
  member.ticks(10);
  assert.equal(member.node.role, "follower");
});

test("a learner receives the log and does not count", () => {
  const net = new Network([1, 2], { options: PLAIN, learners: [3] });
  net.elect(1);
  net.propose(1, "a");
  assert.deepEqual(net.at(3).payloads(), ["a"]);
  assert.equal(net.at(3).raft.isLearner, true);
  net.isolate(2);
  net.propose(1, "b");
  assert.equal(net.at(1).node.commit, 2, "1 and 3 are no quorum");
  assert.equal(net.at(1).progress(3).match, 3);
});

test("a learner that was promoted campaigns and counts", () => {
  const net = new Network([1, 2], { options: PLAIN, learners: [3] });
  net.elect(1);
  net.campaign(3);
  assert.equal(net.at(3).node.role, "follower");
  net.at(1).node.proposeConfChange(change([add(3)]));
  net.settle();
  net.tick();
  assert.equal(net.at(3).raft.isLearner, false);
  net.elect(3);
  net.isolate(2);
  net.propose(3, "x");
  assert.deepEqual(net.at(1).payloads(), ["x"]);
});

test("a voter that becomes a learner keeps its progress and stops campaigning", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.elect(1);
  const { match } = net.at(1).progress(3);
  net.at(1).node.proposeConfChange(change([learn(3)]));
  net.settle();
  net.tick();
  assert.ok(net.at(1).progress(3).match > match);
  assert.equal(net.at(1).progress(3).learner, true);
  net.campaign(3);
  assert.equal(net.at(3).node.role, "follower");
});

test("a removal by itself commits what waited for the one removed", () => {
  const net = new Network([1, 2], { options: PLAIN });
  net.elect(1);
  net.drop((m) => m.type === "MsgAppResp" && m.index > 2);
  net.at(1).node.proposeConfChange(change([remove(2)]), 1);
  net.at(1).node.propose(bytes("waits"));
  net.settle();
  assert.deepEqual(net.at(1).payloads(), ["waits"]);
  assert.deepEqual(state(net.at(1)), conf([1]));
});

test("a leader that removes itself, or is made a learner, steps down, or only stops taking proposals", () => {
  for (const step of [remove(1), learn(1)]) {
    const net = new Network([1, 2, 3], { options: PLAIN });
    net.elect(1);
    net.at(1).node.proposeConfChange(change([step]));
    net.settle();
    assert.equal(net.at(1).node.role, "follower");
    net.at(1).node.campaign();
    assert.equal(net.at(1).node.role, "follower");
    net.tick(2);
    net.elect(2);
  }
  const stays = new Network([1, 2, 3], { options: { ...PLAIN, stepDownOnRemoval: false } });
  stays.elect(1);
  stays.at(1).node.proposeConfChange(change([remove(1)]));
  stays.settle();
  assert.equal(stays.at(1).node.role, "leader");
  assert.throws(() => stays.at(1).node.propose(bytes("x")), ProposalDropped);
});

test("who was removed and does not know cannot disturb the others (bug 4)", () => {
  const net = new Network([1, 2, 3]);
  net.elect(1);
  net.drop((m) => m.to === 3);
  net.at(1).node.proposeConfChange(change([remove(3)]));
  net.settle();
  net.heal();
  const { term } = net.at(1).node;
  assert.deepEqual(state(net.at(3)).voters, [1, 2, 3], "it does not know");
  net.tick(60);
  assert.equal(net.at(1).node.role, "leader");
  assert.equal(net.at(1).node.term, term);
});

test("nobody campaigns over a committed change that it has not applied, in any way (bug 3)", () => {
  for (const version of [1, 2] as const) {
    for (const how of ["timeout", "campaign", "transfer"] as const) {
      const member = new Member(1, [1, 2, 3], { options: { ...PLAIN, deliverCommitted: false } });
      const type = version === 1 ? EntryType.CONF_CHANGE : EntryType.CONF_CHANGE_V2;
      const one = entry(1, 1, encodeConfChange(change([remove(3)])), type);
      const begin = (): void => {
        if (how === "campaign") member.node.campaign();
        else if (how === "transfer")
          member.node.step(message("MsgTimeoutNow", { from: 2, to: 1, term: 1 }));
        else member.ticks(20);
      };
      member.receive("MsgApp", 2, { term: 1, entries: [one], commit: 1 });
      begin();
      assert.equal(member.node.role, "follower", `${how}, version ${version}`);
      assert.equal(member.node.term, 1);
      member.apply(one);
      member.node.appliedTo(1, 0);
      begin();
      assert.equal(member.node.role, "candidate", `${how}, version ${version}`);
    }
  }
});

test("a change that is overwritten before it is applied never counted (bug 13)", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.elect(1);
  net.isolate(1);
  net.at(1).node.proposeConfChange(change([remove(2)]));
  net.settle();
  net.elect(2);
  net.propose(2, "x");
  net.heal();
  net.tick(2);
  assert.deepEqual(net.at(1).payloads(), ["x"]);
  for (const member of net.members.values()) assert.deepEqual(state(member), conf([1, 2, 3]));
});

test("the members that a configuration has, in order", () => {
  const member = new Member(7, [9, 7, 8], { learners: [3, 2] });
  assert.deepEqual(member.raft.tracker.voterIds(), [7, 8, 9]);
  assert.deepEqual(member.raft.tracker.learnerIds(), [2, 3]);
});
