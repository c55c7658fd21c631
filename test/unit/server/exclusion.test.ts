import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Exclusion } from "../../../src/server/exclusion.ts";

const A = "11111111-2222-3333-4444-555555555555";
const B = "aaaaaaaa-2222-3333-4444-555555555555";

test("Exclusion tells all, some and none apart", () => {
  const exclusion = new Exclusion(GtidSet.parse(`${A}:3-5:8-9,${B}:tag:1`));
  const cases: [number, number, string][] = [
    [1, 2, "none"],
    [1, 3, "some"],
    [3, 5, "all"],
    [4, 4, "all"],
    [5, 6, "some"],
    [6, 7, "none"],
    [6, 8, "some"],
    [1, 20, "some"],
    [8, 9, "all"],
    [9, 10, "some"],
    [10, 20, "none"],
  ];
  for (const [first, last, want] of cases) {
    assert.equal(exclusion.overlap(A, BigInt(first), BigInt(last)), want, `${first}-${last}`);
  }
  assert.equal(exclusion.overlap(B, 1n, 1n), "none");
  assert.equal(exclusion.overlap(`${B}:tag`, 1n, 1n), "all");
  assert.ok(exclusion.containsSet(GtidSet.parse(`${A}:3:5:8`)));
  assert.ok(!exclusion.containsSet(GtidSet.parse(`${A}:3:6`)));
  assert.ok(exclusion.containsSet(new GtidSet()));
});

test("Exclusion agrees with a set of numbers", () => {
  const number = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(fc.array(number), number, number, (members, a, b) => {
      const set = new GtidSet();
      for (const gno of members) set.add(A, BigInt(gno));
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      let inside = 0;
      for (let gno = first; gno <= last; gno++) if (members.includes(gno)) inside++;
      const want = inside === 0 ? "none" : inside === last - first + 1 ? "all" : "some";
      assert.equal(new Exclusion(set).overlap(A, BigInt(first), BigInt(last)), want);
    }),
  );
});
