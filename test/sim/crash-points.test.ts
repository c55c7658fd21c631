/**
 * A fixed script of one node: open, lead, append, roll to the next segment. It is run once to count
 * its steps, then again for each step and each thing that a disk may do when the power goes there.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CRASH_OUTCOMES, type CrashOutcome } from "../../runtime/memory/disk-image.ts";
import { MachineCluster } from "./machines/cluster.ts";
import { drawPlan } from "./machines/plan.ts";

const PLAN = {
  ...drawPlan(1),
  mode: "safety",
  voters: 1,
  nodes: 1,
  skew: 0,
  syncMs: 0.2,
  proposalMs: 4,
  lengthMs: 110,
  segmentBytes: 16 * 1024,
  faults: [],
} as const;

/** Steps until the script's end, and segments then. */
async function script(crash: { step: number; outcome: CrashOutcome } | null): Promise<{
  steps: number;
  segments: number;
}> {
  const cluster = new MachineCluster(PLAN);
  const [node] = cluster.nodes;
  let steps = 0;
  cluster.onStep = () => {
    if (cluster.world.time.now <= PLAN.lengthMs) steps = cluster.world.time.steps;
    if (crash === null || cluster.world.time.steps !== crash.step) return;
    cluster.onStep = null;
    node!.machine.powerLoss(crash.outcome);
    cluster.world.time.schedule(1, "power is back", () => node!.start());
  };
  await cluster.run();
  return { steps, segments: node!.parts!.log.segmentCount };
}

test("power loss at every step of a script, with every outcome of the disk", async (t) => {
  const { steps, segments } = await script(null);
  assert.ok(
    steps > 100 && segments > 1,
    `${steps} steps, ${segments} segments: the script is too short`,
  );
  for (let step = 1; step <= steps; step++) {
    for (const outcome of CRASH_OUTCOMES) {
      await script({ step, outcome }).catch((error: Error) => {
        throw new Error(`step ${step}, ${outcome}: ${error.stack}`);
      });
    }
  }
  t.diagnostic(`${steps} steps × ${CRASH_OUTCOMES.length} outcomes`);
});
