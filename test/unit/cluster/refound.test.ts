/** A new cluster out of one log: after a lost quorum, and from a backup. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { type RefoundParts, refound, restore, summarize } from "../../../src/cluster/refound.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { RecordType } from "../../../src/storage/format.ts";
import { DATA_DIR, PEER_PORT, type SimNode } from "../../sim/nodes/node.ts";
import { batchesOf, loseSector, type StoredBatch } from "../storage/batches.ts";
import { bytesAt, hasFiles, loadedCluster, segmentsOf } from "./loaded-cluster.ts";

function partsOf(platform: Platform, node: SimNode): RefoundParts {
  return {
    platform,
    logger: silentLogger,
    dataDir: DATA_DIR,
    segmentBytes: 64 * 1024,
    salvage: false,
    announcement: {
      name: node.name,
      region: "",
      peer: `${node.machine.address}:${PEER_PORT}`,
      mysql: "",
      admin: "",
      version: "0",
      formatVersion: 1,
    },
  };
}

const executed = (node: SimNode): string => node.node?.gtid().executed ?? "";

test("after a lost quorum one node goes on alone, the others are not let in, a fresh one gets all", async () => {
  const { cluster } = await loadedCluster(1, 200);
  const { time } = cluster.world;
  const [a, b] = cluster.nodes;
  const had = a!.node!.core.state.stream.executed.clone();
  const old = a!.node!.core.log.identity.clusterId;
  for (const node of cluster.nodes) node.kill();
  const parts = partsOf(a!.machine.start(), a!);
  const summary = await time.run(() => summarize(parts));
  assert.equal(summary.clusterId, old);
  assert.equal(summary.members.length, 3);
  const made = await time.run(() => refound(parts));
  assert.notEqual(made, old);
  a!.kill();
  a!.start();
  b!.start();
  await cluster.until("it leads alone", () => a!.leads);
  const { conf, members } = a!.node!.core.state;
  assert.deepEqual([conf.voters, [...members.keys()]], [[4], [4]]);
  assert.ok(a!.node!.core.state.stream.executed.containsSet(had), executed(a!));
  const late = cluster.addNode(null);
  cluster.source.settings(late.machine);
  await cluster.until(
    "a fresh node has all",
    () => executed(late) !== "" && executed(late) === executed(a!),
  );
  assert.equal(late.node!.core.log.identity.raftId, 5);
  assert.equal(late.node!.core.log.identity.clusterId, made);
  await time.advance(5_000);
  assert.notEqual(b!.node!.core.log.identity.clusterId, made);
  assert.equal(b!.node!.core.driver.consensus.node.leader, 0, "the old one is on its own");
});

test("a learner that joined from now goes on alone: what it lacks is gone for good then", async () => {
  const { cluster } = await loadedCluster(1, 50);
  const { time } = cluster.world;
  const { acked } = cluster;
  cluster.rotateSource();
  await cluster.until("more", () => cluster.acked > acked + 50);
  const node = cluster.addNode(null, { history: "from-now" });
  cluster.source.settings(node.machine);
  await cluster.until("it is there", () => node.node?.notReady() === null);
  const [first] = node.node!.files();
  // A learner may lack what was acknowledged; this one is to lead, and must not.
  await cluster.until("it has all", () => cluster.hasAcknowledged(node));
  for (const one of cluster.nodes) one.kill();
  await time.run(() => refound(partsOf(node.machine.start(), node)));
  node.kill();
  node.start();
  await cluster.until("it leads alone", () => node.leads);
  assert.equal(node.node!.files()[0]!.name, first!.name);
  const late = cluster.addReplica(3, () => node);
  await cluster.until("its replica is told", () => late.fatal !== "");
  assert.match(late.fatal, /purged/);

  // One that is invited, and told of nobody: those that the cluster began with are gone.
  const { file } = node.node!.core.state.stream;
  assert.match(
    node.node!.status().alarms.join(),
    /syncer stays stopped until binraft syncer start/,
  );
  await time.run(() => node.node!.startSyncer());
  assert.deepEqual(node.node!.core.state.settings.stoppedBecause, null);
  cluster.rotateSource();
  await cluster.until("a next file", () => node.node!.core.state.stream.file !== file);
  const invited = cluster.addNode(null, { history: "from-now", join: [] });
  cluster.source.settings(invited.machine);
  await cluster.until("it waits", () => invited.lines.some((line) => /no place/.test(line)));
  await time.run(() => node.node!.addMember(`${invited.machine.address}:${PEER_PORT}`));
  await cluster.until("it is there", () => invited.node?.notReady() === null);
  assert.equal(invited.node!.files()[0]!.startEntry, node.node!.files().at(-1)!.startEntry);
});

test("a backup is restored as a cluster of its own, with every file as it was", async () => {
  const { cluster } = await loadedCluster(1, 200);
  const { time } = cluster.world;
  const [a] = cluster.nodes;
  cluster.rotateSource();
  const wanted = cluster.acked + 50;
  await cluster.until("more", () => cluster.acked > wanted);
  const bytes = await time.run(async () => {
    const parts: Uint8Array[] = [];
    for await (const part of a!.node!.backup()) parts.push(part.slice());
    return Buffer.concat(parts);
  });
  const chunks = async function* (whole: Uint8Array): AsyncIterable<Uint8Array> {
    for (let at = 0; at < whole.length; at += 10_007) yield whole.subarray(at, at + 10_007);
  };
  const other = cluster.world.machine("restored");
  const parts = partsOf(other.start(), cluster.nodes[0]!);
  const made = await time.run(() => restore(parts, chunks(bytes)));
  assert.match(made, /^[0-9a-f]{32}$/);
  const summary = await time.run(() => summarize(parts));
  assert.equal(summary.raftId, 4);
  assert.match(summary.executed, /:1-\d+$/);
  assert.ok(summary.executed.split("-").at(-1)! >= String(wanted));
  // A changed byte, wherever, and a backup that was cut short are refused.
  for (const at of [0, 9, 40, 4000, bytes.length >> 1, bytes.length - 3]) {
    const bad = Uint8Array.from(bytes);
    bad[at] = bad[at]! ^ 4;
    const machine = cluster.world.machine(`bad${at}`);
    const refused = partsOf(machine.start(), cluster.nodes[0]!);
    await assert.rejects(
      time.run(() => restore(refused, chunks(bad))),
      { name: "MalformedBytes" },
      `byte ${at}`,
    );
  }
  const cut = partsOf(cluster.world.machine("cut").start(), cluster.nodes[0]!);
  await assert.rejects(
    time.run(() => restore(cut, chunks(bytes.subarray(0, bytes.length - 20)))),
    /cut short/,
  );
});

/** A batch with entries behind the newest checkpoint, which must be read to apply it; the last one, or another. */
function neededBatch(node: SimNode, where: "end" | "middle"): StoredBatch {
  const batches = batchesOf(node.machine.disk(DATA_DIR));
  if (where === "end") return batches.at(-1)!;
  const has = ({ records }: StoredBatch, wanted: number): boolean =>
    records.some(({ type }) => type === wanted);
  const behind = batches.slice(batches.findLastIndex((one) => has(one, RecordType.CHECKPOINT)) + 1);
  const withEntries = behind.filter((one) => has(one, RecordType.ENTRY));
  assert.ok(withEntries.length >= 4, "enough is behind the newest checkpoint");
  return withEntries[1]!;
}

