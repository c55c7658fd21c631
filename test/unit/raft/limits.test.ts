/** What is bounded: uncommitted bytes, sizes of entries; and numbers near 2^53. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProposalDropped } from "../../../src/raft/errors.ts";
import { entriesSize, entrySize, limitSize, payloadsSize } from "../../../src/raft/sizes.ts";
import { APPLY_THREAD, message, NO_BYTES } from "../../../src/raft/types.ts";
import { bytes, conf, entry, Member, only, PLAIN, snapshotAt, TestStorage } from "./member.ts";

const TOP = Number.MAX_SAFE_INTEGER;

test("proposals beyond the uncommitted bytes are dropped, empty ones are not, applying makes room", () => {
  const options = { ...PLAIN, maxUncommittedSize: 16 };
  const member = new Member(1, [1, 2, 3], { options });
  member.lead(2);
  member.receive("MsgAppResp", 2, { index: 1 });
  for (let i = 0; i < 4; i++) member.node.propose(bytes("1234"));
  assert.throws(() => member.node.propose(bytes("5")), ProposalDropped);
  assert.equal(member.node.lastIndex, 5);
  assert.equal(member.raft.uncommittedSize, 16);
  member.node.propose(NO_BYTES);
  assert.equal(member.node.lastIndex, 6);
  member.drain();
  member.receive("MsgAppResp", 2, { index: 4 });
  assert.equal(member.raft.uncommittedSize, 4);
  member.node.propose(bytes("12345678"));
  assert.throws(() => member.node.propose(bytes("1234567")), ProposalDropped);
  member.drain();
  member.receive("MsgAppResp", 2, { index: 7 });
  assert.equal(member.raft.uncommittedSize, 0);
});

test("one proposal of any size is taken when nothing is uncommitted", () => {
  const member = new Member(1, [1, 2], { options: { ...PLAIN, maxUncommittedSize: 4 } });
  member.lead(2);
  member.node.propose(bytes("much more than four"));
  assert.equal(member.node.lastIndex, 2);
  assert.throws(() => member.node.propose(bytes("x")), ProposalDropped);
});

test("what earlier leaders left uncommitted is not counted, and applying it does not go below zero", () => {
  const storage = new TestStorage(conf([1, 2]));
  storage.append([entry(1, 1, bytes("left by another"))]);
  const options = { ...PLAIN, maxUncommittedSize: 4 };
  const member = new Member(1, [], {
    options,
    storage,
    hardState: { term: 1, vote: 0, commit: 0 },
  });
  member.lead(2);
  member.node.propose(bytes("1234"));
  member.drain();
  member.receive("MsgAppResp", 2, { index: 3 });
  assert.equal(member.raft.uncommittedSize, 0);
  member.node.propose(bytes("1234"));
  assert.throws(() => member.node.propose(bytes("5")), ProposalDropped);
});

test("a partitioned leader's log does not grow beyond the bound", () => {
  const member = new Member(1, [1, 2, 3], { options: { ...PLAIN, maxUncommittedSize: 1000 } });
  member.lead(2);
  let taken = 0;
  for (let i = 0; i < 500; i++) {
    try {
      member.node.propose(bytes("0123456789"));
      taken++;
    } catch (error) {
      assert.ok(error instanceof ProposalDropped);
    }
    member.drain();
  }
  assert.equal(taken, 100);
});

test("sizes of entries, and the longest start within a limit", () => {
  assert.equal(entrySize(entry(1, 1)), 6);
  assert.equal(entrySize(entry(128, 1)), 7);
  assert.equal(entrySize(entry(1, 1, bytes("abc"))), 11);
  assert.equal(payloadsSize([entry(1, 1, bytes("abc")), entry(2, 1)]), 3);
  const sizes = fc.array(fc.nat(200));
  fc.assert(
    fc.property(sizes, fc.nat(1000), (lengths, max) => {
      const all = lengths.map((length, i) => entry(i + 1, 1, new Uint8Array(length)));
      const some = limitSize(all, max);
      assert.deepEqual(some, all.slice(0, some.length));
      assert.ok(some.length <= 1 || entriesSize(some) <= max);
      assert.ok(some.length > 0 || all.length === 0);
      if (some.length < all.length) assert.ok(entriesSize(all.slice(0, some.length + 1)) > max);
    }),
  );
});

test("indexes, terms and ids near 2^53 are counted exactly (bug 24)", () => {
  const high = TOP - 100;
  const [one, two, three] = [APPLY_THREAD - 3, APPLY_THREAD - 2, APPLY_THREAD - 1] as const;
  const storage = new TestStorage(conf([]));
  storage.install(snapshotAt(high, high, conf([one, two, three])));
  const hardState = { term: high, vote: 0, commit: high };
  const member = new Member(one, [], { options: PLAIN, storage, hardState });
  member.lead(two);
  assert.equal(member.node.term, high + 1);
  for (let i = 0; i < 5; i++) {
    member.node.propose(bytes(`p${i}`));
    member.drain();
  }
  assert.equal(member.node.lastIndex, high + 6);
  for (let i = 1; i <= 6; i++) {
    member.receive("MsgAppResp", two, { index: high + i });
    assert.equal(member.node.commit, high + i);
  }
  assert.deepEqual(member.payloads(), ["p0", "p1", "p2", "p3", "p4"]);
  assert.equal(entrySize(entry(TOP, TOP)), 2 + 1 + 8 + 1 + 8);
});

test("a term near 2^53 is told apart from its neighbours", () => {
  const hardState = { term: TOP - 2, vote: 0, commit: 0 };
  const member = new Member(1, [1, 2], { options: PLAIN, hardState });
  member.node.step(message("MsgHeartbeat", { from: 2, to: 1, term: TOP - 3 }));
  assert.deepEqual(member.drain(), []);
  const answer = only(member.receive("MsgHeartbeat", 2, { term: TOP - 1 }));
  assert.equal(answer.term, TOP - 1);
  assert.equal(member.storage.hardState.term, TOP - 1);
});
