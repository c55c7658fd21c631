/** Random bytes and texts into the GTID decoders: a set that round trips, or the named error. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeGtidSet, encodeGtidSet, MalformedGtidSet } from "../../../src/gtid/binary.ts";
import { GtidSet, GtidSyntaxError } from "../../../src/gtid/gtid-set.ts";

const { FUZZ_RUNS = "3000" } = process.env;
const numRuns = Number(FUZZ_RUNS);
const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const seeds = [`${UUID}:1-3:7`, `${UUID}:1:tag:4-9,98a7a91b-e6d4-11f1-8e56-02fc00000001:2`].map(
  (text) => encodeGtidSet(GtidSet.parse(text), "auto"),
);

test("bytes", () => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
  const changed = fc.tuple(fc.constantFrom(...seeds), edits).map(([seed, list]) => {
    const bytes = seed.slice();
    for (const [at, value] of list) bytes[at % bytes.length] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 100 })), (bytes) => {
      try {
        const set = decodeGtidSet(bytes);
        assert.ok(decodeGtidSet(encodeGtidSet(set, "auto")).equals(set));
        assert.ok(GtidSet.parse(set.toString()).equals(set));
      } catch (error) {
        assert.ok(error instanceof MalformedGtidSet, String(error));
      }
    }),
    { numRuns },
  );
});

test("texts", () => {
  const token = fc.constantFrom(
    UUID,
    UUID.toUpperCase(),
    ":",
    ",",
    "-",
    "1",
    "0",
    "77",
    "tag",
    " ",
  );
  const text = fc.oneof(
    fc.array(token, { maxLength: 15 }).map((list) => list.join("")),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        const set = GtidSet.parse(input);
        assert.equal(GtidSet.parse(set.toString()).toString(), set.toString());
      } catch (error) {
        assert.ok(error instanceof GtidSyntaxError, String(error));
      }
    }),
    { numRuns },
  );
});
