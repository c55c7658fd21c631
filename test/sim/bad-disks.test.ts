/** What a cluster does about a disk that hangs, is full, is damaged, or was lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileImage } from "../../runtime/memory/disk-image.ts";
import { Violation } from "./ghost.ts";
import { MachineCluster } from "./machines/cluster.ts";
import type { MachineNode } from "./machines/node.ts";
import { drawPlan, type Plan } from "./machines/plan.ts";

const THREE: Plan = {
  ...drawPlan(1),
  mode: "safety",
  nodes: 3,
  voters: 3,
  delayMs: 1,
  loss: 0,
  duplicates: 0,
  isReordering: false,
  skew: 0,
  syncMs: 0.2,
  proposalMs: 20,
  faults: [],
};

/** Three nodes, one of which leads and has committed `entries` or more. */
async function running(entries = 20): Promise<{ cluster: MachineCluster; leader: MachineNode }> {
  const cluster = new MachineCluster(THREE);
  await cluster.until("a leader and some entries", () => cluster.ghost.highest >= entries);
  return { cluster, leader: cluster.leader()! };
}

async function moreCommits(cluster: MachineCluster, what: string): Promise<void> {
  const before = cluster.ghost.highest;
  await cluster.until(what, () => cluster.ghost.highest > before + 5);
}

function isolate(cluster: MachineCluster, node: MachineNode): void {
  for (const other of cluster.nodes) {
    cluster.network.cut(node.id, other.id);
    cluster.network.cut(other.id, node.id);
  }
}

test("a leader whose disk hangs steps down, and the others go on (bug 10)", async () => {
  const { cluster, leader } = await running();
  leader.disk.faults.syncHangs = true;
  await cluster.until("another leader", () => ![null, leader].includes(cluster.leader()));
  assert.notEqual(leader.core!.role, "leader");
  await moreCommits(cluster, "commits without it");
});

test("a leader whose disk is full steps down; its votes go on (bug 10)", async () => {
  const { cluster, leader } = await running();
  leader.disk.faults.capacityBytes = leader.disk.image.usedBytes();
  await cluster.until("another leader", () => ![null, leader].includes(cluster.leader()));
  const second = cluster.leader()!;
  await moreCommits(cluster, "commits without it");
  second.kill();
  // Of three voters one is down: nobody is elected without a vote of the full one.
  const third = cluster.nodes.find((node) => node !== leader && node !== second)!;
  await cluster.until("a third leader", () => third.core!.role === "leader");
  leader.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
  await moreCommits(cluster, "commits with it, as soon as there is space");
});

for (const fault of ["flip", "unreadable"] as const) {
  test(`a leader that cannot read an entry for a peer leaves it to another (bug 20) (${fault})`, async () => {
    const { cluster, leader } = await running();
    const behind = cluster.nodes.find((node) => node !== leader)!;
    isolate(cluster, behind);
    // With a checkpoint behind it: the damaged one need not apply again what is damaged.
    const { log } = leader.parts!;
    await cluster.until(
      "a checkpoint",
      () => (log.checkpoint?.index ?? 0) > behind.appliedIndex + 5,
    );
    // After a restart nothing is in memory; the first payload that the isolated one lacks is damaged.
    leader.kill();
    damage(leader, behind.appliedIndex + 2, cluster, fault);
    leader.start();
    await cluster.until("a leader", () => cluster.leader() !== null);
    const process = leader.machine.life;
    cluster.leader()!.parts!.driver.consensus.transferLeader(leader.id);
    await cluster.until("the damaged one leads", () => cluster.leader() === leader);
    cluster.network.heal();
    const wanted = cluster.ghost.highest;
    await cluster.until("the isolated one has all", () => behind.appliedIndex >= wanted);
    assert.notEqual(cluster.leader(), leader);
    assert.equal(leader.machine.life, process, "its process did not end");
    assert.ok(leader.parts!.log.damage.length > 0);
  });
}

/** Flips a bit of the payload of a committed entry, as reads see it, or makes it unreadable. */
function damage(
  node: MachineNode,
  index: number,
  cluster: MachineCluster,
  fault: "flip" | "unreadable" = "flip",
): void {
  const { data } = cluster.ghost.committed.get(index)!;
  for (const name of node.disk.image.list("log")) {
    const { visible } = node.disk.image.get(`log/${name}`) as FileImage;
    const bytes = Buffer.alloc(visible.size);
    visible.read(0, bytes);
    const offset = bytes.indexOf(data);
    if (offset < 0) continue;
    const path = `log/${name}`;
    if (fault === "flip") node.disk.faults.bitFlips.push({ path, offset, mask: 1 });
    else node.disk.faults.readErrors.push({ path, from: offset, to: offset + 1 });
    return;
  }
  assert.fail(`entry ${index} is on the disk`);
}

test("a node that comes back with an empty disk loses what was committed (bug 19): so it is refused", async () => {
  for (const isRefused of [true, false]) {
    const { cluster, leader } = await running();
    const [behind, lost] = cluster.nodes.filter((node) => node !== leader);
    isolate(cluster, behind!);
    await moreCommits(cluster, "commits on two of three");
    leader.kill();
    lost!.retire();
    // It may have been told what was committed without it, and would not vote for less.
    behind!.kill();
    behind!.start();
    cluster.network.heal();
    if (isRefused) cluster.network.refuse(lost!.id);
    else cluster.addNode(lost!.id);
    const elected = cluster.until("a leader", () => cluster.leader() !== null, 20_000);
    if (isRefused) await assert.rejects(elected, /a leader: not within/);
    else await assert.rejects(elected, (error) => error instanceof Violation);
  }
});
