/** Who wins an election, who votes for whom, and which role a message leads to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { message, type Role } from "../../../src/raft/types.ts";
import { entriesOf, Member, only, PLAIN, to, types } from "./member.ts";
import { Network } from "./network.ts";

const BOTH = [
  ["without pre-vote", PLAIN],
  ["with pre-vote", { ...PLAIN, preVote: true }],
] as const;

for (const [how, options] of BOTH) {
  test(`a majority elects, a minority does not (${how})`, () => {
    for (const [voters, dead, role] of [
      [[1, 2, 3], [], "leader"],
      [[1, 2, 3], [3], "leader"],
      [[1, 2, 3], [2, 3], options.preVote ? "pre-candidate" : "candidate"],
      [[1, 2, 3, 4], [3, 4], options.preVote ? "pre-candidate" : "candidate"],
      [[1, 2, 3, 4, 5], [4, 5], "leader"],
    ] as const) {
      const net = new Network(voters, { options });
      net.isolate(...dead);
      net.campaign(1);
      assert.equal(net.at(1).node.role, role, `${voters} without ${dead}`);
      assert.equal(net.at(1).node.term, role === "pre-candidate" ? 0 : 1);
    }
  });

  test(`those with newer logs refuse, and a majority of them decides (${how})`, () => {
    const newer = (ids: readonly number[]) => (id: number) => ({
      terms: ids.includes(id) ? [1, 2] : [1],
      hardState: { term: 2, vote: 0, commit: 0 },
    });
    const one = new Network([1, 2, 3], { options, each: newer([3]) });
    one.campaign(1);
    assert.equal(one.at(1).node.role, "leader");
    const two = new Network([1, 2, 3], { options, each: newer([2, 3]) });
    two.campaign(1);
    assert.equal(two.at(1).node.role, "follower");
    assert.deepEqual(two.leaders(), []);
  });

  test(`each node can lead in its turn (${how})`, () => {
    const net = new Network([1, 2, 3], { options });
    for (const id of [1, 2, 3, 1]) {
      net.elect(id);
      assert.deepEqual(net.leaders(), [id]);
      assert.deepEqual(
        [...net.members.values()].map(({ node }) => node.leader),
        [id, id, id],
      );
    }
  });

  test(`a new leader overwrites what was never committed, even at higher indexes (${how})`, () => {
    // 1 to 3 have only the first term; 4 got two entries in term 2 and 5 one in term 3, uncommitted.
    const logs: Record<number, number[]> = { 1: [1], 2: [1], 3: [1], 4: [1, 2, 2], 5: [1, 3] };
    const net = new Network([1, 2, 3, 4, 5], {
      options,
      each: (id) => ({ terms: logs[id]!, hardState: { term: 3, vote: 5, commit: 0 } }),
    });
    net.elect(1);
    for (const member of net.members.values()) {
      assert.deepEqual(member.terms(), [1, 4], `of ${member.id}`);
      assert.equal(member.node.commit, 2);
    }
  });

  test(`a sole voter leads at once (${how})`, () => {
    const member = new Member(1, [1], { options });
    member.node.campaign();
    member.drain();
    assert.equal(member.node.role, "leader");
    assert.equal(member.node.term, 1);
    assert.equal(member.node.commit, 1);
  });

  test(`a request of a higher term is answered in any role (${how})`, () => {
    for (const role of ["follower", "pre-candidate", "candidate", "leader"] as const) {
      for (const type of ["MsgVote", "MsgPreVote"] as const) {
        const member = inRole(role);
        const { term, vote } = member.node.raft;
        const fields = { term: term + 5, logTerm: 9, index: 9 };
        const answer = only(member.receive(type, 2, fields));
        assert.equal(answer.type, `${type}Resp`);
        assert.equal(answer.reject, false);
        assert.equal(answer.term, term + 5);
        const changes = type === "MsgVote";
        assert.equal(member.node.role, changes ? "follower" : role);
        assert.equal(member.node.term, changes ? term + 5 : term);
        assert.equal(member.raft.vote, changes ? 2 : vote);
        assert.equal(member.storage.hardState.vote, changes ? 2 : vote, "durable with the answer");
      }
    }
  });
}

/** One of three in term 3 or so. */
function inRole(role: Role): Member {
  const preVote = role === "pre-candidate";
  const member = new Member(1, [1, 2, 3], {
    options: { ...PLAIN, preVote },
    hardState: { term: 3, vote: 0, commit: 0 },
  });
  if (role === "leader") member.lead(2);
  else if (role !== "follower") member.node.campaign();
  member.drain();
  assert.equal(member.node.role, role);
  return member;
}

