/** The encoding of configuration changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MalformedBytes } from "../../../src/base/bytes.ts";
import {
  type ConfChange,
  decodeConfChange,
  encodeConfChange,
  entersJoint,
  LEAVE_JOINT,
  leavesJoint,
} from "../../../src/raft/conf-change.ts";
import { NO_BYTES } from "../../../src/raft/types.ts";

const changes: fc.Arbitrary<ConfChange> = fc.record({
  transition: fc.constantFrom("auto", "implicit", "explicit"),
  changes: fc.array(
    fc.record(
      {
        type: fc.constantFrom("add-node", "remove-node", "update-node", "add-learner"),
        id: fc.maxSafeNat(),
      },
      { noNullPrototype: true },
    ),
  ),
  context: fc.uint8Array(),
});

test("a change comes back from its bytes", () => {
  fc.assert(
    fc.property(changes, (change) => {
      const back = decodeConfChange(encodeConfChange(change));
      assert.deepEqual(
        { ...back, context: [...back.context] },
        { ...change, context: [...change.context] },
      );
    }),
  );
});

test("ids up to 2^53 - 1 come back exactly (bug 24)", () => {
  for (const id of [2 ** 32 - 1, 2 ** 32, 2 ** 53 - 3, Number.MAX_SAFE_INTEGER]) {
    const change: ConfChange = {
      transition: "auto",
      changes: [{ type: "add-node", id }],
      context: NO_BYTES,
    };
    assert.equal(decodeConfChange(encodeConfChange(change)).changes[0]?.id, id);
  }
});

test("leaving a joint configuration has no bytes, so that no size refuses it", () => {
  assert.equal(encodeConfChange(LEAVE_JOINT).length, 0);
  assert.deepEqual(decodeConfChange(NO_BYTES), LEAVE_JOINT);
});

test("bytes that are cut off are malformed, as are unknown kinds", () => {
  fc.assert(
    fc.property(changes, fc.nat(), (change, at) => {
      const whole = encodeConfChange({ ...change, context: NO_BYTES });
      if (whole.length < 2) return;
      const cut = whole.slice(0, 1 + (at % (whole.length - 1)));
      assert.throws(() => decodeConfChange(cut), MalformedBytes);
    }),
  );
  for (const bytes of [
    [1, 3, 0, 0, 0, 0],
    [1, 0, 1, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0],
  ]) {
    assert.throws(() => decodeConfChange(Uint8Array.from(bytes)), MalformedBytes, `${bytes}`);
  }
});

test("a count beyond the bytes is refused before anything is read", () => {
  const bytes = Uint8Array.from([1, 0, 255, 255, 255, 255]);
  assert.throws(() => decodeConfChange(bytes), MalformedBytes);
});

test("random bytes are a change or malformed, never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      try {
        assert.ok(Array.isArray(decodeConfChange(bytes).changes));
      } catch (error) {
        assert.ok(error instanceof MalformedBytes);
      }
    }),
  );
});

test("a format above ours says that a newer binraft is needed", () => {
  assert.throws(
    () => decodeConfChange(Uint8Array.of(2, 0)),
    /format 2; this binraft knows 1: use a newer one/,
  );
});

test("which changes go through a joint configuration", () => {
  const one = { type: "add-node", id: 1 } as const;
  const of = (transition: ConfChange["transition"], count: number): ConfChange => ({
    transition,
    changes: new Array<typeof one>(count).fill(one),
    context: NO_BYTES,
  });
  assert.equal(entersJoint(of("auto", 1)), null);
  assert.deepEqual(entersJoint(of("auto", 2)), { autoLeave: true });
  assert.deepEqual(entersJoint(of("implicit", 1)), { autoLeave: true });
  assert.deepEqual(entersJoint(of("explicit", 1)), { autoLeave: false });
  assert.equal(leavesJoint(of("auto", 0)), true);
  assert.equal(leavesJoint(of("explicit", 0)), false);
});
