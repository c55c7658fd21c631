/** How a leader feeds its peers: probing, streaming, windows, hints, heartbeats. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { broadcastAppend } from "../../../src/raft/replication.ts";
import type { Message } from "../../../src/raft/types.ts";
import { bytes, entriesOf, entry, Member, type Options, only, PLAIN, to, types } from "./member.ts";
import { Network } from "./network.ts";

/** Leads 1, 2, 3 in term 1 with one entry, its own. */
function leader(options: Options = {}): Member {
  const member = new Member(1, [1, 2, 3], { options: { ...PLAIN, ...options } });
  member.lead(2);
  return member;
}

function propose(member: Member, ...payloads: string[]): Message[] {
  const sent: Message[] = [];
  for (const payload of payloads) {
    member.node.propose(bytes(payload));
    sent.push(...member.drain());
  }
  return sent;
}

test("the leader's own progress follows its durable log", () => {
  const member = new Member(1, [1, 2, 3], { options: { ...PLAIN, asyncStorageWrites: true } });
  member.node.campaign();
  for (const response of member.node.ready().messages.at(-1)!.responses) member.node.step(response);
  member.node.step({ ...member.node.ready().messages[0]!, type: "MsgVoteResp", from: 2, to: 1 });
  assert.equal(member.node.role, "leader");
  member.node.propose(bytes("x"));
  assert.deepEqual([member.progress(1).match, member.progress(1).next], [0, 1]);
  const append = member.node.ready().messages.find((m) => m.type === "MsgStorageAppend")!;
  assert.equal(append.entries.length, 2);
  for (const response of append.responses) member.node.step(response);
  assert.deepEqual([member.progress(1).match, member.progress(1).next], [2, 3]);
});

test("a new leader probes: one append to each, and no more until something comes back", () => {
  const member = leader();
  assert.equal(member.progress(2).state, "probe");
  assert.deepEqual(to(propose(member, "a", "b", "c"), 2), [], "the append of its own entry waits");
  const sent = to(member.receive("MsgAppResp", 2, { index: 1 }), 2);
  assert.equal(member.progress(2).state, "replicate");
  assert.deepEqual(
    sent.flatMap((m) => m.entries.map(({ index }) => index)),
    [2, 3, 4],
  );
});

test("a heartbeat's answer opens a probe for one append", () => {
  const member = leader();
  propose(member, "a");
  for (let round = 0; round < 3; round++) {
    const sent = to(member.receive("MsgHeartbeatResp", 2), 2);
    assert.deepEqual(
      sent[0]?.entries.map(({ index }) => index),
      [1, 2],
    );
    assert.equal(sent.length, 1);
    assert.ok(member.progress(2).isPaused);
    assert.deepEqual(to(propose(member), 2), []);
  }
});

test("who replicates is streamed to without waiting, and next runs ahead", () => {
  const member = leader();
  member.receive("MsgAppResp", 2, { index: 1 });
  const sent = to(propose(member, "a", "b", "c"), 2);
  assert.deepEqual(
    sent.map((m) => [m.index, m.entries.length]),
    [
      [1, 1],
      [2, 1],
      [3, 1],
    ],
  );
  assert.deepEqual([member.progress(2).match, member.progress(2).next], [1, 5]);
});

test("a window of messages: full stops, an answer slides it, a heartbeat's answer lets one through", () => {
  const member = leader({ maxInflightMessages: 3 });
  member.receive("MsgAppResp", 2, { index: 1 });
  assert.equal(to(propose(member, "a", "b", "c", "d", "e"), 2).length, 3);
  assert.ok(member.progress(2).inflights.full);
  const beat = to(member.receive("MsgHeartbeatResp", 2), 2);
  assert.deepEqual(
    beat.map((m) => m.entries.length),
    [0],
    "an empty one, to find lost messages",
  );
  assert.deepEqual(to(propose(member, "f"), 2), []);
  const slid = to(member.receive("MsgAppResp", 2, { index: 2 }), 2);
  assert.deepEqual(
    slid.flatMap((m) => m.entries.map(({ index }) => index)),
    [5, 6, 7],
  );
  assert.equal(member.progress(2).inflights.count, 3);
  assert.deepEqual(
    to(member.receive("MsgAppResp", 2, { index: 2 }), 2),
    [],
    "an old answer frees nothing",
  );
});

