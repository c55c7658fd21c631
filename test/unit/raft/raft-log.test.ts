/** One node's log against an array, and the bounds that it must not pass. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RaftBroken } from "../../../src/raft/errors.ts";
import { RaftLog } from "../../../src/raft/raft-log.ts";
import { entriesSize, entrySize } from "../../../src/raft/sizes.ts";
import { COMPACTED, UNAVAILABLE } from "../../../src/raft/storage.ts";
import { type Entry, EntryType, NO_BYTES, silentRaftLogger } from "../../../src/raft/types.ts";
import { bytes, conf, entriesOf, entry, snapshotAt, TestStorage } from "./member.ts";

const MEBIBYTE = 1024 * 1024;

/** `stable` terms are in the storage, the others are not yet. */
function log(
  stable: readonly number[],
  unstable: readonly number[] = [],
  maxApplying = MEBIBYTE,
): RaftLog {
  const made = new RaftLog(new TestStorage(conf([1]), stable), silentRaftLogger, maxApplying);
  made.append(entriesOf(unstable, stable.length));
  return made;
}

function termsOf(one: RaftLog): number[] {
  const terms: number[] = [];
  for (let i = one.firstIndex(); i <= one.lastIndex(); i++) terms.push(one.termOrZero(i));
  return terms;
}

const ascendingTerms = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 10 }).map((steps) => {
  let term = 1;
  return steps.map((add) => {
    term += add;
    return term;
  });
});

test("maybeAppend does to the log what it would do to an array", () => {
  const cases = fc.record({
    terms: ascendingTerms,
    cut: fc.nat(10),
    commit: fc.nat(10),
    previous: fc.nat(11),
    previousTerm: fc.nat(12),
    honest: fc.boolean(),
    sent: ascendingTerms,
    leaderCommit: fc.nat(20),
  });
  fc.assert(
    fc.property(cases, (c) => {
      const cut = Math.min(c.cut, c.terms.length);
      const one = log(c.terms.slice(0, cut), c.terms.slice(cut));
      one.commitTo(Math.min(c.commit, c.terms.length));
      const { committed } = one;
      const logTerm = c.honest ? (c.terms[c.previous - 1] ?? 0) : c.previousTerm;
      const agrees = c.previous <= c.terms.length && (c.terms[c.previous - 1] ?? 0) === logTerm;
      const conflict = c.sent.findIndex((term, i) => c.terms[c.previous + i] !== term);
      const call = (): number | null =>
        one.maybeAppend(
          { term: logTerm, index: c.previous },
          entriesOf(c.sent, c.previous),
          c.leaderCommit,
        );
      if (agrees && conflict >= 0 && c.previous + conflict + 1 <= committed) {
        assert.throws(call, RaftBroken);
        assert.deepEqual(termsOf(one), c.terms);
        return;
      }
      const last = call();
      if (!agrees) {
        assert.equal(last, null);
        assert.deepEqual(termsOf(one), c.terms);
        assert.equal(one.committed, committed);
        return;
      }
      const replaced = [...c.terms.slice(0, c.previous), ...c.sent];
      assert.deepEqual(termsOf(one), conflict < 0 ? c.terms : replaced);
      assert.equal(last, c.previous + c.sent.length);
      assert.equal(one.committed, Math.max(committed, Math.min(c.leaderCommit, last)));
    }),
    { numRuns: 2000 },
  );
});

test("findConflictByTerm finds the last entry whose term is not above the one given", () => {
  fc.assert(
    fc.property(ascendingTerms, fc.nat(10), fc.nat(20), (terms, cut, term) => {
      const one = log(terms.slice(0, cut), terms.slice(cut));
      for (let index = 0; index <= terms.length; index++) {
        const found = terms.slice(0, index).findLastIndex((t) => t <= term) + 1;
        assert.deepEqual(one.findConflictByTerm(index, term), {
          index: found,
          term: terms[found - 1] ?? 0,
        });
      }
      const beyond = terms.length + 3;
      assert.deepEqual(one.findConflictByTerm(beyond, term), { index: beyond, term: 0 });
    }),
  );
});

test("slice gives as many entries as fit, at least one, across what is stable and what is not", () => {
  const sizes = fc.array(fc.nat(40), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(
      sizes,
      fc.nat(12),
      fc.nat(12),
      fc.nat(12),
      fc.nat(300),
      (lengths, cut, a, b, max) => {
        const all = lengths.map((length, i) => entry(i + 1, 1, new Uint8Array(length)));
        const storage = new TestStorage(conf([1]));
        storage.append(all.slice(0, cut));
        const one = new RaftLog(storage, silentRaftLogger, MEBIBYTE);
        one.append(all.slice(cut));
        const low = 1 + Math.min(a, all.length);
        const high = Math.min(low + b, all.length + 1);
        const expected: Entry[] = [];
        for (const each of all.slice(low - 1, high - 1)) {
          if (expected.length > 0 && entriesSize(expected) + entrySize(each) > max) break;
          expected.push(each);
        }
        assert.deepEqual(one.slice(low, high, max), expected);
      },
    ),
    { numRuns: 1000 },
  );
});

