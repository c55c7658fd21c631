/** Entries are applied in order; a change of the members only once it is durable that it is committed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DATA_DIR } from "../../sim/nodes/node.ts";
import { idOf, leaderOf, running, SimNodes } from "./sim-nodes.ts";

test("a change of the members that was applied anywhere is known to be committed after a crash of all", async () => {
  const world = new SimNodes(31);
  const leader = await world.formed(2);
  const added = world.add("l1", { join: ["n1", "n2"] });
  await world.until("it joined", () => leaderOf(added) > 0);
  await world.until("it is promoted", () => {
    running(leader)
      .promoteMember("l1")
      .catch(() => {});
    return running(leader).core.state.conf.voters.length === 3;
  });
  const lost = world.followers().find((node) => node !== added)!;
  // Of three voters one is lost for good, in the moment in which they have become three.
  for (const node of world.nodes) node.powerLoss();
  lost.machine.wipe(DATA_DIR);
  for (const node of world.nodes) if (node !== lost) node.start();
  await world.until("the other two elect a leader", () => leaderOf(leader) > 0);
  assert.ok([idOf(leader), idOf(added)].includes(leaderOf(leader)));
  assert.equal(running(leader).core.state.conf.voters.length, 3);
});
