import assert from "node:assert/strict";
import { test } from "node:test";
import { BinraftError } from "../../../src/base/errors.ts";
import type { Member } from "../../../src/cluster/members.ts";
import { NodeState } from "../../../src/cluster/node-state.ts";
import {
  KNOWN_FORMAT,
  mayWrite,
  mustKnowFormat,
  nextFormat,
} from "../../../src/cluster/version-gate.ts";
import { EMPTY_CONF_STATE } from "../../../src/raft/types.ts";

const unknown = { diskUuid: "", region: "", peer: "", mysql: "", admin: "", version: "" };

function members(...formats: readonly number[]): Map<number, Member> {
  return new Map(
    formats.map((formatVersion, i): [number, Member] => [
      i + 1,
      { ...unknown, id: i + 1, name: `n${i}`, formatVersion, server: "running" },
    ]),
  );
}

test("version gate: the format is lifted to what all can read, never beyond this version, never back", () => {
  const next = (formatVersion: number, ...formats: number[]): number | null =>
    nextFormat({ members: members(...formats), formatVersion });
  assert.equal(next(0), null, "nobody is known yet");
  assert.equal(next(0, 0, KNOWN_FORMAT), null, "one of an older version");
  assert.equal(next(0, KNOWN_FORMAT, KNOWN_FORMAT), KNOWN_FORMAT);
  assert.equal(next(0, KNOWN_FORMAT + 1, KNOWN_FORMAT + 4), KNOWN_FORMAT);
  assert.equal(next(KNOWN_FORMAT, KNOWN_FORMAT, KNOWN_FORMAT), null);
  assert.equal(next(KNOWN_FORMAT + 1, KNOWN_FORMAT), null);
});

test("version gate: what a format brings is written from then on, and at once where nobody else reads", () => {
  assert.ok(!mayWrite({ members: members(3, 3), formatVersion: 2 }, 3), "not lifted yet");
  assert.ok(mayWrite({ members: members(3, 3), formatVersion: 3 }, 3));
  assert.ok(mayWrite({ members: members(), formatVersion: 1 }, 3), "a node of its own");
});

test("version gate: a cluster that writes what this version cannot read is refused, with both numbers", () => {
  mustKnowFormat({ members: members(1), formatVersion: KNOWN_FORMAT });
  assert.throws(
    () => mustKnowFormat({ members: members(1), formatVersion: KNOWN_FORMAT + 1 }),
    (error: Error) => {
      assert.ok(error instanceof BinraftError);
      assert.equal(error.code, "BR1202");
      assert.equal(
        error.message,
        `The cluster writes log format ${KNOWN_FORMAT + 1}; this binraft knows ${KNOWN_FORMAT}`,
      );
      assert.match(error.next, /start this node with the version that the other nodes run/);
      return true;
    },
  );
});

test("version gate: an entry that lifts the format stops a node that cannot follow, and none lowers it", () => {
  const state = new NodeState({ conf: { ...EMPTY_CONF_STATE, voters: [1] }, members: [] });
  state.applyCommand(1, { type: "set-format", version: KNOWN_FORMAT });
  assert.equal(state.formatVersion, KNOWN_FORMAT);
  state.applyCommand(2, { type: "set-format", version: 0 });
  assert.equal(state.formatVersion, KNOWN_FORMAT);
  assert.equal(NodeState.decode(state.encode()).formatVersion, KNOWN_FORMAT);
  const applied = state.stream.applied;
  assert.throws(
    () => state.applyCommand(3, { type: "set-format", version: KNOWN_FORMAT + 1 }),
    BinraftError,
  );
  assert.equal(state.stream.applied, applied, "it is not passed over");
});