test("a voter grants by log and by the vote it already gave", () => {
  // [request's last index, its term, vote already given to, granted]; the voter's log is 2, 2.
  const cases = [
    [0, 0, 0, false],
    [2, 1, 0, false],
    [9, 1, 0, false],
    [1, 2, 0, false],
    [2, 2, 0, true],
    [3, 2, 0, true],
    [1, 3, 0, true],
    [2, 2, 2, true],
    [2, 2, 3, false],
    [9, 9, 3, false],
  ] as const;
  for (const [index, logTerm, vote, granted] of cases) {
    const hardState = { term: 3, vote, commit: 0 };
    const voter = new Member(1, [1, 2, 3], { options: PLAIN, terms: [2, 2], hardState });
    const answer = only(voter.receive("MsgVote", 2, { index, logTerm }));
    assert.equal(answer.reject, !granted, `${index}/${logTerm} after a vote for ${vote}`);
    assert.equal(voter.raft.vote, granted ? 2 : vote);
  }
});

test("one vote a term, the same one again for a repeated request", () => {
  const voter = new Member(1, [1, 2, 3], { options: PLAIN });
  assert.equal(only(voter.receive("MsgVote", 2, { term: 1 })).reject, false);
  assert.equal(only(voter.receive("MsgVote", 3, { term: 1 })).reject, true);
  assert.equal(only(voter.receive("MsgVote", 2, { term: 1 })).reject, false);
  voter.restart();
  assert.equal(only(voter.receive("MsgVote", 3, { term: 1 })).reject, true, "after a restart too");
});

test("a vote request names the end of the candidate's log, and no request goes to learners", () => {
  const setup = {
    options: PLAIN,
    terms: [1, 2],
    learners: [4],
    hardState: { term: 2, vote: 0, commit: 0 },
  };
  const member = new Member(1, [1, 2, 3], setup);
  member.node.campaign();
  const sent = member.drain();
  assert.deepEqual(types(sent), ["MsgVote>2", "MsgVote>3"]);
  const { term, index, logTerm } = sent[0]!;
  assert.deepEqual({ term, index, logTerm }, { term: 3, index: 2, logTerm: 2 });
});

test("an answer that comes twice counts once", () => {
  const member = new Member(1, [1, 2, 3, 4, 5], { options: PLAIN });
  member.node.campaign();
  member.drain();
  for (let i = 0; i < 3; i++) member.receive("MsgVoteResp", 2);
  assert.equal(member.node.role, "candidate");
  member.receive("MsgVoteResp", 2, { reject: true });
  member.receive("MsgVoteResp", 3);
  assert.equal(member.node.role, "leader", "the first answer of 2 stands");
});

test("a majority of refusals ends a candidacy", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.node.campaign();
  member.drain();
  member.receive("MsgVoteResp", 2, { reject: true });
  assert.equal(member.node.role, "candidate");
  member.receive("MsgVoteResp", 3, { reject: true });
  assert.equal(member.node.role, "follower");
  assert.equal(member.node.term, 1);
});

test("a split vote elects nobody, and the next term decides", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.drop((m) => m.type === "MsgVote" && m.to === 2);
  net.at(1).node.campaign();
  net.at(3).node.campaign();
  net.settle();
  assert.deepEqual(net.leaders(), []);
  net.heal();
  net.elect(3);
  assert.equal(net.at(3).node.term, 2);
  assert.equal(net.at(1).node.role, "follower");
});

test("a candidate yields to a leader of its term or of a higher one", () => {
  for (const type of ["MsgApp", "MsgHeartbeat"] as const) {
    for (const ahead of [0, 1]) {
      const member = new Member(1, [1, 2, 3], { options: PLAIN });
      member.node.campaign();
      member.drain();
      member.receive(type, 2, { term: member.node.term + ahead });
      assert.equal(member.node.role, "follower");
      assert.equal(member.node.leader, 2);
      assert.equal(member.node.term, 1 + ahead);
      assert.equal(member.raft.vote, ahead === 0 ? 1 : 0, "within its term a vote stays given");
    }
  }
});

test("every role steps down on a higher term and knows a leader only from its own messages", () => {
  for (const role of ["follower", "pre-candidate", "candidate", "leader"] as const) {
    for (const type of ["MsgApp", "MsgHeartbeat", "MsgVoteResp", "MsgAppResp"] as const) {
      const member = inRole(role);
      const term = member.node.term + 2;
      member.receive(type, 3, { term, reject: type === "MsgAppResp" });
      assert.equal(member.node.role, "follower", `${role} on ${type}`);
      assert.equal(member.node.term, term);
      assert.equal(member.node.leader, type === "MsgApp" || type === "MsgHeartbeat" ? 3 : 0);
      assert.equal(member.storage.hardState.term, term);
    }
  }
});

