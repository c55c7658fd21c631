import assert from "node:assert/strict";
import { test } from "node:test";
import { confTrouble, entriesTrouble, nonsenseIn } from "../../../src/peers/message-check.ts";
import { MAX_INDEX, MAX_TERM } from "../../../src/peers/protocol.ts";
import {
  type ConfState,
  EMPTY_CONF_STATE,
  type Message,
  message,
} from "../../../src/raft/types.ts";

const CONF: ConfState = { ...EMPTY_CONF_STATE, voters: [1, 2, 3] };
const SNAPSHOT = { index: 9, term: 3, conf: CONF, data: new Uint8Array() };
const READ = new Uint8Array(16);
const entry = (index: number, term: number) => ({ index, term, type: 0 as const, data: READ });

type Given = Partial<Message> & Pick<Message, "type">;

function trouble({ type, ...fields }: Given): string | null {
  return nonsenseIn(message(type, { from: 2, to: 1, term: 5, ...fields }));
}

const SENSE: Readonly<Record<string, Given>> = {
  "an append": { type: "MsgApp", index: 4, logTerm: 3, entries: [entry(5, 3), entry(6, 5)] },
  "the first append": { type: "MsgApp", entries: [entry(1, 5)] },
  "a rejection with a hint": {
    type: "MsgAppResp",
    reject: true,
    index: 4,
    rejectHint: 2,
    logTerm: 2,
  },
  "a vote in a transfer": { type: "MsgVote", index: 4, logTerm: 5, context: Uint8Array.of(0x54) },
  "a refusal of a node without a term": { type: "MsgPreVoteResp", term: 0, reject: true },
  "a snapshot": { type: "MsgSnap", snapshot: SNAPSHOT },
  "a heartbeat that confirms a read": { type: "MsgHeartbeat", commit: 9, context: READ },
  "a read": { type: "MsgReadIndex", term: 0, context: READ },
};
for (const [what, given] of Object.entries(SENSE))
  test(`message check: ${what} makes sense`, () => assert.equal(trouble(given), null));

const NONSENSE: readonly (readonly [RegExp, Given])[] = [
  [/MsgSnap without a snapshot/, { type: "MsgSnap" }],
  [/MsgApp with a snapshot/, { type: "MsgApp", snapshot: SNAPSHOT }],
  [/MsgHeartbeat with entries/, { type: "MsgHeartbeat", entries: [entry(1, 5)] }],
  [/MsgApp that rejects/, { type: "MsgApp", reject: true }],
  [/MsgVote with a context of 16 bytes/, { type: "MsgVote", context: READ }],
  [/MsgReadIndex without a context/, { type: "MsgReadIndex", term: 0 }],
  [/MsgReadIndex of term 5/, { type: "MsgReadIndex", context: READ }],
  [/MsgTransferLeader, which nodes do not send/, { type: "MsgTransferLeader" }],
  [/the id 0/, { type: "MsgApp", from: 0 }],
  [/the id 9007199254740991/, { type: "MsgApp", from: Number.MAX_SAFE_INTEGER }],
  [/the term/, { type: "MsgApp", term: MAX_TERM + 1 }],
  [/the index/, { type: "MsgHeartbeat", commit: MAX_INDEX + 1 }],
  [/of no term/, { type: "MsgApp", term: 0 }],
  [/a log of term 6 in term 5/, { type: "MsgVote", index: 4, logTerm: 6 }],
  [/term 3 of no entry/, { type: "MsgApp", logTerm: 3 }],
  [/committed in no term/, { type: "MsgVote", known: { index: 4, term: 0 } }],
  [/a hint at 5, behind 4/, { type: "MsgAppResp", reject: true, index: 4, rejectHint: 5 }],
  [
    /entry 6 of term 2, behind term 3/,
    { type: "MsgApp", index: 4, logTerm: 3, entries: [entry(5, 3), entry(6, 2)] },
  ],
  [/entry 5 of term 6/, { type: "MsgApp", index: 4, logTerm: 3, entries: [entry(5, 6)] }],
  [/entry 1 of term 0/, { type: "MsgApp", entries: [entry(1, 0)] }],
  [/a snapshot of entry 0/, { type: "MsgSnap", snapshot: { ...SNAPSHOT, index: 0 } }],
  [/a snapshot of term 6 in term 5/, { type: "MsgSnap", snapshot: { ...SNAPSHOT, term: 6 } }],
];
for (const [reason, given] of NONSENSE)
  test(`message check: ${reason.source} is nonsense`, () => assert.match(trouble(given)!, reason));

for (const [what, change] of Object.entries({
  "without voters": { voters: [] },
  "that names a member twice": { voters: [1, 1] },
  "with an id out of range": { voters: [0] },
  "with a learner that votes": { learners: [1] },
  "with a learner to be that does not leave": { learnersNext: [4] },
  "that leaves nothing": { autoLeave: true },
  "with 257 members": { learners: Array.from({ length: 257 }, (_, i) => i + 10) },
}))
  test(`message check: no configuration ${what}`, () =>
    assert.notEqual(confTrouble({ ...CONF, ...change }), null));

test("message check: a joint configuration makes sense", () => {
  const joint = { ...CONF, votersOutgoing: [2, 3, 4], learnersNext: [4], autoLeave: true };
  assert.equal(confTrouble(joint), null);
});

test("message check: entries end before numbers do", () => {
  const last = { index: MAX_INDEX, logTerm: 1, term: 1 };
  assert.match(entriesTrouble([entry(MAX_INDEX + 1, 1)], last)!, /entries up to/);
});