for (const where of ["end", "middle"] as const) {
  test(`recover --salvage keeps what lies before damage at the ${where}, once it is told to`, async () => {
    const { cluster, rest } = await loadedCluster(4, 140);
    const { time } = cluster.world;
    await rest();
    const [a] = cluster.nodes;
    const had = executed(a!);
    for (const node of cluster.nodes) node.kill();
    const disk = a!.machine.disk(DATA_DIR);
    const { path, at } = neededBatch(a!, where);
    loseSector(disk, path, at);
    const parts = partsOf(a!.machine.start(), a!);
    if (where === "end") {
      await assert.rejects(
        time.run(() => summarize(parts)),
        /recover --salvage/,
      );
    } else {
      await assert.rejects(
        time.run(() => refound(parts)),
        /recover --salvage/,
      );
      const summary = await time.run(() => summarize(parts));
      assert.ok(summary.damaged > 0);
    }
    const salvage = { ...parts, salvage: true };
    const bytes = (): readonly string[] =>
      segmentsOf(a!).map((one) => Buffer.from(bytesAt(a!, one)).toString("base64"));
    const before = bytes();
    const summary = await time.run(() => summarize(salvage));
    assert.deepEqual(bytes(), before, "nothing is written");
    const made = await time.run(() => refound(salvage));
    a!.kill();
    a!.start();
    // Not by the cluster's own judge: this drops what was acknowledged, which is why it has to be asked for.
    assert.ok(await time.runUntil(() => a!.leads, 60_000));
    assert.equal(a!.node!.core.log.identity.clusterId, made);
    const kept = a!.node!.core.state.stream.executed.clone();
    assert.ok(kept.containsSet(GtidSet.parse(summary.executed)) && !kept.isEmpty);
    assert.ok(GtidSet.parse(had).containsSet(kept));
    assert.deepEqual(a!.node!.core.log.damage, []);
    // It pulls again what the source has, once it is told to.
    assert.equal(a!.node!.core.state.settings.syncer, "stopped");
    await time.run(() => a!.node!.startSyncer());
    assert.ok(await time.runUntil(() => executed(a!) === had, 60_000));
    await hasFiles(cluster, a!);
  });
}
