import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { timing } from "../../../geo/timing.ts";

const rtt = (smoothedMs: number, worstMs = smoothedMs) => ({ smoothedMs, worstMs });
const LEAST = { heartbeatMs: 100, electionMs: 1000 };

test("near nodes use what the configuration says", () => {
  assert.equal(timing(LEAST, LEAST, rtt(1)), LEAST);
  assert.equal(timing(LEAST, LEAST, rtt(100)), LEAST);
});

test("a far one makes elections wait for ten round trips and a quarter", () => {
  assert.deepEqual(timing(LEAST, LEAST, rtt(240)), { heartbeatMs: 300, electionMs: 3000 });
});

test("a restless line counts with what is hardly exceeded, four times", () => {
  assert.equal(timing(LEAST, LEAST, rtt(80, 250)), LEAST);
  assert.ok(timing(LEAST, LEAST, rtt(80, 400)).electionMs >= 1600);
});

test("it grows at once, and shrinks only when it is much too long", () => {
  const far = timing(LEAST, LEAST, rtt(240));
  assert.equal(timing(far, LEAST, rtt(200)), far);
  assert.equal(timing(far, LEAST, rtt(290)), far);
  assert.ok(timing(far, LEAST, rtt(310)).electionMs > far.electionMs);
  assert.equal(timing(far, LEAST, rtt(20)), LEAST);
});

test("whatever the distance: enough, bounded, of one ratio, and settled after one step", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 10_000, noNaN: true }),
      fc.double({ min: 0, max: 10_000, noNaN: true }),
      (before, now) => {
        const first = timing(LEAST, LEAST, rtt(before));
        const next = timing(first, LEAST, rtt(now));
        assert.equal(Math.round(next.electionMs / next.heartbeatMs), 10);
        assert.ok(next.heartbeatMs <= 5_000);
        assert.ok(next.electionMs >= Math.min(10 * now, 50_000));
        assert.equal(timing(next, LEAST, rtt(now)), next);
      },
    ),
  );
});
