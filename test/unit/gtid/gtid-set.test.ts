import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GtidSet, GtidSyntaxError } from "../../../src/gtid/gtid-set.ts";
import { MAX_GNO } from "../../../src/gtid/interval-list.ts";
import { build, members, ranges, SIDS, UUID_A, UUID_B } from "./gtid-model.ts";

test("adding ranges in any order equals a set of numbers", () => {
  fc.assert(
    fc.property(ranges, (list) => {
      const { set, model } = build(list);
      assert.deepEqual(members(set), model);
      assert.equal(set.count(), BigInt(model.size));
      assert.equal(set.isEmpty, model.size === 0);
      for (const sid of SIDS) {
        for (let gno = 1; gno <= 50; gno++) {
          assert.equal(set.has(sid, BigInt(gno)), model.has(`${sid}/${gno}`));
        }
      }
    }),
  );
});

test("algebra equals the algebra of plain sets", () => {
  fc.assert(
    fc.property(ranges, ranges, (left, right) => {
      const a = build(left);
      const b = build(right);
      const before = a.set.toString();
      assert.deepEqual(members(a.set.union(b.set)), new Set([...a.model, ...b.model]));
      assert.deepEqual(
        members(a.set.subtract(b.set)),
        new Set([...a.model].filter((gtid) => !b.model.has(gtid))),
      );
      const both = new Set([...a.model].filter((gtid) => b.model.has(gtid)));
      assert.deepEqual(members(a.set.intersect(b.set)), both);
      assert.equal(a.set.containsSet(b.set), both.size === b.model.size);
      assert.equal(a.set.intersectsSet(b.set), both.size > 0);
      assert.equal(a.set.equals(b.set), both.size === a.model.size && both.size === b.model.size);
      assert.equal(a.set.toString(), before, "operands are left alone");
      const copy = a.set.clone();
      copy.addSet(b.set);
      assert.ok(copy.equals(b.set.union(a.set)));
      assert.ok(copy.containsSet(a.set) && copy.containsSet(b.set));
      assert.equal(a.set.toString(), before, "a clone is independent");
    }),
  );
});

test("hasRange is true only when every number is there", () => {
  fc.assert(
    fc.property(
      ranges,
      fc.constantFrom(...SIDS),
      fc.integer({ min: 1, max: 45 }),
      fc.nat(8),
      (list, sid, first, extra) => {
        const { set, model } = build(list);
        let all = true;
        for (let gno = first; gno <= first + extra; gno++) all &&= model.has(`${sid}/${gno}`);
        assert.equal(set.hasRange(sid, BigInt(first), BigInt(first + extra)), all);
      },
    ),
  );
});

test("text round trips, whatever the order it was written in", () => {
  fc.assert(
    fc.property(ranges, (list) => {
      const { set } = build(list);
      assert.ok(GtidSet.parse(set.toString()).equals(set));
      const messy = list
        .map(({ sid, first, last }) => ` ${sid.toUpperCase()} : ${first} - ${last}`)
        .join(",\n");
      assert.equal(GtidSet.parse(messy).toString(), set.toString());
    }),
  );
});

// Each pair was checked with GTID_SUBTRACT(text, '') on a 9.7.4 server.
const CANONICAL: readonly (readonly [string, string])[] = [
  ["", ""],
  [" \n", ""],
  [UUID_A, ""],
  [`${UUID_A}:5-3`, ""],
  [`${UUID_A}:tag`, ""],
  [`${UUID_A}:1:tag`, `${UUID_A}:1`],
  [`,,${UUID_A}:1,,`, `${UUID_A}:1`],
  [`${UUID_A.replaceAll("-", "")}:1`, `${UUID_A}:1`],
  [`{${UUID_A}}:1`, `${UUID_A}:1`],
  [` ${UUID_A.toUpperCase()} : 1 - 3 : TAG : 4 `, `${UUID_A}:1-3:tag:4`],
  [`${UUID_A}:007`, `${UUID_A}:7`],
  [`${UUID_A}:tag:1:Tag:2`, `${UUID_A}:tag:1-2`],
  [`${UUID_A}:b:1:a:2:3,${UUID_A}:_:4:1`, `${UUID_A}:_:1:4:a:2-3:b:1`],
  [`${UUID_A}:9223372036854775806`, `${UUID_A}:9223372036854775806`],
  [`${UUID_B}:1,\n${UUID_A}:3-4:1-2`, `${UUID_A}:1-4,${UUID_B}:1`],
];

test("canonical text is the server's own", () => {
  for (const [text, canonical] of CANONICAL) {
    assert.equal(GtidSet.parse(text).toString(), canonical, JSON.stringify(text));
  }
});

test("malformed text is refused, and the message names the part", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["x:1", '"x"'],
    [`${UUID_A}:0`, '"0"'],
    [`${UUID_A}:0-5`, '"0-5"'],
    [`${UUID_A}:1:`, '""'],
    [`${UUID_A}:1-2-3`, '"1-2-3"'],
    [`${UUID_A}:1x`, '"1x"'],
    [`${UUID_A}:0x10`, '"0x10"'],
    [`${UUID_A}:9223372036854775807`, '"9223372036854775807"'],
    [`${UUID_A}:1-99999999999999999999`, '"1-99999999999999999999"'],
    [`${UUID_A}:${"t".repeat(33)}:1`, "ttt"],
    [`${UUID_A}1:1`, `${UUID_A}1`],
    [`${UUID_A}:1\r\x1b[31m-`, "\\x1b"],
  ];
  for (const [text, part] of cases) {
    assert.throws(
      () => GtidSet.parse(text),
      (error: unknown) => error instanceof GtidSyntaxError && error.message.includes(part),
      JSON.stringify(text),
    );
  }
});

test("numbers up to 2^63 - 2 keep every bit", () => {
  const set = new GtidSet();
  set.add(UUID_A, MAX_GNO - 1n);
  set.add(UUID_A, MAX_GNO);
  set.add(UUID_A, 2n ** 53n, 2n ** 53n + 1n);
  assert.equal(
    set.toString(),
    `${UUID_A}:9007199254740992-9007199254740993:9223372036854775805-9223372036854775806`,
  );
  assert.throws(() => set.add(UUID_A, MAX_GNO + 1n));
  assert.throws(() => set.add(UUID_A, 0n));
  assert.throws(() => set.add(UUID_A, 3n, 2n));
  assert.throws(() => set.add(UUID_A.toUpperCase(), 1n), /sid/);
});

test("intervals is a copy", () => {
  const set = GtidSet.parse(`${UUID_A}:1-3`);
  const before = set.intervals(UUID_A);
  set.add(UUID_A, 4n);
  assert.deepEqual(before, [{ first: 1n, last: 3n }]);
  assert.deepEqual(set.intervals(UUID_B), []);
});

test("long and hostile texts stay fast", () => {
  const parts: string[] = [];
  for (let gno = 400_000; gno > 0; gno -= 2) parts.push(String(gno));
  const set = GtidSet.parse(`${UUID_A}:${parts.join(":")}`);
  assert.equal(set.intervals(UUID_A).length, 200_000);
});
