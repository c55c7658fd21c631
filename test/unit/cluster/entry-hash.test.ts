import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { foldEntry, HASH_EVERY, HashTrail } from "../../../src/cluster/entry-hash.ts";
import type { Entry } from "../../../src/raft/types.ts";
import { nodeCrc32 } from "../../support/crc.ts";

const entry: fc.Arbitrary<Omit<Entry, "index">> = fc.record({
  term: fc.integer({ min: 1, max: 5 }),
  type: fc.constantFrom(0, 1),
  data: fc.uint8Array({ maxLength: 40 }),
});

const fold = (entries: readonly Entry[]): number =>
  entries.reduce((hash, one) => foldEntry(nodeCrc32, hash, one), 0);

test("entry hash: any one changed bit of an entry, its place, term or type changes it for good", () => {
  const runs = fc.tuple(
    fc.array(entry, { minLength: 1, maxLength: 12 }),
    fc.nat(),
    fc.constantFrom("index", "term", "type", "data", "longer"),
    fc.nat(),
  );
  fc.assert(
    fc.property(runs, ([given, which, what, bit]) => {
      const entries = given.map((one, i): Entry => ({ ...one, index: i + 1 }));
      const at = which % entries.length;
      const old = entries[at]!;
      const data = old.data.slice();
      if (what === "data") {
        if (data.length === 0) return;
        data[bit % data.length]! ^= 1 << (bit % 8);
      }
      const changed: Entry = {
        index: what === "index" ? old.index + 1 : old.index,
        term: what === "term" ? old.term + 1 : old.term,
        type: what === "type" ? (old.type === 0 ? 1 : 0) : old.type,
        data: what === "longer" ? new Uint8Array([...data, 0]) : data,
      };
      assert.notEqual(fold(entries), fold(entries.with(at, changed)));
    }),
    { numRuns: 2000 },
  );
});

test("entry hash: two entries that changed places have another hash", () => {
  const a: Entry = { index: 1, term: 1, type: 0, data: new Uint8Array([1]) };
  const b: Entry = { ...a, data: new Uint8Array([2]) };
  assert.notEqual(
    fold([a, { ...b, index: 2 }]),
    fold([
      { ...b, index: 1 },
      { ...a, index: 2 },
    ]),
  );
});

test("entry hash: the trail knows the last 64 of them, and says nothing of others", () => {
  const trail = new HashTrail();
  assert.equal(trail.newest(), null);
  for (let index = 1; index <= 100 * HASH_EVERY; index++) trail.note(index, index * 3);
  assert.deepEqual(trail.newest(), { index: 100 * HASH_EVERY, hash: 300 * HASH_EVERY });
  assert.equal(trail.all().length, 64);
  assert.equal(trail.agrees(100 * HASH_EVERY, 300 * HASH_EVERY), true);
  assert.equal(trail.agrees(100 * HASH_EVERY, 1), false);
  assert.equal(trail.agrees(37 * HASH_EVERY, 1), false, "the oldest that is kept");
  assert.equal(trail.agrees(36 * HASH_EVERY, 1), null, "no longer kept");
  assert.equal(trail.agrees(101 * HASH_EVERY, 1), null, "not there yet");
  assert.equal(trail.agrees(100 * HASH_EVERY - 1, 1), null, "never told of");
  trail.clear();
  assert.equal(trail.newest(), null);
  assert.equal(trail.agrees(100 * HASH_EVERY, 1), null);
});
