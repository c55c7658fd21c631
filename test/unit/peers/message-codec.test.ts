import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MalformedBytes } from "../../../src/base/bytes.ts";
import { decodeMessage, encodeMessage } from "../../../src/peers/message-codec.ts";
import {
  EMPTY_CONF_STATE,
  type Entry,
  type EntryType,
  type Message,
  type MessageType,
  message,
  NO_BYTES,
  type Snapshot,
} from "../../../src/raft/types.ts";

const number = fc.maxSafeNat();
const ids = fc.uniqueArray(number, { maxLength: 5 });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const types: MessageType[] = ["MsgApp", "MsgVote", "MsgSnap", "MsgHeartbeatResp", "MsgTimeoutNow"];

const anyMessage: fc.Arbitrary<Message> = fc
  .record({
    type: fc.constantFrom(...types),
    from: number,
    to: number,
    term: number,
    logTerm: number,
    index: fc.nat(),
    commit: number,
    vote: number,
    rejectHint: number,
    priority: fc.nat(),
    known: fc.record({ index: number, term: number }).map((known) => ({ ...known })),
    reject: fc.boolean(),
    context: bytes(20),
    payloads: fc.array(fc.tuple(number, fc.nat(2), bytes(40)), { maxLength: 6 }),
    snapshot: fc.option(fc.tuple(number, number, bytes(50), ids, ids, ids, ids, fc.boolean())),
  })
  .map(({ payloads, type, snapshot, ...fields }) => {
    const entries = payloads.map(
      ([term, kind, data], at): Entry => ({
        index: fields.index + 1 + at,
        term,
        type: kind as EntryType,
        data,
      }),
    );
    return message(type, { ...fields, entries, snapshot: snapshot && snapshotOf(snapshot) });
  });

function snapshotOf(
  parts: readonly [number, number, Uint8Array, number[], number[], number[], number[], boolean],
): Snapshot {
  const [index, term, data, voters, learners, votersOutgoing, learnersNext, autoLeave] = parts;
  const conf = { voters, learners, votersOutgoing, learnersNext, autoLeave };
  return { index, term, conf, data };
}

test("a message for a peer comes back as it was", () => {
  fc.assert(
    fc.property(anyMessage, (m) => {
      assert.deepEqual(decodeMessage(encodeMessage(m)), m);
    }),
  );
});

test("a frame is a copy of the payloads", () => {
  const data = new Uint8Array([1, 2, 3]);
  const frame = encodeMessage(
    message("MsgApp", { index: 4, entries: [{ index: 5, term: 1, type: 0, data }] }),
  );
  data.fill(9);
  assert.deepEqual([...decodeMessage(frame).entries[0]!.data], [1, 2, 3]);
});

test("every prefix is refused, and no changed byte does more than that", () => {
  const frame = encodeMessage(
    message("MsgSnap", {
      from: 1,
      to: 2,
      term: 3,
      context: new Uint8Array([7]),
      entries: [{ index: 1, term: 3, type: 0, data: new Uint8Array(30) }],
      snapshot: { index: 9, term: 2, conf: { ...EMPTY_CONF_STATE, voters: [1] }, data: NO_BYTES },
    }),
  );
  for (let length = 0; length < frame.length; length++)
    assert.throws(() => decodeMessage(frame.slice(0, length)), MalformedBytes);
  for (let at = 0; at < frame.length; at++) {
    for (const mask of [1, 0x80, 0xff]) {
      const changed = frame.slice();
      changed[at] = changed[at]! ^ mask;
      try {
        decodeMessage(changed);
      } catch (error) {
        assert.ok(error instanceof MalformedBytes, `byte ${at}: ${error}`);
      }
    }
  }
});

test("a local message has no form", () => {
  assert.throws(() => encodeMessage(message("MsgHup")), /no message for a peer/);
});
