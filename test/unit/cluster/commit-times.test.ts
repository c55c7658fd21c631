import assert from "node:assert/strict";
import { test } from "node:test";
import { CommitTimes } from "../../../src/cluster/commit-times.ts";

test("nothing is known before something was applied", () => {
  const times = new CommitTimes();
  times.proposed(5, 100);
  assert.equal(times.quantileMs(0.5), null);
});

test("each entry counts from its own proposal; several may be applied at once", () => {
  const times = new CommitTimes();
  for (let i = 0; i < 10; i++) times.proposed(10 + i, 100 + i);
  times.applied(12, 200);
  times.applied(19, 300);
  assert.equal(times.quantileMs(0), 98);
  assert.equal(times.quantileMs(1), 197);
  assert.equal(times.quantileMs(0.5), 193);
});

test("what another leader may have replaced is forgotten, and memory is bounded", () => {
  const times = new CommitTimes();
  times.proposed(1, 0);
  times.forget();
  times.applied(1, 1_000);
  assert.equal(times.quantileMs(0.5), null);
  for (let i = 1; i <= 10_000; i++) {
    times.proposed(i, 0);
    times.applied(i, i);
  }
  // Of the last ones alone.
  assert.ok(times.quantileMs(0)! >= 10_000 - 1_024);
});
