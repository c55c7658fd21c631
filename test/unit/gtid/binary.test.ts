import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter, fromHex, toHex } from "../../../src/base/bytes.ts";
import {
  decodeGtidSet,
  encodeGtidSet,
  MalformedGtidSet,
  uuidFromBytes,
  uuidToBytes,
} from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { sidTag } from "../../../src/gtid/sid.ts";
import { build, ranges, UUID_A, UUID_B } from "./gtid-model.ts";

test("both formats round trip", () => {
  fc.assert(
    fc.property(ranges, (list) => {
      const { set } = build(list);
      assert.ok(decodeGtidSet(encodeGtidSet(set, "auto")).equals(set));
      const untagged = build(list.filter(({ sid }) => sidTag(sid) === "")).set;
      assert.ok(decodeGtidSet(encodeGtidSet(set, "untagged")).equals(untagged));
      assert.equal(encodeGtidSet(set, "untagged")[7], 0);
    }),
  );
});

test("the bytes of a real 9.7 replica", () => {
  const bytes = fromHex(
    "0100000000000000de3e25a0e6d111f1813e02fc00000001010000000000000001000000000000000900000000000000",
  );
  const set = decodeGtidSet(bytes);
  assert.equal(set.toString(), "de3e25a0-e6d1-11f1-813e-02fc00000001:1-8");
  assert.equal(toHex(encodeGtidSet(set, "auto")), toHex(bytes));
});

test("format 1 has its number in the first and the last byte and untagged sids with tag length 0", () => {
  const set = GtidSet.parse(`${UUID_A}:1:mytag:7`);
  const uuid = toHex(uuidToBytes(UUID_A));
  const expected = `0102000000000001${uuid}00010000000000000001000000000000000200000000000000${uuid}0a6d7974616701000000000000000700000000000000${"0800000000000000"}`;
  assert.equal(toHex(encodeGtidSet(set, "auto")), expected);
});

test("an empty set is eight zero bytes", () => {
  assert.equal(toHex(encodeGtidSet(new GtidSet(), "auto")), "0000000000000000");
  assert.ok(decodeGtidSet(new Uint8Array(8)).isEmpty);
});

function one(
  intervals: readonly (readonly [bigint, bigint])[],
  count = intervals.length,
): Uint8Array {
  const writer = new ByteWriter().u64(1).raw(uuidToBytes(UUID_A)).u64(count);
  for (const [first, end] of intervals) writer.u64(first).u64(end);
  return writer.finish();
}

test("error 1773's rules", () => {
  const max = 2n ** 63n - 1n;
  assert.equal(decodeGtidSet(one([[1n, max]])).toString(), `${UUID_A}:1-${max - 1n}`);
  assert.ok(decodeGtidSet(one([])).isEmpty);
  const bad: readonly Uint8Array[] = [
    one([[0n, 5n]]),
    one([[5n, 5n]]),
    one([[6n, 5n]]),
    one([
      [1n, 3n],
      [2n, 5n],
    ]),
    one([
      [1n, 3n],
      [3n, 5n],
    ]),
    one([
      [5n, 7n],
      [1n, 3n],
    ]),
    one([[1n, max + 1n]]),
    one([[1n, 2n ** 64n - 1n]]),
    one([[1n, 2n]], 2),
    new Uint8Array(7),
    new Uint8Array(9),
    fromHex("ffffffffffffff00"),
    fromHex("01ffffffffffff01"),
    fromHex("0000000000000002"),
    fromHex("0001000000000001"),
    new ByteWriter()
      .u64(1)
      .raw(uuidToBytes(UUID_A))
      .u64(2n ** 64n - 1n)
      .finish(),
    new ByteWriter()
      .u64(2)
      .raw(one([[1n, 2n]]).subarray(8))
      .raw(one([[1n, 2n]]).subarray(8))
      .finish(),
  ];
  for (const bytes of bad)
    assert.throws(() => decodeGtidSet(bytes), MalformedGtidSet, toHex(bytes));
});

test("bad tags are refused", () => {
  const good = encodeGtidSet(GtidSet.parse(`${UUID_A}:mytag:7`), "auto");
  assert.equal(good[24], 10);
  for (const [at, value] of [
    [24, 11],
    [24, 66],
    [24, 255],
    [25, 0x4d],
    [25, 0x31],
    [25, 0],
    [25, 0xff],
  ] as const) {
    const bad = good.slice();
    bad[at] = value;
    assert.throws(() => decodeGtidSet(bad), MalformedGtidSet, `${at}=${value}`);
  }
});

test("every prefix and every changed byte gives a set or MalformedGtidSet", () => {
  const good = encodeGtidSet(GtidSet.parse(`${UUID_A}:1-3:7:a_tag:4,${UUID_B}:9`), "auto");
  const attempt = (bytes: Uint8Array): void => {
    try {
      decodeGtidSet(bytes).toString();
    } catch (error) {
      assert.ok(error instanceof MalformedGtidSet, String(error));
    }
  };
  for (let length = 0; length < good.length; length++) {
    assert.throws(() => decodeGtidSet(good.subarray(0, length)), MalformedGtidSet);
  }
  for (let at = 0; at < good.length; at++) {
    for (let value = 0; value < 256; value++) {
      const changed = good.slice();
      changed[at] = value;
      attempt(changed);
    }
  }
});

test("uuids round trip", () => {
  assert.equal(uuidFromBytes(uuidToBytes(UUID_B)), UUID_B);
  assert.throws(() => uuidToBytes("x"));
  assert.throws(() => uuidFromBytes(new Uint8Array(15)));
});
