import assert from "node:assert/strict";
import { test } from "node:test";
import { nextWindow } from "../../../src/cluster/peer-windows.ts";

const MIB = 2 ** 20;
const MOST = 32 * MIB;

/** A line that carries so much and is so long: what a window of that size gives on it. */
function line(bytesPerMs: number, wayMs: number, window: number) {
  const carried = Math.min(bytesPerMs, window / (wayMs + 10));
  return {
    bytesPerMs: carried,
    wasFull: true,
    rtt: {
      leastMs: wayMs,
      recentMs: Math.max(wayMs, window / bytesPerMs),
      smoothedMs: 0,
      worstMs: 0,
    },
  };
}

function settled(bytesPerMs: number, wayMs: number, from: number): number {
  let window = from;
  for (let i = 0; i < 30; i++) window = nextWindow(window, line(bytesPerMs, wayMs, window), MOST);
  return window;
}

test("a long fat line gets twice what fits on it, up to the bound", () => {
  const fits = 60_000 * (240 + 10);
  const window = settled(60_000, 240, 4 * MIB);
  assert.ok(window > 1.5 * fits && window <= 2.1 * fits, `${window} where ${fits} fit`);
  assert.equal(settled(500_000, 240, 4 * MIB), MOST);
});

test("a thin line gets little, so that heartbeats do not wait behind it", () => {
  assert.equal(settled(1_250, 100, 4 * MIB), MIB);
});

test("while there is nothing to send nothing is learned", () => {
  const idle = { ...line(1_000, 100, 4 * MIB), wasFull: false };
  assert.equal(nextWindow(7 * MIB, idle, MOST), 7 * MIB);
});