test("a window of bytes: what fills it is the last one sent", () => {
  const member = leader({ maxInflightBytes: 10, maxSizePerMessage: 1 });
  member.receive("MsgAppResp", 2, { index: 1 });
  assert.equal(to(propose(member, "1234", "5678", "9abc", "more", "more"), 2).length, 3);
  assert.equal(member.progress(2).inflights.bytes, 12);
  assert.equal(to(member.receive("MsgAppResp", 2, { index: 2 }), 2).length > 0, true);
  assert.equal(member.progress(2).inflights.bytes, 12);
});

test("appends are cut at the size limit, one entry always fits", () => {
  const member = leader({ maxSizePerMessage: 40 });
  propose(member, "x".repeat(100), "aa", "bb", "cc", "dd", "ee", "ff");
  const sent = to(member.receive("MsgAppResp", 2, { index: 1 }), 2);
  assert.equal(sent[0]?.entries.length, 1);
  assert.ok(sent.length > 2);
  for (const { entries } of sent.slice(1)) assert.ok(entries.length <= 4, `${entries.length}`);
  assert.deepEqual(
    sent.flatMap((m) => m.entries.map(({ index }) => index)),
    [2, 3, 4, 5, 6, 7, 8],
  );
});

test("an unreachable peer is probed again from behind what it has", () => {
  const member = leader();
  member.receive("MsgAppResp", 2, { index: 1 });
  propose(member, "a", "b");
  member.node.reportUnreachable(2);
  assert.equal(member.progress(2).state, "probe");
  assert.deepEqual([member.progress(2).match, member.progress(2).next], [1, 2]);
  assert.equal(member.progress(2).inflights.count, 0);
  assert.deepEqual(
    to(propose(member, "c"), 2)[0]?.entries.map(({ index }) => index),
    [2, 3, 4],
  );
});

test("a refusal in replicate goes back to probing, a stale one is passed over", () => {
  const member = leader();
  member.receive("MsgAppResp", 2, { index: 1 });
  propose(member, "a", "b");
  member.receive("MsgAppResp", 2, { index: 2 });
  const stale = member.receive("MsgAppResp", 2, { index: 2, reject: true, rejectHint: 1 });
  assert.deepEqual(to(stale, 2), []);
  assert.equal(member.progress(2).state, "replicate");
  const again = only(
    to(member.receive("MsgAppResp", 2, { index: 3, reject: true, rejectHint: 2, logTerm: 1 }), 2),
  );
  assert.deepEqual([again.index, again.entries.length], [2, 1]);
  assert.equal(member.progress(2).state, "probe");
  assert.equal(member.progress(2).match, 2, "what was acknowledged stays acknowledged");
});

test("hints pass over whole terms, in at most two refusals", () => {
  // [leader's terms, follower's terms, where they agree]
  const cases: readonly (readonly [readonly number[], readonly number[], number])[] = [
    [[1, 2, 2, 4, 4, 4, 4], [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3], 3],
    [[1, 2, 2, 3, 4, 4, 4, 5], [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3], 4],
    [[1, 1, 1, 1, 1, 1, 1], [1, 1], 2],
    [[1, 3, 3, 3, 3, 3, 3, 3], [1, 2, 2, 2], 1],
    [[3, 3, 3, 3, 3], [1, 1, 2, 2, 2, 2], 0],
    [[1, 1, 1, 4, 5, 6], [1, 1, 1, 2, 2, 3, 3], 3],
  ];
  for (const [leads, follows, agree] of cases) {
    const net = new Network([1, 2], {
      options: { ...PLAIN, maxSizePerMessage: 1 },
      each: (id) => ({
        terms: id === 1 ? leads : follows,
        hardState: { term: 6, vote: id === 1 ? 0 : 2, commit: 0 },
      }),
    });
    // Its log may be the shorter one: leading is not what this is about.
    net.at(1).raft.becomeCandidate();
    net.at(1).raft.becomeLeader();
    broadcastAppend(net.at(1).raft);
    net.settle();
    const refused = net.sent.filter((m) => m.type === "MsgAppResp" && m.reject);
    assert.ok(refused.length <= 2, `${refused.length} refusals for ${follows}`);
    assert.ok(refused.length > 0);
    const first = net.sent.find((m) => m.type === "MsgApp" && m.entries[0]?.index === agree + 1);
    assert.ok(first !== undefined, "it was fed from where the logs agree");
    assert.deepEqual(net.at(2).terms(), [...leads, 7]);
  }
});

