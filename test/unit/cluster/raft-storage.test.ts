/** Who is behind what the others purged gets a snapshot, and then has all that they have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeCluster } from "../../sim/nodes/cluster.ts";
import type { SimNode } from "../../sim/nodes/node.ts";
import { executedOf, hasFiles, loadedCluster } from "./loaded-cluster.ts";
import { leaderOf, running } from "./sim-nodes.ts";

/** Writes several files and purges all but the newest from everyone who runs. */
async function purgedAll(cluster: NodeCluster, rest: () => Promise<void>): Promise<void> {
  for (let i = 0; i < 3; i++) {
    cluster.rotateSource();
    const acked = cluster.acked;
    await cluster.until("transactions", () => cluster.acked > acked + 250);
  }
  await rest();
  const leader = cluster.leader()!;
  const newest = running(leader).files().at(-1)!;
  const { firstIndex } = leader.log!;
  await cluster.world.time.run(() => running(leader).purge(newest.name, false));
  await cluster.until("segments are gone", () => leader.log!.firstIndex > firstIndex);
}

const wasReplaced = (node: SimNode): boolean =>
  node.lines.some((line) => /Everything before was purged by the others/.test(line));

test("catch-up: a node that was down while everything was purged comes back and has all", async () => {
  const { cluster, rest } = await loadedCluster(41, 50);
  const away = cluster.nodes.find(({ leads }) => !leads)!;
  away.kill();
  await purgedAll(cluster, rest);
  away.start();
  const leader = cluster.leader()!;
  await cluster.until("it has all", () => executedOf(away) === executedOf(leader));
  assert.ok(wasReplaced(away), away.lines.slice(-10).join("\n"));
  assert.deepEqual(await hasFiles(cluster, away), await hasFiles(cluster, leader));
  assert.equal(running(away).gtid().purged, running(leader).gtid().purged);
  // It is what the others are: it can vote, lead and feed a replica.
  await cluster.world.time.run(() => running(leader).transferLeader(away.name));
  assert.ok(away.leads);
  away.powerLoss();
  away.start();
  await cluster.until("it has all, still", () => executedOf(away) === executedOf(leader));
  await hasFiles(cluster, away);
});

test("catch-up: a learner that joins behind a purge has all, and can be promoted", async () => {
  const { cluster, rest } = await loadedCluster(42, 50);
  await purgedAll(cluster, rest);
  const leader = cluster.leader()!;
  const late = cluster.addNode(null);
  cluster.source.settings(late.machine);
  await cluster.until("it has all", () => executedOf(late) === executedOf(leader));
  assert.ok(wasReplaced(late), late.lines.slice(-10).join("\n"));
  assert.deepEqual(await hasFiles(cluster, late), await hasFiles(cluster, leader));
  await cluster.world.time.advance(100);
  await cluster.world.time.run(() => running(leader).promoteMember(late.name));
  assert.deepEqual(running(late).core.state.conf.voters, [1, 2, 3, 4]);
});

test("catch-up: power loss at each moment of it leaves the old log or the new one, and it goes on", async (t) => {
  const begin = async (): Promise<{ cluster: NodeCluster; away: SimNode; leader: SimNode }> => {
    const { cluster, rest } = await loadedCluster(43, 50);
    const away = cluster.nodes.find(({ leads }) => !leads)!;
    away.kill();
    await purgedAll(cluster, rest);
    return { cluster, away, leader: cluster.leader()! };
  };
  // One world for all moments: what is gone is behind again by a further purge.
  const { cluster, away, leader } = await begin();
  let replaced = 0;
  const moments = 24;
  for (let i = 0; i < moments; i++) {
    away.start();
    await cluster.until("it runs", () => away.node !== null);
    await cluster.until("it hears the leader", () => leaderOf(away) > 0);
    await cluster.world.time.advance(i * 8);
    if (wasReplaced(away)) replaced++;
    away.powerLoss();
    if (replaced > 4) break;
  }
  away.start();
  await cluster.until("it has all", () => executedOf(away) === executedOf(leader));
  assert.deepEqual(await hasFiles(cluster, away), await hasFiles(cluster, leader));
  assert.ok(replaced > 0, "it was cut off while it caught up");
  t.diagnostic(`replaced before ${replaced} of the power losses`);
});
