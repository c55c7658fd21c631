/** Payloads that must be read from the disk first: a storage that answers PENDING. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeConfChange } from "../../../src/raft/conf-change.ts";
import { PENDING } from "../../../src/raft/storage.ts";
import { type Entry, EntryType, NO_BYTES } from "../../../src/raft/types.ts";
import { bytes, conf, entry, Member, PLAIN, TestStorage, to, types } from "./member.ts";

/** Answers PENDING until what was asked for was loaded. */
class SlowStorage extends TestStorage {
  slow = true;
  asked = 0;

  override entries(low: number, high: number, maxBytes: number): readonly Entry[] {
    if (!this.slow) return super.entries(low, high, maxBytes) as readonly Entry[];
    this.asked++;
    return PENDING as unknown as readonly Entry[];
  }
}

function slowLeader(): { member: Member; storage: SlowStorage } {
  const storage = new SlowStorage(conf([1, 2, 3]), [1, 1, 1]);
  storage.slow = false;
  const member = new Member(1, [], {
    options: PLAIN,
    storage,
    hardState: { term: 1, vote: 0, commit: 3 },
  });
  member.drain();
  member.lead(2);
  storage.slow = true;
  return { member, storage };
}

test("the peer pauses, without a snapshot, until the entries arrived", () => {
  const { member, storage } = slowLeader();
  member.receive("MsgAppResp", 2, { index: 3, reject: true, rejectHint: 1, logTerm: 1 });
  assert.equal(member.progress(2).awaitsEntries, true);
  assert.equal(member.progress(2).state, "probe");
  assert.equal(storage.asked, 1);
  member.node.propose(bytes("x"));
  assert.deepEqual(to(member.drain(), 2), []);
  assert.deepEqual(types(member.receive("MsgHeartbeatResp", 2)), [], "nor by a heartbeat's answer");
  assert.equal(storage.asked, 1, "and is not asked for again");
  storage.slow = false;
  member.node.entriesArrived();
  const [sent, ...more] = to(member.drain(), 2);
  assert.deepEqual([sent?.type, sent?.index, sent?.entries.length], ["MsgApp", 1, 4]);
  assert.deepEqual(more, []);
  assert.equal(member.progress(2).awaitsEntries, false);
});

test("who streams is fed on as far as the window goes when the entries arrived", () => {
  const { member, storage } = slowLeader();
  member.receive("MsgAppResp", 2, { index: 1 });
  assert.equal(member.progress(2).state, "replicate");
  member.progress(2).next = 2;
  member.node.propose(bytes("x"));
  assert.deepEqual(to(member.drain(), 2), []);
  assert.equal(member.progress(2).awaitsEntries, true);
  storage.slow = false;
  member.node.entriesArrived();
  assert.deepEqual(
    to(member.drain(), 2).flatMap((m) => m.entries.map(({ index }) => index)),
    [2, 3, 4, 5],
  );
});

test("entries that are still not there pause again; other peers go on", () => {
  const { member } = slowLeader();
  member.receive("MsgAppResp", 2, { index: 3, reject: true, rejectHint: 1, logTerm: 1 });
  member.node.entriesArrived();
  assert.deepEqual(member.drain(), []);
  assert.equal(member.progress(2).awaitsEntries, true);
  member.receive("MsgAppResp", 3, { index: 4 });
  member.node.propose(bytes("x"));
  assert.deepEqual(types(member.drain()), ["MsgApp>3"]);
});

test("to lose leadership ends the wait, and entries that arrive then send nothing", () => {
  const { member, storage } = slowLeader();
  member.receive("MsgAppResp", 2, { index: 3, reject: true, rejectHint: 1, logTerm: 1 });
  member.node.stepDown();
  storage.slow = false;
  member.node.entriesArrived();
  assert.deepEqual(member.drain(), []);
});

test("committed entries that must be read first come when they arrived, once", () => {
  const storage = new SlowStorage(conf([1, 2]), [1, 1, 1]);
  const member = new Member(1, [], {
    options: PLAIN,
    storage,
    hardState: { term: 1, vote: 0, commit: 2 },
  });
  member.drain();
  assert.equal(member.node.hasReady(), false, "no busy loop");
  assert.deepEqual(member.applied, []);
  storage.slow = false;
  assert.equal(member.node.hasReady(), false);
  member.node.entriesArrived();
  member.drain();
  assert.deepEqual(
    member.applied.map(({ index }) => index),
    [1, 2],
  );
});

test("who cannot look through what it has not applied does not campaign; once it can it does", () => {
  const storage = new SlowStorage(conf([1, 2]), [1]);
  const step = { type: "add-node", id: 3 } as const;
  const data = encodeConfChange({ transition: "auto", changes: [step], context: NO_BYTES });
  storage.append([entry(2, 1, data, EntryType.CONF_CHANGE_V2)]);
  const member = new Member(1, [], {
    options: PLAIN,
    storage,
    hardState: { term: 1, vote: 0, commit: 2 },
  });
  member.node.campaign();
  assert.equal(member.node.role, "follower");
  storage.slow = false;
  member.node.campaign();
  assert.equal(member.node.role, "follower", "there is a change");
  member.node.entriesArrived();
  member.drain();
  member.node.campaign();
  assert.equal(member.node.role, "candidate");
  assert.deepEqual(member.raft.tracker.voterIds(), [1, 2, 3]);
});
