/** Majorities and joint ones, against counting over all subsets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ascending,
  jointCommitted,
  jointIds,
  jointVote,
  majorityCommitted,
  majorityVote,
  type VoteResult,
} from "../../../src/raft/quorum.ts";

const half = fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { maxLength: 7 }).map(ascending);
const acks = fc.array(fc.nat(6), { minLength: 8, maxLength: 8 });
const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 8, maxLength: 8 });

function subsets(ids: readonly number[]): number[][] {
  return Array.from({ length: 2 ** ids.length }, (_, mask) =>
    ids.filter((_id, i) => (mask & (1 << i)) !== 0),
  );
}

function quorums(ids: readonly number[]): number[][] {
  return subsets(ids).filter((some) => some.length * 2 > ids.length || ids.length === 0);
}

/** The highest index that all of some quorum have. */
function bruteCommitted(ids: readonly number[], acked: readonly number[]): number {
  const lowest = quorums(ids).map((some) => Math.min(...some.map((id) => acked[id]!)));
  return Math.max(...lowest);
}

/** Won when some quorum said yes; still open when some quorum has no refusal. */
function bruteVote(ids: readonly number[], given: readonly (boolean | undefined)[]): VoteResult {
  if (quorums(ids).some((some) => some.every((id) => given[id] === true))) return "won";
  return quorums(ids).some((some) => some.every((id) => given[id] !== false)) ? "pending" : "lost";
}

test("what a majority committed is what all of some quorum have", () => {
  fc.assert(
    fc.property(half, acks, (ids, acked) => {
      assert.equal(
        majorityCommitted(ids, (id) => acked[id]!),
        bruteCommitted(ids, acked),
      );
    }),
    { numRuns: 1000 },
  );
});

test("a vote stands as its quorums do", () => {
  fc.assert(
    fc.property(half, votes, (ids, given) => {
      assert.equal(
        majorityVote(ids, (id) => given[id]),
        bruteVote(ids, given),
      );
    }),
    { numRuns: 1000 },
  );
});

test("a joint configuration decides only what both halves decide", () => {
  fc.assert(
    fc.property(half, half, acks, votes, (incoming, outgoing, acked, given) => {
      const config = { incoming, outgoing };
      const committed = Math.min(bruteCommitted(incoming, acked), bruteCommitted(outgoing, acked));
      assert.equal(
        jointCommitted(config, (id) => acked[id]!),
        committed,
      );
      const both = [bruteVote(incoming, given), bruteVote(outgoing, given)];
      const expected = both.includes("lost")
        ? "lost"
        : both.includes("pending")
          ? "pending"
          : "won";
      assert.equal(
        jointVote(config, (id) => given[id]),
        expected,
      );
      assert.deepEqual(jointIds(config), ascending(new Set([...incoming, ...outgoing])));
    }),
    { numRuns: 1000 },
  );
});

test("numbers near 2^53 keep their order (bug 24)", () => {
  const top = Number.MAX_SAFE_INTEGER;
  const acked = [0, top - 2, top, top - 1];
  assert.equal(
    majorityCommitted([1, 2, 3], (id) => acked[id]!),
    top - 1,
  );
  assert.deepEqual(ascending([top, 9, 10, top - 1]), [9, 10, top - 1, top]);
});
