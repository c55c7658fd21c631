/** Full disks recover by themselves once there is space, and by a purge before that. */
import { test } from "node:test";
import type { NodeCluster } from "../../sim/nodes/cluster.ts";
import { DATA_DIR, type SimNode } from "../../sim/nodes/node.ts";
import { loadedCluster } from "./loaded-cluster.ts";
import { running } from "./sim-nodes.ts";

/**
 * Several files of about a MiB, of which all but the last may go. Segments are large enough for what comes at
 * once when the source has waited.
 */
async function withFiles(): Promise<NodeCluster> {
  const sizes = { segmentBytes: 512 * 1024, largeBytes: 40_000 };
  const { cluster } = await loadedCluster(3, 50, sizes);
  for (let i = 0; i < 4; i++) {
    cluster.rotateSource();
    const { acked } = cluster;
    await cluster.until("more", () => cluster.acked > acked + 200);
  }
  return cluster;
}

function fill(nodes: readonly SimNode[]): void {
  for (const node of nodes) {
    const { faults, image } = node.machine.disk(DATA_DIR);
    faults.capacityBytes = image.usedBytes();
  }
}

function isFull({ node }: SimNode): boolean {
  return node?.core.log.full === true;
}

async function commitsGoOn(cluster: NodeCluster): Promise<void> {
  const { acked } = cluster;
  await cluster.until("commits go on", () => cluster.acked > acked + 20, 120_000);
}

/** Purges all but the newest file, asking each node in turn until one can. */
async function purge(cluster: NodeCluster): Promise<void> {
  let done = false;
  let turn = 0;
  const ask = (): void => {
    const node = cluster.nodes[turn++ % cluster.nodes.length]!;
    const newest = cluster.nodes
      .map((one) => running(one).files().at(-1)!.name)
      .sort()
      .at(-1)!;
    running(node)
      .purge(newest, false)
      .then(
        () => {
          done = true;
        },
        () => cluster.world.time.schedule(500, "ask again", ask),
      );
  };
  ask();
  await cluster.until("the purge is done", () => done, 120_000);
}

test("all disks are full: a purge frees them, and commits go on", async () => {
  const cluster = await withFiles();
  fill(cluster.nodes);
  // Only the last lines of a node are kept.
  const said = new Set<SimNode>();
  await cluster.until(
    "all are full and say so",
    () => {
      for (const node of cluster.nodes)
        if (node.lines.some((line) => line.includes("BR1203"))) said.add(node);
      return cluster.nodes.every(isFull) && said.size === 3;
    },
    120_000,
  );
  await purge(cluster);
  await cluster.until("none is full", () => !cluster.nodes.some(isFull), 120_000);
  await commitsGoOn(cluster);
});

test("all disks are full: once there is space they go on by themselves", async () => {
  const cluster = await withFiles();
  fill(cluster.nodes);
  await cluster.until("all are full", () => cluster.nodes.every(isFull), 120_000);
  const { acked } = cluster;
  await cluster.until("commits wait", () => cluster.acked === acked);
  for (const node of cluster.nodes)
    node.machine.disk(DATA_DIR).faults.capacityBytes = Number.POSITIVE_INFINITY;
  await commitsGoOn(cluster);
});

test("one disk of three is full: the others go on, and their purge frees it", async () => {
  const cluster = await withFiles();
  const victim = cluster.nodes.find((node) => node !== cluster.leader())!;
  fill([victim]);
  await cluster.until("it is full", () => isFull(victim), 120_000);
  // Until it can take in nothing any more: the purge then lies behind entries for which it has no room.
  await cluster.until(
    "it falls behind",
    () => {
      const { driver } = running(cluster.leader() ?? victim).core;
      return driver.applied > running(victim).core.driver.applied + 200;
    },
    600_000,
  );
  await commitsGoOn(cluster);
  cluster.rotateSource();
  await commitsGoOn(cluster);
  await purge(cluster);
  await cluster.until("it has space", () => !isFull(victim), 120_000);
  await cluster.until(
    "it has everything",
    () => {
      const leader = cluster.leader();
      const applied = leader?.node?.core.driver.applied ?? Number.POSITIVE_INFINITY;
      return running(victim).core.driver.applied > applied - 20;
    },
    120_000,
  );
});

test("a leader whose disk is full hands over to one that has space", async () => {
  const cluster = await withFiles();
  const leader = cluster.leader()!;
  fill([leader]);
  await cluster.until(
    "another leads",
    () => cluster.leader() !== null && cluster.leader() !== leader,
    120_000,
  );
  await commitsGoOn(cluster);
});
