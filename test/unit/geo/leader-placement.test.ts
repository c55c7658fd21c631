import assert from "node:assert/strict";
import { test } from "node:test";
import { leaderPlacement } from "../../../geo/leader-placement.ts";
import { estimateRttMs } from "../../../geo/rtt.ts";
import type { LeaderView } from "../../../src/cluster/policies.ts";

const COOLDOWN_MS = 60_000;

function view(change: Partial<LeaderView> = {}): LeaderView {
  return {
    nowMs: 1_000_000,
    ownRegion: "iad",
    wantedRegion: "syd",
    candidates: [
      { id: 2, region: "fra", ready: true },
      { id: 3, region: "syd", ready: true },
    ],
    rttMs: (from, to) => estimateRttMs(from, to)!,
    leadsSinceMs: 0,
    ...change,
  };
}

test("the leader goes to the wanted region once the wish has lasted for three looks", () => {
  const placement = leaderPlacement(COOLDOWN_MS);
  assert.equal(placement.look(view()), null);
  assert.equal(placement.look(view()), null);
  assert.equal(placement.look(view())?.to, 3);
});

test("a look that wants nothing, or another node, begins to count anew", () => {
  const placement = leaderPlacement(COOLDOWN_MS);
  placement.look(view());
  placement.look(view());
  assert.equal(placement.look(view({ wantedRegion: "iad" })), null);
  placement.look(view());
  assert.equal(placement.look(view({ wantedRegion: "fra" })), null);
  assert.equal(placement.look(view()), null);
  assert.equal(placement.look(view()), null);
  assert.equal(placement.look(view())?.to, 3);
});

test("after a move, and after an election, there is rest", () => {
  const placement = leaderPlacement(COOLDOWN_MS);
  for (let i = 0; i < 3; i++) placement.look(view());
  placement.moved(1_000_000);
  for (let i = 0; i < 5; i++) assert.equal(placement.look(view({ nowMs: 1_059_999 })), null);
  assert.equal(placement.look(view({ nowMs: 1_060_000 }))?.to, 3);
  const fresh = leaderPlacement(COOLDOWN_MS);
  for (let i = 0; i < 5; i++) assert.equal(fresh.look(view({ leadsSinceMs: 999_000 })), null);
});

test("nobody moves without a wish, at home, or to a node that is not ready", () => {
  const notReady = view().candidates.map((one) => ({ ...one, ready: one.region !== "syd" }));
  for (const change of [{ wantedRegion: null }, { wantedRegion: "iad" }, { candidates: [] }]) {
    const placement = leaderPlacement(COOLDOWN_MS);
    for (let i = 0; i < 5; i++) assert.equal(placement.look(view(change)), null);
  }
  // fra is not nearer to syd than iad is.
  const placement = leaderPlacement(COOLDOWN_MS);
  for (let i = 0; i < 5; i++) assert.equal(placement.look(view({ candidates: notReady })), null);
});

test("where the wanted region has no voter the nearest one that is much nearer leads", () => {
  const candidates = [
    { id: 2, region: "fra", ready: true },
    { id: 4, region: "sin", ready: true },
    { id: 5, region: "sin", ready: true },
  ];
  const placement = leaderPlacement(COOLDOWN_MS);
  for (let i = 0; i < 2; i++) placement.look(view({ candidates }));
  assert.equal(placement.look(view({ candidates }))?.to, 4);
});
