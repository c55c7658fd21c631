/** Asynchronous writes: what may leave when, and which answers still speak for the log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { APPEND_THREAD, APPLY_THREAD, message } from "../../../src/raft/types.ts";
import { bytes, entriesOf, entry, Member, PLAIN } from "./member.ts";

test("an acknowledgement leaves in the Ready whose entries it promises, not before", () => {
  const member = new Member(2, [1, 2], { options: { ...PLAIN, asyncStorageWrites: true } });
  member.node.step(
    message("MsgApp", { from: 1, to: 2, term: 1, entries: entriesOf([1, 1]), commit: 1 }),
  );
  const { messages } = member.node.ready();
  assert.deepEqual(
    messages.map(({ type, to }) => [type, to]),
    [["MsgStorageAppend", APPEND_THREAD]],
  );
  const [append] = messages;
  assert.deepEqual([append?.term, append?.commit, append?.entries.length], [1, 1, 2]);
  assert.deepEqual(
    append?.responses.map(({ type, to, index }) => [type, to, index]),
    [
      ["MsgAppResp", 1, 2],
      ["MsgStorageAppendResp", 2, 2],
    ],
  );
  assert.equal(member.node.hasReady(), false, "nothing is applied before it is durable here");
  member.storage.append(append!.entries);
  for (const own of append!.responses.filter(({ to }) => to === 2)) member.node.step(own);
  const [apply] = member.node.ready().messages;
  assert.deepEqual(
    [apply?.type, apply?.to, apply?.entries.length],
    ["MsgStorageApply", APPLY_THREAD, 1],
  );
  assert.equal(member.raft.log.applied, 0);
  member.node.step(apply!.responses[0]!);
  assert.equal(member.raft.log.applied, 1);
});

test("with asynchronous writes several appends are out at once, each entry in one of them", () => {
  const member = new Member(2, [1, 2], { options: { ...PLAIN, asyncStorageWrites: true } });
  const outs = [1, 2, 3].map((index) => {
    const one = { from: 1, to: 2, term: 1, index: index - 1, logTerm: index === 1 ? 0 : 1 };
    member.node.step(message("MsgApp", { ...one, entries: [entry(index, 1)] }));
    return member.node.ready().messages[0]!;
  });
  assert.deepEqual(
    outs.map((m) => m.entries.map(({ index }) => index)),
    [[1], [2], [3]],
  );
  for (const [i, out] of outs.entries()) {
    for (const own of out.responses.filter(({ to }) => to === 2)) member.node.step(own);
    assert.equal(member.raft.log.unstable.offset, i + 2);
  }
});

test("an old append that is done after it was overwritten, and overwritten back, makes nothing durable (bug 9)", () => {
  const member = new Member(2, [1, 2, 3], { options: { ...PLAIN, asyncStorageWrites: true } });
  const append = (from: number, term: number, entryTerm: number) => {
    const previous = { index: 0, logTerm: 0 };
    member.node.step(
      message("MsgApp", { from, to: 2, term, ...previous, entries: [entry(1, entryTerm)] }),
    );
    return member.node.ready().messages.find((m) => m.type === "MsgStorageAppend")!;
  };
  const done = (m: ReturnType<typeof append>): void => {
    for (const own of m.responses.filter(({ to }) => to === 2)) member.node.step(own);
  };
  const first = append(1, 1, 1);
  append(3, 2, 2);
  const third = append(1, 3, 1);
  done(first);
  assert.equal(
    member.raft.log.unstable.offset,
    1,
    "an answer of term 1 no longer speaks for the log",
  );
  done(third);
  assert.equal(member.raft.log.unstable.offset, 2);
});

test("asynchronous applying is bounded by the size that is out, and opens as it is done", () => {
  const options = { ...PLAIN, asyncStorageWrites: true, maxCommittedSizePerReady: 100 };
  const { storage } = new Member(1, [1, 2]);
  storage.append(Array.from({ length: 4 }, (_, i) => entry(i + 1, 1, bytes("x".repeat(40)))));
  const hardState = { term: 1, vote: 0, commit: 4 };
  const member = new Member(1, [1, 2], { options, storage, hardState });
  const [first] = member.node.ready().messages;
  assert.deepEqual(
    first?.entries.map(({ index }) => index),
    [1, 2],
  );
  assert.equal(member.node.hasReady(), false);
  member.node.step(first!.responses[0]!);
  const [second] = member.node.ready().messages;
  assert.deepEqual(
    second?.entries.map(({ index }) => index),
    [3, 4],
  );
});
