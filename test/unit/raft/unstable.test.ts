/** The end of the log that is not durable yet: what is being written, and what was overwritten meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentRaftLogger } from "../../../src/raft/types.ts";
import { Unstable } from "../../../src/raft/unstable.ts";
import { conf, entriesOf, snapshotAt } from "./member.ts";

/** Entries 5, 6, … with these terms; the first `writing` of them are being written. */
function unstable(terms: readonly number[], writing = 0): Unstable {
  const made = new Unstable(5, silentRaftLogger);
  if (writing > 0) made.truncateAndAppend(entriesOf(terms.slice(0, writing), 4));
  made.acceptInProgress();
  if (terms.length > writing) made.truncateAndAppend(entriesOf(terms.slice(writing), 4 + writing));
  return made;
}

function state({ offset, offsetInProgress, entries }: Unstable): [number, number, number[]] {
  return [offset, offsetInProgress, entries.map(({ term }) => term)];
}

test("an empty end knows neither a first nor a last index", () => {
  const one = unstable([]);
  assert.deepEqual(
    [one.firstIndex, one.lastIndex, one.term(4), one.term(5)],
    [null, null, null, null],
  );
  assert.equal(one.hasNextEntries, false);
});

test("a snapshot gives the first index, and the last one while there are no entries", () => {
  const one = unstable([]);
  one.restore(snapshotAt(9, 3, conf([1])));
  assert.deepEqual([one.firstIndex, one.lastIndex, one.term(9), one.term(8)], [10, 9, 3, null]);
  one.truncateAndAppend(entriesOf([4], 9));
  assert.deepEqual([one.firstIndex, one.lastIndex, one.term(10), one.term(9)], [10, 10, 4, 3]);
});

test("entries are handed out once, and so is a snapshot", () => {
  const one = unstable([1, 1]);
  assert.equal(one.nextEntries().length, 2);
  one.acceptInProgress();
  assert.deepEqual(one.nextEntries(), []);
  one.truncateAndAppend(entriesOf([1], 6));
  assert.deepEqual(
    one.nextEntries().map(({ index }) => index),
    [7],
  );
  one.restore(snapshotAt(9, 1, conf([1])));
  assert.equal(one.nextSnapshot()?.index, 9);
  one.acceptInProgress();
  assert.equal(one.nextSnapshot(), null);
  assert.equal(one.snapshot?.index, 9, "until it was stored");
  one.stableSnapshotTo(8);
  assert.equal(one.snapshot?.index, 9);
  one.stableSnapshotTo(9);
  assert.equal(one.snapshot, null);
});

test("what stableTo takes for durable", () => {
  // [terms, being written, index, term, then]
  const cases = [
    [[], 0, 5, 1, [5, 5, []]],
    [[1], 1, 5, 1, [6, 6, []]],
    [[1, 1], 2, 5, 1, [6, 7, [1]]],
    [[1, 1], 1, 5, 1, [6, 6, [1]]],
    [[2], 1, 5, 1, [5, 6, [2]]],
    [[3], 1, 5, 2, [5, 6, [3]]],
    [[1], 1, 4, 1, [5, 6, [1]]],
    [[1], 1, 6, 1, [5, 6, [1]]],
    [[1, 2, 2], 3, 6, 2, [7, 8, [2]]],
  ] as const;
  for (const [terms, writing, index, term, then] of cases) {
    const one = unstable(terms, writing);
    one.stableTo({ index, term });
    assert.deepEqual(state(one), then, `${terms} at ${index}/${term}`);
  }
});

test("entries at the index of an unstable snapshot are not taken for entries", () => {
  const one = unstable([]);
  one.restore(snapshotAt(9, 3, conf([1])));
  one.truncateAndAppend(entriesOf([3], 9));
  one.stableTo({ index: 9, term: 3 });
  assert.deepEqual(state(one), [10, 10, [3]]);
});

test("what truncateAndAppend leaves, and what must be written again", () => {
  // [terms, being written, first index of the new ones, their terms, then]
  const cases = [
    [[1], 0, 6, [1, 1], [5, 5, [1, 1, 1]]],
    [[1], 1, 6, [1, 1], [5, 6, [1, 1, 1]]],
    [[1], 0, 5, [2, 2], [5, 5, [2, 2]]],
    [[1], 1, 5, [2, 2], [5, 5, [2, 2]]],
    [[1], 1, 4, [2, 2, 2], [4, 4, [2, 2, 2]]],
    [[1, 1, 1], 0, 6, [2], [5, 5, [1, 2]]],
    [[1, 1, 1], 3, 6, [2], [5, 6, [1, 2]]],
    [[1, 1, 1], 1, 7, [2, 2], [5, 6, [1, 1, 2, 2]]],
  ] as const;
  for (const [terms, writing, first, fresh, then] of cases) {
    const one = unstable(terms, writing);
    one.truncateAndAppend(entriesOf(fresh, first - 1));
    assert.deepEqual(state(one), then, `${terms} and ${fresh} from ${first}`);
  }
});

test("what was handed out does not change when the log does", () => {
  const one = unstable([1, 1]);
  const out = one.nextEntries();
  one.truncateAndAppend(entriesOf([2, 2, 2], 4));
  one.truncateAndAppend(entriesOf([2], 7));
  assert.deepEqual(
    out.map(({ term }) => term),
    [1, 1],
  );
});

test("a slice beyond the end is a bug", () => {
  const one = unstable([1, 1]);
  assert.deepEqual(
    one.slice(5, 7).map(({ index }) => index),
    [5, 6],
  );
  assert.throws(() => one.slice(4, 6), /within the log's end/);
  assert.throws(() => one.slice(5, 8), /within the log's end/);
});
