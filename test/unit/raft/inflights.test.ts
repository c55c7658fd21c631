/** The window of unacknowledged appends, against a list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Inflights } from "../../../src/raft/inflights.ts";

test("the window counts as a list would", () => {
  const call = fc.oneof(
    fc.record({ add: fc.integer({ min: 1, max: 3 }), bytes: fc.nat(9) }),
    fc.record({ free: fc.nat(40) }),
    fc.constant({ reset: true }),
  );
  const limits = fc.record({ messages: fc.integer({ min: 1, max: 20 }), bytes: fc.nat(30) });
  fc.assert(
    fc.property(limits, fc.array(call, { maxLength: 100 }), (max, calls) => {
      const window = new Inflights(max.messages, max.bytes);
      let list: { index: number; bytes: number }[] = [];
      let last = 0;
      for (const one of calls) {
        if ("add" in one) {
          if (window.full) continue;
          last += one.add;
          window.add(last, one.bytes);
          list.push({ index: last, bytes: one.bytes });
        } else if ("free" in one) {
          window.freeUpTo(one.free);
          list = list.filter(({ index }) => index > one.free);
        } else {
          window.reset();
          list = [];
        }
        const bytes = list.reduce((sum, each) => sum + each.bytes, 0);
        const full = list.length >= max.messages || (max.bytes > 0 && bytes >= max.bytes);
        assert.deepEqual(
          { count: window.count, bytes: window.bytes, full: window.full },
          { count: list.length, bytes, full },
        );
      }
    }),
    { numRuns: 1000 },
  );
});

test("a full window takes no more", () => {
  const window = new Inflights(1);
  window.add(1, 5);
  assert.throws(() => window.add(2, 5), /the window has room/);
  assert.equal(window.count, 1);
});

test("an empty window takes a message of any size", () => {
  const window = new Inflights(10, 4);
  window.add(1, 100);
  assert.deepEqual([window.full, window.count], [true, 1]);
  window.freeUpTo(1);
  assert.deepEqual([window.full, window.bytes], [false, 0]);
});
