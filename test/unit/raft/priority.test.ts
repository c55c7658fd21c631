/** Election priority, which must not cost availability; and who judges a candidate by less than its whole log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { message } from "../../../src/raft/types.ts";
import {
  conf,
  entriesOf,
  type entry,
  generator,
  Member,
  type Options,
  only,
  PLAIN,
  TestStorage,
} from "./member.ts";
import { Network } from "./network.ts";

function voter(options: Options = {}): Member {
  const hardState = { term: 1, vote: 0, commit: 0 };
  return new Member(2, [1, 2, 3], {
    options: { ...PLAIN, priority: 5, ...options },
    terms: [1, 1],
    hardState,
  });
}

const SAME = { index: 2, logTerm: 1 };

test("of two equal logs the lower priority is refused, an equal or higher one not", () => {
  for (const type of ["MsgVote", "MsgPreVote"] as const) {
    for (const [priority, refused] of [
      [0, true],
      [4, true],
      [5, false],
      [6, false],
    ] as const) {
      const answer = only(voter().receive(type, 1, { ...SAME, term: 2, priority }));
      assert.equal(answer.reject, refused, `${type} of ${priority}`);
    }
  }
});

test("a longer or a newer log is never refused for its priority", () => {
  for (const log of [
    { index: 3, logTerm: 1 },
    { index: 1, logTerm: 2 },
  ]) {
    assert.equal(only(voter().receive("MsgVote", 1, { ...log, term: 3 })).reject, false);
  }
});

test("a transfer is never refused for its priority", () => {
  const asks = { ...SAME, term: 2, context: Uint8Array.of(0x54) };
  assert.equal(only(voter().receive("MsgVote", 1, asks)).reject, false);
  const net = new Network([1, 2, 3], {
    each: (id) => ({ options: { priority: id === 1 ? 9 : 0 } }),
  });
  net.elect(1);
  net.at(1).node.transferLeader(2);
  net.settle();
  assert.deepEqual(net.leaders(), [2]);
});

test("the refusal ends after two election time-outs without a leader, and starts anew with one", () => {
  const member = voter({ electionTick: 10 });
  const asks = { ...SAME, priority: 0 };
  const refused = (): boolean => {
    // A pre-vote, for it changes nothing; the voter's own campaigns only raise its term.
    const term = member.node.term + 1;
    return only(member.receive("MsgPreVote", 1, { ...asks, term })).reject;
  };
  for (let i = 0; i < 19; i++) {
    member.raft.electionElapsed = 0;
    member.ticks(1);
  }
  assert.equal(refused(), true);
  member.raft.electionElapsed = 0;
  member.ticks(1);
  assert.equal(refused(), false);
  member.receive("MsgHeartbeat", 1);
  member.raft.leader = 0;
  assert.equal(refused(), true);
});

test("a candidate says its priority", () => {
  const member = voter();
  member.node.campaign();
  assert.deepEqual(
    member.drain().map(({ priority }) => priority),
    [5, 5],
  );
});

test("who cannot lead does not prefer itself", () => {
  const learner = new Member(2, [1, 3], { options: { ...PLAIN, priority: 5 }, learners: [2] });
  assert.equal(only(learner.receive("MsgVote", 1, { term: 1 })).reject, false);
});

test("the lowest priority does not win while the others are there; when they are gone it leads", () => {
  for (const preVote of [false, true]) {
    let elected = 0;
    for (let seed = 0; seed < 20; seed++) {
      const net = new Network([1, 2, 3], {
        options: { preVote, checkQuorum: true },
        each: (id) => ({ options: { priority: id * 10, random: generator(seed * 7 + id) } }),
      });
      net.tick(19);
      elected += net.leaders().length;
      assert.equal(net.leaders().includes(1), false, `seed ${seed}`);
      net.tick(40);
      const [first] = net.leaders();
      net.isolate(first!);
      net.tick(80);
      assert.equal(net.leaders().filter((id) => id !== first).length, 1, `seed ${seed}`);
    }
    assert.ok(elected > 10, "most of them at once");
  }
});

test("one cut-off voter of high priority does not keep the others from electing", () => {
  // 3 hears everybody and refuses everybody, but nobody hears its own requests.
  const net = new Network([1, 2, 3], {
    each: (id) => ({ options: { priority: id === 3 ? 9 : 0 } }),
  });
  net.isolate(2);
  net.drop((m) => m.from === 3 && (m.type === "MsgPreVote" || m.type === "MsgVote"));
  net.tick(80);
  assert.deepEqual(net.leaders(), [1]);
});

/** 9 is no voter (any more); it has applied 1, committed 2, and has a tail that nobody needs. */
function outsider(tail: readonly ReturnType<typeof entry>[], committed = 2): Member {
  const storage = new TestStorage(conf([1, 2, 3]), [1, 1]);
  storage.append(tail);
  const options = { ...PLAIN, deliverCommitted: false };
  const hardState = { term: 2, vote: 0, commit: committed };
  return new Member(9, [], { options, storage, hardState });
}

