import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeCluster } from "../../sim/nodes/cluster.ts";
import { DATA_DIR, type SimNode } from "../../sim/nodes/node.ts";
import { executedOf, exported, hasFiles, loadedCluster } from "./loaded-cluster.ts";
import { running } from "./sim-nodes.ts";

type Loaded = Awaited<ReturnType<typeof loadedCluster>>;

/** Three voters, and a source whose newest file is its third. */
async function withThreeFiles(seed: number): Promise<Loaded> {
  const { cluster, rest } = await loadedCluster(seed, 30);
  for (let i = 0; i < 2; i++) {
    const { acked } = cluster;
    cluster.rotateSource();
    await cluster.until("more transactions", () => cluster.acked > acked + 30);
  }
  return { cluster, rest };
}

/** A fourth machine, which the source lets in, too. */
function join(cluster: NodeCluster): SimNode {
  const node = cluster.addNode(null, { history: "from-now" });
  cluster.source.settings(node.machine);
  return node;
}

function names(node: SimNode): string[] {
  return running(node)
    .files()
    .map(({ name }) => name);
}

function isThere(node: SimNode): boolean {
  return node.node?.notReady() === null;
}

test("A node that joins from now has the file that is being written, whole, and nothing older", async () => {
  const { cluster, rest } = await withThreeFiles(1);
  const files = names(cluster.leader()!);
  const node = join(cluster);
  await cluster.until("it is there", () => isThere(node));
  assert.deepEqual(names(node), files.slice(2));
  const { core } = running(node);
  assert.ok(core.log.firstIndex > 1, "it was not given the whole log");
  cluster.rotateSource();
  await rest();
  assert.deepEqual(await hasFiles(cluster, node), [files[2], "binlog.000004"]);
  const { purged } = running(node).gtid();
  assert.notEqual(purged, "");
  assert.equal(executedOf(node), executedOf(cluster.leader()!));
  assert.equal(running(node).metrics().raft.hashMismatches, 0);
});

test("What it lacks it does not refuse for good: another node has it", async () => {
  const { cluster, rest } = await withThreeFiles(2);
  const node = join(cluster);
  await cluster.until("it is there", () => isThere(node));
  const late = cluster.addReplica(3, () => node);
  await cluster.until("it was sent away", () => late.trouble !== "");
  assert.equal(late.fatal, "");
  assert.equal(late.at, 0);
  assert.ok(
    node.lines.some((line) => /purged transactions/.test(line)),
    node.lines.join("\n"),
  );

  // Once all others have purged it, too, it is gone for good, and the replica is told so.
  await rest();
  const [kept] = names(node);
  await cluster.world.time.run(() => running(cluster.leader()!).purge(kept!, false));
  await cluster.until("it is told", () => late.fatal !== "");
  assert.match(late.fatal, /purged/);
});

test("It becomes a voter only once the older files are purged everywhere", async () => {
  const { cluster, rest } = await withThreeFiles(3);
  const node = join(cluster);
  await cluster.until("it is there", () => isThere(node));
  await rest();
  const leader = running(cluster.leader()!);
  const { raftId } = running(node).core.log.identity;
  const promote = () => cluster.world.time.run(() => leader.promoteMember(String(raftId)));
  await assert.rejects(promote, /joined from now and lacks files from "binlog.000001" on/);
  await cluster.world.time.run(() => leader.purge(names(node)[0]!, false));
  assert.equal((await promote()).role, "voter");
  await cluster.world.time.run(() => leader.transferLeader(String(raftId)));
  assert.equal(cluster.leader(), node);
  assert.deepEqual(names(node), names(cluster.nodes[0]!));
});

test("A purge from before its first file is none of what it never had", async () => {
  const { cluster, rest } = await withThreeFiles(5);
  const leader = running(cluster.leader()!);
  const { acked } = cluster;
  // Behind the state that the node will begin with, and before the file that is written then.
  await cluster.world.time.run(() => leader.purge("binlog.000002", false));
  cluster.rotateSource();
  await cluster.until("more transactions", () => cluster.acked > acked + 5);
  const node = join(cluster);
  await cluster.until("it is there", () => isThere(node));
  await rest();
  assert.ok(running(node).core.log.firstIndex > 1, "it was not given the whole log");
  assert.deepEqual(await hasFiles(cluster, node), ["binlog.000004"]);
  const promote = () => cluster.world.time.run(() => leader.promoteMember(node.name));
  await assert.rejects(promote, /joined from now and lacks files from "binlog.000002" on/);
  assert.equal(running(node).core.state.startsAt, running(node).files()[0]!.startEntry);
});

test("A crash at any moment of the joining leads to the same file", async () => {
  for (let killedMs = 5; killedMs < 400; killedMs += 25) {
    const { cluster, rest } = await withThreeFiles(4);
    const files = names(cluster.leader()!);
    const node = join(cluster);
    await cluster.world.time.advance(killedMs);
    node.powerLoss();
    cluster.rotateSource();
    await cluster.world.time.advance(200);
    node.start();
    await cluster.until("it is there", () => isThere(node));
    await rest();
    const [first] = await hasFiles(cluster, node);
    // It may not have been a member before the rotation.
    assert.ok(first === files[2] || first === "binlog.000004", `${killedMs} ms: ${first}`);
    const { members } = running(node).core.state;
    const mine = [...members.values()].filter(({ name }) => name === node.name);
    assert.equal(mine.length, 1, `${killedMs} ms`);
  }
});

test("What it lacks the others keep, also when their disks are full", async () => {
  const { cluster } = await withThreeFiles(3);
  const voters = [...cluster.nodes];
  const files = names(cluster.leader()!);
  const node = join(cluster);
  await cluster.until("it is there", () => isThere(node));
  for (const { machine } of voters) {
    const { faults, image } = machine.disk(DATA_DIR);
    faults.capacityBytes = image.usedBytes();
  }
  await cluster.until("all are full", () => voters.every((one) => running(one).core.log.full));
  await cluster.world.time.advance(5_000);
  for (const voter of voters) {
    assert.equal(running(voter).core.log.firstIndex, 1);
    assert.ok((await exported(cluster, voter, files[0]!)).length > 0);
  }
});