test("messages of a lower term change nothing", () => {
  const member = inRole("leader");
  const before = { ...member.raft.hardState };
  for (const type of ["MsgApp", "MsgHeartbeat", "MsgVote", "MsgVoteResp", "MsgAppResp"] as const) {
    const sent = member.receive(type, 2, { term: 1, commit: 9, entries: entriesOf([1], 7) });
    assert.deepEqual(sent, [], type);
  }
  assert.equal(member.node.role, "leader");
  assert.deepEqual(member.raft.hardState, before);
});

test("to campaign while leading does nothing", () => {
  const member = inRole("leader");
  const { term } = member.node;
  member.node.campaign();
  assert.deepEqual(member.drain(), []);
  assert.equal(member.node.role, "leader");
  assert.equal(member.node.term, term);
});

test("an own vote that becomes durable after the election was lost is not counted", () => {
  const options = { ...PLAIN, asyncStorageWrites: true };
  const member = new Member(1, [1, 2, 3], { options });
  member.node.campaign();
  const append = member.node.ready().messages.find((m) => m.type === "MsgStorageAppend")!;
  const own = to(append.responses, 1);
  assert.equal(own[0]?.type, "MsgVoteResp");
  member.node.step(message("MsgHeartbeat", { from: 2, to: 1, term: 1 }));
  for (const late of own) member.node.step(late);
  assert.equal(member.node.role, "follower");
  assert.equal(member.node.leader, 2);
});

test("an own vote of the pre-election is no vote of the election", () => {
  const options = { ...PLAIN, preVote: true, asyncStorageWrites: true };
  const member = new Member(1, [1, 2, 3], { options });
  member.node.campaign();
  const append = member.node.ready().messages.find((m) => m.type === "MsgStorageAppend")!;
  for (const from of [2, 3]) {
    member.node.step(message("MsgPreVoteResp", { from, to: 1, term: 1 }));
  }
  assert.equal(member.node.role, "candidate");
  for (const late of to(append.responses, 1)) member.node.step(late);
  assert.deepEqual(member.raft.tracker.tally(), { granted: 0, rejected: 0, result: "pending" });
  member.node.step(message("MsgVoteResp", { from: 2, to: 1, term: 1 }));
  assert.equal(member.node.role, "candidate", "the own vote is not durable yet");
});

test("who is no voter never campaigns", () => {
  for (const [voters, learners, may] of [
    [[1, 2], [], true],
    [[1], [], true],
    [[2, 3], [1], false],
    [[2, 3], [], false],
    [[], [], false],
  ] as const) {
    const member = new Member(1, voters, { options: PLAIN, learners });
    member.ticks(25);
    assert.equal(member.node.term > 0, may, `voters ${voters}, learners ${learners}`);
    member.node.campaign();
    member.drain();
    assert.equal(member.node.role === "follower", !may);
  }
});

test("a learner votes when it is asked, for it may be a voter without knowing", () => {
  const learner = new Member(3, [1, 2], { options: PLAIN, learners: [3] });
  const answer = only(learner.receive("MsgVote", 1, { term: 2, index: 11, logTerm: 11 }));
  assert.equal(answer.reject, false);
  assert.equal(learner.raft.vote, 1);
});

test("who was told of a commit neither votes for a log that ends before it nor campaigns with one", () => {
  const setup = { options: PLAIN, terms: [1, 1], hardState: { term: 1, vote: 0, commit: 0 } };
  const member = new Member(1, [1, 2, 3], setup);
  // The leader has 5 entries committed with the third voter; what it sends here does not fit yet.
  member.receive("MsgApp", 2, { term: 1, index: 4, logTerm: 1, commit: 5 });
  assert.equal(member.node.commit, 0);
  // The third one has lost entries that it had acknowledged: it shows as much as we have.
  const refused = only(member.receive("MsgVote", 3, { term: 2, index: 4, logTerm: 1 }));
  assert.equal(refused.reject, true);
  const granted = only(member.receive("MsgVote", 2, { term: 2, index: 5, logTerm: 1 }));
  assert.equal(granted.reject, false);
  member.node.campaign();
  assert.equal(member.node.role, "follower");
});

test("who was told of a commit that it lacks does not hold on to its old leader, and votes for another", () => {
  const setup = { options: { ...PLAIN, checkQuorum: true }, terms: [1, 1] };
  const member = new Member(1, [1, 2, 3], {
    ...setup,
    hardState: { term: 1, vote: 0, commit: 0 },
  });
  member.receive("MsgApp", 2, { term: 1, index: 4, logTerm: 1, commit: 5 });
  assert.equal(member.node.leader, 2);
  // However often its own time-out comes.
  for (let tick = 0; tick < 100; tick++) {
    member.node.tick();
    member.drain();
    if (tick < 2 * member.raft.config.electionTick) continue;
    const { term } = member.raft;
    const asked = member.receive("MsgPreVote", 3, { term: term + 1, index: 5, logTerm: 1 });
    assert.equal(only(asked).reject, false, `tick ${tick}`);
  }
});
