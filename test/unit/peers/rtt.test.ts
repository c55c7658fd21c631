import assert from "node:assert/strict";
import { test } from "node:test";
import { type Rtt, RttEstimate } from "../../../src/peers/rtt.ts";

function of(...samples: readonly number[]): Rtt {
  const estimate = new RttEstimate();
  for (const ms of samples) estimate.sample(ms);
  return estimate.value!;
}

const times = (count: number, ms: number): number[] => Array<number>(count).fill(ms);

test("nothing is known before the first sample, and one is all there is", () => {
  assert.equal(new RttEstimate().value, null);
  assert.deepEqual(of(100), { smoothedMs: 100, worstMs: 100, leastMs: 100, recentMs: 100 });
});

test("a way that wanders has a worst above what is usual", () => {
  const wandering = of(...Array.from({ length: 60 }, (_, i) => 100 + (i % 10)));
  assert.deepEqual(wandering, { smoothedMs: 104, worstMs: 109, leastMs: 100, recentMs: 107 });
});

test("a process that stood still twice moves nothing but its own sample", () => {
  const stopped = of(...times(20, 100), 5_000, ...times(5, 100), 3_000, ...times(3, 100));
  assert.deepEqual(stopped, { smoothedMs: 100, worstMs: 100, leastMs: 100, recentMs: 100 });
});

test("what is echoed again, or late, is no further sample", () => {
  const estimate = new RttEstimate();
  for (const [saidMs, rttMs] of [
    [1_000, 100],
    [2_000, 5_000],
    [2_000, 4_000],
    [1_000, 9_000],
    [3_000, 100],
  ] as const)
    estimate.echoed(saidMs, rttMs);
  assert.deepEqual(estimate.value, {
    smoothedMs: 100,
    worstMs: 5_000,
    leastMs: 100,
    recentMs: 100,
  });
});

test("a first bad sample is outlived by the next ones", () => {
  assert.ok(of(2_000, 100, 100, 100, 100).worstMs === 100);
});

test("a new way is learned within half a minute, and a queue within seconds", () => {
  assert.equal(of(...times(60, 10), ...times(3, 200)).recentMs, 200);
  const moved = of(...times(60, 10), ...times(30, 200));
  assert.deepEqual([moved.smoothedMs, moved.leastMs], [200, 200]);
});
