import assert from "node:assert/strict";
import { test } from "node:test";
import { bury, type DeadRange, deadAt } from "../../../src/binlog/dead-ranges.ts";

const range = (entry: number, offset: number, toEntry: number, bytes: number): DeadRange => ({
  from: { entry, offset },
  toEntry,
  bytes,
});

test("Ranges that adjoin become one, unless stream stands between them", () => {
  const dead: DeadRange[] = [];
  bury(dead, range(3, 0, 4, 10));
  bury(dead, range(5, 0, 5, 1));
  assert.deepEqual(dead, [range(3, 0, 5, 11)]);
  // Entry 6 begins with whole units.
  bury(dead, range(6, 80, 7, 2));
  assert.deepEqual(dead, [range(3, 0, 5, 11), range(6, 80, 7, 2)]);
});

test("A range takes in what lies inside it, and what adjoins then", () => {
  const dead: DeadRange[] = [];
  for (const entry of [2, 4, 6, 8]) bury(dead, range(entry, 0, entry, 1));
  bury(dead, range(5, 0, 9, 10));
  assert.deepEqual(dead, [range(2, 0, 2, 1), range(4, 0, 9, 13)]);
});

test("The range that reaches into an entry is found", () => {
  const dead = [range(2, 0, 3, 1), range(5, 70, 7, 1)];
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((entry) => deadAt(dead, entry)?.from.entry ?? 0),
    [0, 2, 2, 0, 5, 5, 5, 0],
  );
  assert.equal(deadAt([], 1), null);
});