test("stableTo takes nothing for durable that was overwritten since", () => {
  fc.assert(
    fc.property(ascendingTerms, fc.nat(10), fc.nat(12), fc.nat(20), (terms, cut, index, term) => {
      const one = log(terms.slice(0, cut), terms.slice(cut));
      const offset = Math.min(cut, terms.length) + 1;
      one.unstable.stableTo({ index, term });
      const durable = index >= offset && terms[index - 1] === term;
      assert.equal(one.unstable.offset, durable ? index + 1 : offset);
      assert.equal(one.unstable.entries.length, terms.length - (one.unstable.offset - 1));
      // An acknowledged entry leaves the core's memory; it is for the storage to have it.
      assert.deepEqual(
        one.unstable.entries.map((e) => e.term),
        terms.slice(one.unstable.offset - 1),
      );
    }),
    { numRuns: 1000 },
  );
});

test("a log is at least as new by its last term, then by its length", () => {
  const one = log([1, 2, 3]);
  for (const [index, term, newer] of [
    [2, 4, true],
    [3, 4, true],
    [4, 4, true],
    [2, 2, false],
    [9, 2, false],
    [2, 3, false],
    [3, 3, true],
    [4, 3, true],
  ] as const) {
    assert.equal(one.isUpToDate({ index, term }), newer, `${index}/${term}`);
  }
});

test("an append over committed entries is fatal and changes nothing", () => {
  const one = log([1, 1], [2]);
  one.commitTo(2);
  assert.throws(() => one.append([entry(2, 3)]), /after\(1\) is out of range \[committed\(2\)\]/);
  assert.deepEqual(termsOf(one), [1, 1, 2]);
  assert.equal(one.append([entry(3, 3), entry(4, 3)]), 4);
  assert.deepEqual(termsOf(one), [1, 1, 3, 3]);
  assert.equal(one.append([]), 4);
});

test("the commit index goes forward only, and not beyond the log", () => {
  const one = log([1, 1, 1]);
  one.commitTo(2);
  one.commitTo(1);
  assert.equal(one.committed, 2);
  assert.throws(() => one.commitTo(4), /tocommit\(4\) is out of range \[lastIndex\(3\)\]/);
  assert.equal(one.maybeCommit({ index: 3, term: 2 }), false);
  assert.equal(one.maybeCommit({ index: 3, term: 0 }), false);
  assert.equal(one.maybeCommit({ index: 3, term: 1 }), true);
});

test("what was applied lies between what was applied before and what is committed", () => {
  const one = log([1, 1, 1]);
  one.commitTo(2);
  assert.throws(() => one.appliedTo(3, 0), RaftBroken);
  one.appliedTo(2, 0);
  assert.throws(() => one.appliedTo(1, 0), RaftBroken);
  assert.equal(one.applied, 2);
});

test("terms are known from the last compacted entry to the last one", () => {
  const storage = new TestStorage(conf([1]));
  storage.install(snapshotAt(10, 3, conf([1])));
  storage.append(entriesOf([3, 4], 10));
  const one = new RaftLog(storage, silentRaftLogger, MEBIBYTE);
  one.append(entriesOf([5], 12));
  assert.deepEqual(
    [9, 10, 11, 12, 13, 14].map((i) => one.term(i)),
    [COMPACTED, 3, 3, 4, 5, UNAVAILABLE],
  );
  assert.equal(one.termOrZero(9), 0);
  assert.equal(one.slice(10, 12, MEBIBYTE), COMPACTED);
  assert.deepEqual(one.slice(11, 11, MEBIBYTE), []);
  assert.deepEqual([one.committed, one.applied], [10, 10], "all that was compacted was applied");
});

test("a log that was restored is empty behind the snapshot", () => {
  const one = log([1, 1], [1]);
  one.restore(snapshotAt(20, 4, conf([1])));
  assert.deepEqual(
    [one.firstIndex(), one.lastIndex(), one.committed, one.term(20)],
    [21, 20, 20, 4],
  );
  assert.equal(one.term(19), COMPACTED);
  assert.equal(one.hasNextCommitted(true), false, "the snapshot comes first");
  assert.equal(one.snapshot()?.index, 20);
});

test("what is handed out for applying stops at the size that is out, and at what is durable", () => {
  const data = bytes("x".repeat(90));
  const entries = [1, 2, 3].map((index) => entry(index, 1, data));
  const one = log([], [], 200);
  one.append(entries);
  one.commitTo(3);
  assert.equal(one.hasNextCommitted(false), false, "nothing is durable here");
  const page = one.nextCommitted(true);
  assert.deepEqual(
    page.map(({ index }) => index),
    [1, 2].slice(0, page.length),
  );
  one.acceptApplying(page.at(-1)!.index, entriesSize(page), true);
  assert.equal(one.hasNextCommitted(true), false, "paused");
  one.appliedTo(page.at(-1)!.index, entriesSize(page));
  assert.equal(one.hasNextCommitted(true), true);
  assert.equal(one.nextCommitted(true)[0]?.index, page.at(-1)!.index + 1);
});

test("changes of the members are found in the storage and in the unstable end", () => {
  const one = log([1, 1, 1], [2, 2], 1);
  assert.equal(one.hasConfChange(1, 6), false);
  one.append([{ index: 6, term: 2, type: EntryType.CONF_CHANGE_V2, data: NO_BYTES }]);
  assert.equal(one.hasConfChange(1, 6), false);
  assert.equal(one.hasConfChange(6, 7), true);
  const stored = new TestStorage(conf([1]));
  stored.append([{ index: 1, term: 1, type: EntryType.CONF_CHANGE, data: NO_BYTES }]);
  const other = new RaftLog(stored, silentRaftLogger, 1_000);
  assert.equal(other.hasConfChange(1, 2), true);
  assert.equal(other.hasConfChange(2, 2), false);
});
