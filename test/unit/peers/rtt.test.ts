import assert from "node:assert/strict";
import { test } from "node:test";
import { RttEstimate } from "../../../src/peers/rtt.ts";

function of(...samples: readonly number[]) {
  const estimate = new RttEstimate();
  for (const ms of samples) estimate.sample(ms);
  return estimate.value!;
}

test("nothing is known before the first sample", () => {
  assert.equal(new RttEstimate().value, null);
});

test("a steady way is its own worst, after some samples", () => {
  const steady = of(...Array<number>(60).fill(100));
  assert.equal(steady.smoothedMs, 100);
  assert.ok(steady.worstMs < 101);
  assert.equal(steady.leastMs, 100);
});

test("a way that wanders has a worst above all that is usual", () => {
  const wandering = of(...Array.from({ length: 200 }, (_, i) => 100 + (i % 2) * 20));
  assert.ok(Math.abs(wandering.smoothedMs - 110) < 3);
  assert.ok(wandering.worstMs > 120 && wandering.worstMs < 170);
});

test("a new way is learned, and the old least is forgotten after a minute", () => {
  const moved = of(...Array<number>(60).fill(10), ...Array<number>(60).fill(200));
  assert.ok(moved.smoothedMs > 199);
  assert.equal(moved.leastMs, 200);
});
