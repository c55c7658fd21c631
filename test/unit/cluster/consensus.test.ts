/** A peer that is behind what was purged gets a snapshot, and another one when that was too old by then. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeCluster } from "../../sim/nodes/cluster.ts";
import { DATA_DIR, type SimNode } from "../../sim/nodes/node.ts";
import { executedOf, loadedCluster } from "./loaded-cluster.ts";
import { running } from "./sim-nodes.ts";

/** Several segments and a new file more. */
async function grow(cluster: NodeCluster): Promise<void> {
  const { acked } = cluster;
  await cluster.until("several segments", () => cluster.acked > acked + 250);
  cluster.rotateSource();
  const next = cluster.acked;
  await cluster.until("a new file", () => cluster.acked > next + 60);
}

/** All but the newest file. */
async function purge(cluster: NodeCluster, leader: SimNode): Promise<void> {
  const { firstIndex } = running(leader).core.log;
  const newest = running(leader).files().at(-1)!.name;
  await cluster.world.time.run(() => running(leader).purge(newest, false));
  await cluster.until("the purge", () => running(leader).core.log.firstIndex > firstIndex);
}

test("a snapshot that the leader's log no longer reaches is followed by a newer one", async () => {
  const { cluster, rest } = await loadedCluster(5, 50);
  const leader = cluster.leader()!;
  const behind = cluster.nodes.find((node) => node !== leader)!;
  const { raftId } = running(behind).core.log.identity;
  const { progress } = running(leader).core.driver.consensus.node.raft.tracker;
  behind.kill();
  await grow(cluster);
  await purge(cluster, leader);
  await grow(cluster);
  // It takes the snapshot so slowly that the entries behind it are purged meanwhile.
  behind.machine.disk(DATA_DIR).faults.syncMs = 400;
  behind.start();
  await cluster.until("a snapshot", () => progress.get(raftId)!.state === "snapshot", 120_000);
  const { pendingSnapshot } = progress.get(raftId)!;
  await purge(cluster, leader);
  assert.equal(progress.get(raftId)!.state, "snapshot");
  assert.ok(running(leader).core.log.firstIndex > pendingSnapshot + 1, "its log begins behind it");
  behind.machine.disk(DATA_DIR).faults.syncMs = 0.2;
  await cluster.until("it follows", () => progress.get(raftId)!.state === "replicate", 60_000);
  await rest();
  assert.equal(executedOf(behind), executedOf(leader));
});
