import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeText, MalformedBytes } from "../../../src/base/bytes.ts";
import { decodePacked, encodePacked } from "../../../src/base/packed.ts";

const values = fc.anything({
  maxDepth: 6,
  key: fc.string({ unit: "grapheme", maxLength: 12 }).filter((key) => key !== "__proto__"),
  values: [fc.maxSafeInteger(), fc.string({ unit: "grapheme" }), fc.boolean(), fc.constant(null)],
});

test("packed: whatever JSON can say comes back as it was, and so do bytes", () => {
  fc.assert(
    fc.property(values, (value) => {
      assert.deepEqual(decodePacked(encodePacked(value)), value);
    }),
  );
  const mixed = {
    bytes: Uint8Array.of(1, 2, 3),
    large: 2 ** 53 - 1,
    less: -(2 ** 53 - 1),
    part: 0.1,
  };
  const back = decodePacked(encodePacked(mixed)) as typeof mixed;
  assert.deepEqual({ ...back, bytes: [...back.bytes] }, { ...mixed, bytes: [1, 2, 3] });
});

test("packed: a key without a value is left out, and what has no form is refused", () => {
  assert.deepEqual(decodePacked(encodePacked({ a: undefined, b: [undefined] })), { b: [null] });
  assert.deepEqual(decodePacked(encodePacked([Number.NaN, Number.POSITIVE_INFINITY])), [
    null,
    null,
  ]);
  for (const value of [2 ** 53, 1n, () => 1, new Map()])
    assert.throws(() => encodePacked({ value }), TypeError);
});

test("packed: what is written is the caller's own", () => {
  const first = encodePacked("first");
  encodePacked("again and again".repeat(100));
  assert.equal(decodePacked(first), "first");
});

const nested = (depth: number): Uint8Array =>
  Uint8Array.from({ length: depth + 1 }, (_, i) => (i === depth ? 0xc0 : 0x91));
const map = (key: Uint8Array): Uint8Array => Uint8Array.of(0x81, 0xa0 | key.length, ...key, 0xc0);
const float = (value: number): Uint8Array => {
  const bytes = new Uint8Array(9);
  bytes[0] = 0xcb;
  new DataView(bytes.buffer).setFloat64(1, value);
  return bytes;
};

for (const [what, bytes] of [
  ["nothing", Uint8Array.of()],
  ["two values", Uint8Array.of(1, 1)],
  ["a value too deep", nested(17)],
  ["a very deep one", nested(100_000)],
  ["a list that lies about its length", Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
  ["a map that lies about its length", Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff)],
  ["a text that lies about its length", Uint8Array.of(0xdb, 0xff, 0xff, 0xff, 0xff)],
  ["a text that is not UTF-8", Uint8Array.of(0xa1, 0xff)],
  ["a key that reaches the prototype", map(encodeText("__proto__"))],
  ["a key that is a number", Uint8Array.of(0x81, 0x01, 0x01)],
  ["a record definition", Uint8Array.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61)],
  ["an undefined", Uint8Array.of(0xd4, 0x00, 0x00)],
  ["a date", Uint8Array.of(0xd6, 0xff, 0, 0, 0, 0)],
  ["the tag that is never used", Uint8Array.of(0xc1)],
  [
    "a whole number of 64 bits",
    Uint8Array.of(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  ],
  ["not a number", float(Number.NaN)],
  ["an endless number", float(Number.NEGATIVE_INFINITY)],
  ["2^53", float(2 ** 53)],
] as const) {
  test(`packed: ${what} is refused`, () => {
    assert.throws(() => decodePacked(bytes), MalformedBytes);
  });
}

test("packed: any bytes are a value or malformed, and no object gets another prototype", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      let value: unknown;
      try {
        value = decodePacked(bytes);
      } catch (error) {
        assert.ok(error instanceof MalformedBytes, String(error));
        return;
      }
      if (typeof value === "object" && value !== null && !(value instanceof Uint8Array))
        assert.ok([Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value)));
    }),
    { numRuns: 2000 },
  );
});
