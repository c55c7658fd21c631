import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { REGIONS } from "../../../geo/regions.ts";
import { estimateRttMs } from "../../../geo/rtt.ts";

test("estimates are those of known ways, to the millisecond", () => {
  const ways = [
    ["iad", "fra", 100],
    ["iad", "syd", 237],
    ["lhr", "fra", 12],
    ["sin", "nrt", 82],
    ["iad", "gru", 117],
  ] as const;
  for (const [from, to, ms] of ways)
    assert.equal(Math.round(estimateRttMs(from, to)!), ms, from + to);
});

test("the way back is as long, home is near, and what is not known has no estimate", () => {
  const code = fc.constantFrom(...REGIONS.keys());
  fc.assert(
    fc.property(code, code, (a, b) => {
      assert.equal(estimateRttMs(a, b), estimateRttMs(b, a));
      assert.ok(estimateRttMs(a, b)! >= 1 && estimateRttMs(a, b)! < 320);
    }),
  );
  assert.equal(estimateRttMs("here", "here"), 1);
  assert.equal(estimateRttMs("iad", "here"), null);
});
