import assert from "node:assert/strict";
import { test } from "node:test";
import { NEAR_WINDOW_BYTES, nextWindow } from "../../../src/cluster/peer-windows.ts";
import { idOf, leaderOf, running, SimNodes } from "./sim-nodes.ts";

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

test("a leader with much to send widens the window of the far member, and of no other", async () => {
  const world = new SimNodes(12);
  const plan = { join: ["n1", "n2", "n3"], bootstrapExpect: 3, segmentBytes: 16 * MIB };
  const regions = ["iad", "iad", "syd"];
  for (const [at, region] of regions.entries()) {
    const geo = { wanWindowBytes: 6 * MIB };
    world.add(`n${at + 1}`, { ...plan, region, geo });
  }
  world.spread();
  const far = world.nodes[2]!;
  await world.until("one of iad leads", () => {
    const leads = world.nodes.find((node) => node.leads);
    if (leads === far)
      running(far)
        .transferLeader("n1")
        .catch(() => {});
    return leads !== undefined && leads !== far && leaderOf(far) > 0;
  });
  const { consensus } = running(world.leader()).core.driver;
  const windowOf = (name: string): number => {
    const id = idOf(world.nodes.find((node) => node.name === name)!);
    return consensus.node.raft.tracker.progress.get(id)!.inflights.maxBytes;
  };
  const near = world.nodes.find((node) => node !== far && node !== world.leader())!;
  assert.equal(windowOf("n3"), NEAR_WINDOW_BYTES);
  // An entry that apply passes over; more of them than the window takes in a round trip.
  const nothing = new Uint8Array(512 * 1024);
  const proposeEvery = (ms: number): void => {
    world.world.time.schedule(ms, "propose", () => {
      running(world.leader()).core.driver.propose(nothing);
      if (windowOf("n3") < 6 * MIB) proposeEvery(ms);
    });
  };
  proposeEvery(20);
  await world.until("it is as wide as allowed", () => windowOf("n3") === 6 * MIB);
  assert.equal(windowOf(near.name), NEAR_WINDOW_BYTES);
});