test("a node that no longer votes insists on what it acknowledged, and tells what is committed", () => {
  const asks = { term: 3, index: 2, logTerm: 1 };
  for (const type of ["MsgVote", "MsgPreVote"] as const) {
    const member = outsider(entriesOf([2, 2], 2));
    const { reject, known } = only(member.receive(type, 1, asks));
    assert.deepEqual({ reject, known }, { reject: true, known: { index: 2, term: 1 } });
  }
  // Also to who asks in a term that has passed.
  const late = only(outsider(entriesOf([2, 2], 2)).receive("MsgPreVote", 1, { ...asks, term: 1 }));
  assert.deepEqual([late.reject, late.known], [true, { index: 2, term: 1 }]);
});

test("a voter refuses without a word of what is committed, and learns nothing by the request", () => {
  const setup = { options: PLAIN, terms: [1, 1, 2, 2], hardState: { term: 2, vote: 0, commit: 1 } };
  const asks = { term: 3, index: 2, logTerm: 1, known: { index: 2, term: 1 } };
  const member = new Member(2, [1, 2, 3], setup);
  const { reject, known } = only(member.receive("MsgVote", 1, asks));
  assert.deepEqual({ reject, known }, { reject: true, known: { index: 0, term: 0 } });
  assert.equal(member.raft.log.committed, 1);
});

test("who has no vote learns from the candidate that it refuses what is committed", () => {
  const asks = { term: 3, index: 3, logTerm: 2, known: { index: 3, term: 2 } };
  for (const type of ["MsgVote", "MsgPreVote"] as const) {
    const member = outsider(entriesOf([2, 2], 2));
    assert.equal(only(member.receive(type, 1, asks)).reject, true);
    assert.equal(member.raft.log.committed, 3);
  }
  const others = outsider(entriesOf([2, 2], 2));
  others.receive("MsgVote", 1, { ...asks, known: { index: 3, term: 1 } });
  assert.equal(others.raft.log.committed, 2);
});

test("who is refused learns what is committed, if that is in its log, and is no candidate any more", () => {
  const candidate = (): Member => {
    const setup = { options: PLAIN, terms: [1, 1, 2], hardState: { term: 2, vote: 0, commit: 1 } };
    const member = new Member(2, [1, 2], setup);
    member.node.campaign();
    assert.equal(member.raft.role, "candidate");
    return member;
  };
  // The term of the answer does not matter: what is committed stays so.
  for (const term of [2, 3, 4]) {
    const member = candidate();
    member.receive("MsgVoteResp", 1, { term, reject: true, known: { index: 3, term: 2 } });
    assert.equal(member.raft.log.committed, 3, `term ${term}`);
    assert.equal(member.raft.role, "follower");
  }
  for (const known of [
    { index: 3, term: 1 },
    { index: 4, term: 2 },
    { index: 1, term: 1 },
  ]) {
    const member = candidate();
    member.receive("MsgVoteResp", 1, { term: 3, reject: true, known });
    assert.equal(member.raft.log.committed, 1);
  }
});

test("equal priorities change nothing", () => {
  const net = new Network([1, 2, 3], { options: { ...PLAIN, priority: 7 } });
  net.elect(1);
  net.elect(2);
  net.at(3).node.step(message("MsgVote", { from: 1, to: 3, term: 9, index: 9, logTerm: 9 }));
  assert.equal(net.at(3).raft.vote, 1);
});
