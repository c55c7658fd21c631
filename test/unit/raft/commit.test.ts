/** What is committed when, and how a follower's log takes in a leader's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ProposalDropped, RaftBroken } from "../../../src/raft/errors.ts";
import { message } from "../../../src/raft/types.ts";
import { bytes, entriesOf, entry, Member, only, PLAIN, to, types } from "./member.ts";
import { Network } from "./network.ts";

test("proposals are committed and applied everywhere, in order", () => {
  for (const voters of [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4, 5]]) {
    const net = new Network(voters);
    net.elect(1);
    net.propose(1, "a", "b");
    for (const member of net.members.values()) assert.deepEqual(member.payloads(), ["a", "b"]);
  }
});

test("a sole voter commits only what its own disk has", () => {
  const member = new Member(1, [1], { options: PLAIN });
  member.lead();
  member.node.propose(bytes("a"));
  assert.equal(member.node.commit, 1);
  const ready = member.node.ready();
  assert.deepEqual(ready.committedEntries, []);
  member.storage.append(ready.entries);
  member.node.advance(ready);
  assert.equal(member.node.commit, 2);
});

test("without a majority nothing is committed, with it all before it is too", () => {
  const net = new Network([1, 2, 3, 4, 5], { options: PLAIN });
  net.elect(1);
  net.isolate(3, 4, 5);
  net.propose(1, "a", "b");
  assert.deepEqual(net.commits(), [1, 1, 1, 1, 1]);
  net.heal();
  net.tick(2);
  assert.deepEqual(net.commits(), [3, 3, 3, 3, 3]);
});

test("an entry of an earlier term is not committed by counting (bug 1, Figure 8)", () => {
  const member = new Member(1, [1, 2, 3], {
    options: PLAIN,
    terms: [1, 2],
    hardState: { term: 3, vote: 0, commit: 1 },
  });
  member.lead(2);
  assert.deepEqual(member.terms(), [1, 2, 4]);
  member.receive("MsgAppResp", 2, { index: 2 });
  member.receive("MsgAppResp", 3, { index: 2 });
  assert.equal(member.node.commit, 1, "all three have it, and yet");
  member.receive("MsgAppResp", 2, { index: 3 });
  assert.equal(member.node.commit, 3, "the own entry brings it along");
});

test("Figure 8 played out: the entry that a majority had is overwritten, and nobody had applied it", () => {
  const net = new Network([1, 2, 3, 4, 5], { options: { ...PLAIN, maxSizePerMessage: 1 } });
  net.elect(1);
  net.isolate(3, 4, 5);
  net.at(1).node.propose(bytes("old"));
  net.settle();
  net.heal();
  net.isolate(1, 2);
  net.drop((m) => m.type === "MsgApp" && m.from === 5);
  net.elect(5);
  net.propose(5, "new");
  // 1 leads again and copies "old" to 3, but its own entry of this term to nobody.
  net.heal();
  net.isolate(4, 5);
  let refused = 0;
  net.drop((m) => m.entries.some((e) => e.term > 2) && (m.to !== 3 || refused++ > 0));
  net.at(1).raft.becomeFollower(2, 0);
  net.elect(1);
  const holders = [1, 2, 3].filter((id) => net.at(id).raft.log.termOrZero(2) === 1);
  assert.deepEqual(holders, [1, 2, 3], "a majority has it");
  for (const id of net.members.keys()) assert.deepEqual(net.at(id).payloads(), [], `${id}`);
  net.heal();
  net.isolate(1);
  net.at(5).node.stepDown();
  net.campaign(5);
  net.campaign(5);
  assert.equal(net.at(5).node.role, "leader");
  net.heal();
  net.tick(2);
  for (const member of net.members.values()) assert.deepEqual(member.payloads(), ["new"]);
});

test("a new leader's empty entry commits what earlier leaders left", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.elect(1);
  net.drop((m) => m.type === "MsgAppResp");
  net.propose(1, "left");
  assert.deepEqual(net.commits(), [1, 1, 1]);
  net.heal();
  net.isolate(1);
  net.elect(2);
  assert.deepEqual(net.at(2).payloads(), ["left"]);
  assert.deepEqual(net.at(3).payloads(), ["left"]);
});

test("the commit index by matches and terms", () => {
  // [matches of 1.., terms of the log, term now, committed]
  const cases = [
    [[1], [1], 1, 1],
    [[1], [1], 2, 0],
    [[2], [1, 2], 2, 2],
    [[2, 1, 1], [1, 2], 1, 1],
    [[2, 1, 1], [1, 1], 2, 0],
    [[2, 1, 2], [1, 2], 2, 2],
    [[2, 1, 2], [1, 1], 2, 0],
    [[2, 1, 1, 1], [1, 2], 1, 1],
    [[2, 1, 2, 1], [1, 2], 2, 0],
    [[2, 2, 2, 1], [1, 2], 2, 2],
  ] as const;
  for (const [matches, terms, term, committed] of cases) {
    const voters = matches.map((_, i) => i + 1);
    const hardState = { term: term - 1, vote: 0, commit: 0 };
    const member = new Member(1, voters, { options: PLAIN, terms, hardState });
    member.raft.term = term;
    for (const [i, match] of matches.entries()) member.progress(i + 1).match = match;
    member.raft.log.maybeCommit({ index: member.raft.tracker.committed(), term });
    assert.equal(member.node.commit, committed, `${matches} of ${terms} in ${term}`);
  }
});

test("a follower passes a proposal on to the leader, and drops it while there is none", () => {
  const net = new Network([1, 2, 3]);
  assert.throws(() => net.at(2).node.propose(bytes("x")), ProposalDropped);
  net.elect(1);
  net.propose(2, "x");
  for (const member of net.members.values()) assert.deepEqual(member.payloads(), ["x"]);
  const strict = new Network([1, 2], { options: { disableProposalForwarding: true } });
  strict.elect(1);
  assert.throws(() => strict.at(2).node.propose(bytes("x")), ProposalDropped);
  assert.equal(strict.at(1).node.lastIndex, 1);
});

test("a candidate drops proposals", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.node.campaign();
  assert.throws(() => member.node.propose(bytes("x")), ProposalDropped);
  assert.equal(member.node.lastIndex, 0);
});

test("the appends of a leader that was deposed are not taken", () => {
  const net = new Network([1, 2, 3], { options: PLAIN });
  net.elect(1);
  net.elect(2);
  net.elect(1);
  const late = {
    from: 2,
    to: 1,
    term: 2,
    index: 1,
    logTerm: 1,
    entries: [entry(2, 2, bytes("late"))],
  };
  net.at(1).node.step(message("MsgApp", late));
  net.at(3).node.step(message("MsgApp", { ...late, to: 3 }));
  net.settle();
  net.propose(1, "x");
  for (const member of net.members.values()) {
    assert.deepEqual(member.terms(), [1, 2, 3, 3]);
    assert.deepEqual(member.payloads(), ["x"]);
  }
});

test("what a follower does with an append", () => {
  // Its log is 1, 2. [previous, its term, commit, entries' terms, then: last, committed, refused]
  const cases = [
    [2, 3, 3, [], 2, 0, true],
    [3, 3, 3, [], 2, 0, true],
    [1, 1, 1, [], 2, 1, false],
    [0, 0, 1, [2], 1, 1, false],
    [2, 2, 3, [2, 2], 4, 3, false],
    [2, 2, 4, [2], 3, 3, false],
    [1, 1, 4, [2], 2, 2, false],
    [1, 1, 3, [], 2, 1, false],
    [1, 1, 3, [2], 2, 2, false],
    [2, 2, 3, [], 2, 2, false],
    [2, 2, 4, [], 2, 2, false],
  ] as const;
  for (const [index, logTerm, commit, terms, last, committed, refused] of cases) {
    const hardState = { term: 2, vote: 0, commit: 0 };
    const follower = new Member(1, [1, 2], { options: PLAIN, terms: [1, 2], hardState });
    const entries = entriesOf(terms, index);
    const answer = only(follower.receive("MsgApp", 2, { index, logTerm, commit, entries }));
    const at = `${index}/${logTerm} ${terms}`;
    assert.equal(answer.reject, refused, at);
    assert.equal(follower.node.lastIndex, last, at);
    assert.equal(follower.node.commit, committed, at);
    assert.equal(follower.storage.lastIndex(), last, at);
  }
});

test("an append acknowledges what was sent, not what the log has behind it", () => {
  const hardState = { term: 2, vote: 0, commit: 0 };
  const follower = new Member(1, [1, 2], { options: PLAIN, terms: [1, 1, 1], hardState });
  const answer = only(follower.receive("MsgApp", 2, { index: 1, logTerm: 1, commit: 3 }));
  assert.equal(answer.index, 1);
  assert.equal(follower.node.commit, 1, "the rest may not be the leader's");
});

test("a heartbeat moves the commit index forward only, and beyond the log it is fatal (bug 21)", () => {
  const hardState = { term: 2, vote: 0, commit: 2 };
  const follower = new Member(1, [1, 2], { options: PLAIN, terms: [1, 2, 2], hardState });
  follower.receive("MsgHeartbeat", 2, { commit: 1 });
  assert.equal(follower.node.commit, 2);
  const answer = only(follower.receive("MsgHeartbeat", 2, { commit: 3, context: bytes("c") }));
  assert.equal(follower.node.commit, 3);
  assert.deepEqual([answer.type, answer.context], ["MsgHeartbeatResp", bytes("c")]);
  assert.throws(() => follower.receive("MsgHeartbeat", 2, { commit: 4 }), RaftBroken);
  assert.equal(follower.node.commit, 3);
});

test("an append that contradicts a committed entry is fatal", () => {
  const hardState = { term: 2, vote: 0, commit: 2 };
  const follower = new Member(1, [1, 2], { options: PLAIN, terms: [1, 1, 1], hardState });
  follower.receive("MsgHeartbeat", 2, { term: 3 });
  assert.throws(
    () => follower.raft.log.maybeAppend({ index: 1, term: 1 }, entriesOf([3], 1), 2),
    (error: Error) => error instanceof RaftBroken && /conflict with committed/.test(error.message),
  );
  assert.deepEqual(follower.terms(), [1, 1, 1]);
});

test("a log that is behind, ahead or different becomes the leader's (Figure 7)", () => {
  const leads = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const others = [
    [1, 1, 1, 4, 4, 5, 5, 6, 6],
    [1, 1, 1, 4],
    [...leads, 6],
    [...leads, 7, 7],
    [1, 1, 1, 4, 4, 4, 4],
    [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  ];
  for (const terms of others) {
    const net = new Network([1, 2, 3], {
      options: PLAIN,
      each: (id) => ({
        terms: id === 1 ? leads : id === 2 ? terms : [],
        hardState: { term: 7, vote: 0, commit: 0 },
      }),
    });
    net.elect(1);
    net.tick();
    assert.deepEqual(net.at(2).terms(), [...leads, 8]);
    assert.equal(net.at(2).node.commit, leads.length + 1);
  }
});

test("a commit is told with the next append or at once when nothing else is under way", () => {
  const member = new Member(1, [1, 2, 3], { options: PLAIN });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  const late = member.receive("MsgAppResp", 3, { index: 1 });
  const told = to(late, 3).filter(({ commit }) => commit === 1);
  assert.equal(told.length > 0, true, `${types(late)}`);
});

test("a self-acknowledgement from an earlier term is ignored (bug 8)", () => {
  const member = new Member(1, [1, 2, 3], { options: { ...PLAIN, asyncStorageWrites: true } });
  member.node.campaign();
  for (const m of member.node.ready().messages.at(-1)!.responses) member.node.step(m);
  member.node.step(message("MsgVoteResp", { from: 2, to: 1, term: 1 }));
  const late = member.node.ready().messages.find((m) => m.type === "MsgStorageAppend")!;
  // Deposed and elected again before that write is done.
  member.node.step(message("MsgHeartbeat", { from: 2, to: 1, term: 2 }));
  member.node.campaign();
  for (const m of member.node.ready().messages.at(-1)!.responses) {
    if (m.type === "MsgVoteResp") member.node.step(m);
  }
  member.node.step(message("MsgVoteResp", { from: 2, to: 1, term: 3 }));
  assert.equal(member.node.role, "leader");
  for (const m of late.responses) member.node.step(m);
  assert.equal(member.progress(1).match, 1, "no more than when it was elected");
  assert.equal(member.raft.log.unstable.offset, 1, "and nothing was taken for durable");
});
