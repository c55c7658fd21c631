import assert from "node:assert/strict";
import { test } from "node:test";
import { type Meaning, meaningOf, type Standing } from "../../../src/cluster/message-edge.ts";
import { MAX_TERM_JUMP } from "../../../src/peers/protocol.ts";
import { type Message, message } from "../../../src/raft/types.ts";

const FOLLOWER: Standing = {
  term: 7,
  role: "follower",
  leader: 2,
  lastIndex: 100,
  waitingReads: 0,
};
const LEADER: Standing = { ...FOLLOWER, role: "leader", leader: 1 };
const NONSENSE = { nonsense: "" };

type Given = Partial<Message> & Pick<Message, "type">;

const CASES: readonly (readonly [string, Standing, Given, Meaning])[] = [
  ["a heartbeat up to the log's end", FOLLOWER, { type: "MsgHeartbeat", commit: 100 }, "take"],
  ["a heartbeat beyond it", FOLLOWER, { type: "MsgHeartbeat", commit: 101 }, NONSENSE],
  [
    "a heartbeat of a leader that is none any more",
    FOLLOWER,
    { type: "MsgHeartbeat", term: 6, commit: 101 },
    "take",
  ],
  ["an acknowledgement of the last entry", LEADER, { type: "MsgAppResp", index: 100 }, "take"],
  [
    "an acknowledgement of what was never sent",
    LEADER,
    { type: "MsgAppResp", index: 101 },
    NONSENSE,
  ],
  ["a rejection from far ahead", LEADER, { type: "MsgAppResp", term: 9, index: 500 }, "take"],
  ["the leader's call to take over", FOLLOWER, { type: "MsgTimeoutNow" }, "take"],
  ["somebody else's", FOLLOWER, { type: "MsgTimeoutNow", from: 3 }, "drop"],
  ["a late one", FOLLOWER, { type: "MsgTimeoutNow", term: 6 }, "drop"],
  ["a read, asked of a leader", LEADER, { type: "MsgReadIndex", term: 0 }, "take"],
  ["a read, asked of a follower", FOLLOWER, { type: "MsgReadIndex", term: 0 }, "drop"],
  [
    "one read too many",
    { ...LEADER, waitingReads: 4096 },
    { type: "MsgReadIndex", term: 0 },
    "drop",
  ],
  ["an answer of the leader", FOLLOWER, { type: "MsgReadIndexResp" }, "take"],
  ["an answer of another", FOLLOWER, { type: "MsgReadIndexResp", from: 3 }, "drop"],
  ["a term within reach", FOLLOWER, { type: "MsgVote", term: 7 + MAX_TERM_JUMP }, "take"],
  ["a term out of reach", FOLLOWER, { type: "MsgVote", term: 8 + MAX_TERM_JUMP }, NONSENSE],
  [
    "any term, for a node that has none",
    { ...FOLLOWER, term: 0 },
    { type: "MsgApp", term: 2 ** 40 },
    "take",
  ],
];

for (const [what, own, { type, ...fields }, expected] of CASES) {
  test(`message edge: ${what}: ${typeof expected === "string" ? expected : "nonsense"}`, () => {
    const meaning = meaningOf(message(type, { from: 2, to: 1, term: 7, ...fields }), own);
    assert.equal(typeof meaning, typeof expected);
    if (typeof expected === "string") assert.equal(meaning, expected);
  });
}