test("heartbeats have no entries, and commit no more than the peer is known to have", () => {
  const member = leader();
  member.receive("MsgAppResp", 2, { index: 1 });
  propose(member, "a", "b");
  member.receive("MsgAppResp", 2, { index: 3 });
  member.receive("MsgAppResp", 3, { index: 1 });
  assert.equal(member.node.commit, 3);
  const beats = member.ticks(1).filter(({ type }) => type === "MsgHeartbeat");
  assert.deepEqual(
    beats.map((m) => [m.to, m.commit, m.entries.length]),
    [
      [2, 3, 0],
      [3, 1, 0],
    ],
  );
});

test("heartbeats come each heartbeatTick, to learners too, from nobody but the leader", () => {
  const setup = { options: { ...PLAIN, heartbeatTick: 3 }, learners: [4] };
  const member = new Member(1, [1, 2], setup);
  assert.deepEqual(member.ticks(5), []);
  member.lead(2);
  assert.deepEqual(types(member.ticks(2)), []);
  assert.deepEqual(types(member.ticks(1)), ["MsgHeartbeat>2", "MsgHeartbeat>4"]);
});

test("a heartbeat's answer from a peer that is behind brings an append, from one that is not none", () => {
  const member = leader();
  assert.equal(to(member.receive("MsgHeartbeatResp", 2), 2).length, 1);
  member.receive("MsgAppResp", 2, { index: 1 });
  assert.deepEqual(to(member.receive("MsgHeartbeatResp", 2), 2), []);
});

test("answers that come in any order or twice leave match at the highest", () => {
  const member = leader();
  member.receive("MsgAppResp", 2, { index: 1 });
  propose(member, "a", "b", "c");
  for (const index of [4, 2, 3, 4, 1]) member.receive("MsgAppResp", 2, { index });
  assert.deepEqual([member.progress(2).match, member.progress(2).next], [4, 5]);
  assert.equal(member.progress(2).inflights.count, 0);
  assert.equal(member.node.commit, 4);
});

test("appends that come in another order are refused or known, and the log becomes the leader's", () => {
  const follower = new Member(2, [1, 2, 3], { options: PLAIN });
  const append = (index: number): Message[] =>
    follower.receive("MsgApp", 1, {
      term: 1,
      index: index - 1,
      logTerm: index === 1 ? 0 : 1,
      entries: [entry(index, 1)],
    });
  const early = only(append(2));
  assert.deepEqual([early.reject, early.index, early.rejectHint], [true, 1, 0]);
  assert.equal(only(append(1)).index, 1);
  assert.equal(only(append(2)).index, 2);
  assert.equal(only(append(1)).index, 1, "an old one does not cut the log");
  assert.deepEqual(follower.terms(), [1, 1]);
});

test("a lossy network that delivers twice still brings every log together", () => {
  const net = new Network([1, 2, 3], { options: { ...PLAIN, maxInflightMessages: 2 } });
  net.elect(1);
  let count = 0;
  net.drop((m) => (m.type === "MsgApp" || m.type === "MsgAppResp") && count++ % 3 === 0);
  for (let i = 0; i < 30; i++) net.propose(1, `p${i}`);
  for (const m of net.sent.slice(-20)) net.deliver(m);
  net.heal();
  net.tick(10);
  const expected = Array.from({ length: 30 }, (_, i) => `p${i}`);
  for (const member of net.members.values()) assert.deepEqual(member.payloads(), expected);
});

test("an append of a follower's own past is answered with what it has committed", () => {
  const hardState = { term: 1, vote: 0, commit: 3 };
  const follower = new Member(2, [1, 2, 3], { options: PLAIN, terms: [1, 1, 1], hardState });
  const answer = only(
    follower.receive("MsgApp", 1, { index: 1, logTerm: 1, entries: entriesOf([9], 1) }),
  );
  assert.deepEqual([answer.index, answer.reject], [3, false]);
  assert.deepEqual(follower.terms(), [1, 1, 1]);
});

test("a stale append is answered with what is committed, not with a tail that its leader may not have", () => {
  const setup = { options: PLAIN, terms: [1, 1, 1, 1], hardState: { term: 1, vote: 0, commit: 2 } };
  const member = new Member(1, [1, 2, 3], setup);
  // Doubled on its way; entries 3 and 4 are of a leader that is gone.
  const answer = only(member.receive("MsgApp", 2, { term: 2, index: 1, logTerm: 1, commit: 2 }));
  assert.deepEqual([answer.type, answer.reject, answer.index], ["MsgAppResp", false, 2]);
});
