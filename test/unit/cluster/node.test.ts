import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/base/bytes.ts";
import type { AccountSettings } from "../../../src/cluster/command.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import { LogStreamReader } from "../../../src/cluster/stream-reader.ts";
import { encodeGtidSet } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { createVerifiers } from "../../../src/mysql/auth/verifier.ts";
import { connect } from "../../../src/mysql/client.ts";
import { encodeDumpGtid } from "../../../src/mysql/commands.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { StreamPurged } from "../../../src/server/stream.ts";
import { hasFiles, loadedCluster } from "./loaded-cluster.ts";
import { running } from "./sim-nodes.ts";
import { NodeWorld } from "./world-node.ts";
import { WorldSource } from "./world-source.ts";

const HOUR_MS = 3_600_000;

const DAY_MS = 24 * 3_600_000;

test("A node scrubs its log until it stops, and shows what was found", async () => {
  const world = new NodeWorld(1);
  const { time } = world.world;
  const node = await world.start();
  assert.ok(await time.runUntil(() => node.notReady() === null, 10_000));
  for (let i = 0; node.status().storage.segments < 3; i++) {
    await time.run(() => node.setAccount(`account${i}`, { sha2: "ab".repeat(32), native: null }));
  }
  const disk = world.machine.disk("data");
  const [oldest] = disk.image
    .list("log")
    .filter((file) => file.endsWith(".seg"))
    .sort();
  // A sector of it: a single byte could be one of the padding.
  disk.faults.bitFlips = Array.from({ length: 512 }, (_, i) => ({
    path: `log/${oldest}`,
    offset: 32_768 + i,
    mask: 1,
  }));
  assert.deepEqual(node.status().storage.damage, []);
  await time.advance(3_600_000);
  assert.equal(node.status().storage.damage.length, 1);
  assert.ok(node.status().alarms.some((alarm) => /damaged on this disk/.test(alarm)));
  assert.equal(world.lines.filter((line) => /^error .*damaged/.test(line)).length, 1);
  await time.run(() => node.stop());
  const { steps } = time;
  await time.advance(2 * DAY_MS);
  assert.equal(time.steps, steps, "nothing is left running");
});

test("A full disk is said once, and once that there is space again", async () => {
  const world = new NodeWorld(8);
  const { time } = world.world;
  const node = await world.start();
  assert.ok(await time.runUntil(() => node.notReady() === null, 10_000));
  const { faults, image } = world.machine.disk("data");
  faults.capacityBytes = image.usedBytes();
  const waiting: Promise<void>[] = [];
  const said = (text: RegExp): number => world.lines.filter((line) => text.test(line)).length;
  for (let i = 0; i < 1000 && said(/disk is full/) === 0; i++) {
    waiting.push(node.setAccount(`account${i}`, { sha2: "ab".repeat(32), native: null }));
    await time.advance(10);
  }
  await time.advance(60_000);
  assert.equal(said(/^error The disk is full \(BR1203\)/), 1);
  assert.equal(said(/There is space on the disk again/), 0);
  faults.capacityBytes = Number.POSITIVE_INFINITY;
  await time.run(() => Promise.all(waiting));
  await time.runUntil(() => said(/^info There is space on the disk again/) > 0, 60_000);
  assert.equal(said(/^info There is space on the disk again/), 1);
  await time.run(() => node.stop());
});

const A = "aaaaaaaa-0000-0000-0000-000000000001";
const B = "bbbbbbbb-0000-0000-0000-000000000002";

function account(platform: Platform): AccountSettings {
  const { sha2, native } = createVerifiers(platform.crypto, "secret", { native: true });
  return { sha2: toHex(sha2), native: toHex(native!) };
}

/** A replica comes, reads some of the first file, and leaves; then a second file begins. */
async function leftBehind(
  world: NodeWorld,
  keepForAbsentHours: number,
): Promise<{ node: RunningNode; files: () => string[] }> {
  const { time } = world.world;
  const platform = world.world.machine("replica").start();
  const first = await time.run(() => WorldSource.start(world.world, "first", A, ""));
  const second = await time.run(() => WorldSource.start(world.world, "second", B, ""));
  for (let gno = 1; gno <= 5; gno++) {
    first.commit(A, gno);
    second.commit(A, gno);
  }
  const node = await world.start({
    source: first.settings(world.machine),
    accounts: new Map([["repl", account(platform)]]),
    retentionHours: 1,
    keepForAbsentHours,
  });
  assert.ok(await time.runUntil(() => node.gtid().executed === `${A}:1-5`, 30_000));
  const client = await time.run(() =>
    connect(
      {
        ...node.mysqlAddress,
        user: "repl",
        password: "secret",
        tls: { mode: "disabled" },
        nativePassword: true,
      },
      platform,
    ),
  );
  const uuid = "cccccccc-0000-0000-0000-000000000003";
  await time.run(() => client.query(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`));
  await time.run(() => client.query("SET @source_binlog_checksum = 'CRC32'"));
  const gtids = encodeGtidSet(GtidSet.parse(`${A}:1-3`), "auto");
  client.connection.writeCommand(
    encodeDumpGtid({ flags: 0, serverId: 77, file: "", position: 4n, gtids }),
  );
  await time.run(() => client.connection.readPacket());
  assert.equal(node.replicas().length, 1);
  client.connection.destroy();
  assert.ok(await time.runUntil(() => node.replicas().length === 0, 30_000));
  await time.run(() => node.setSource(second.settings(world.machine)));
  assert.ok(await time.runUntil(() => node.files().length === 2, 30_000), world.lines.join());
  return { node, files: () => node.files().map((file) => file.name) };
}

test("Retention keeps what a replica that left will ask for, and only so long", async () => {
  const world = new NodeWorld(5);
  const { time } = world.world;
  const { node, files } = await leftBehind(world, 24);
  const both = files();
  await time.advance(20 * HOUR_MS);
  assert.deepEqual(files(), both);
  await time.advance(5 * HOUR_MS);
  assert.deepEqual(files(), both.slice(1));
  await time.run(() => node.stop());
});

test("Retention forgets a replica at once when it is told to", async () => {
  const world = new NodeWorld(6);
  const { time } = world.world;
  const { node, files } = await leftBehind(world, 0);
  const both = files();
  await time.advance(3 * HOUR_MS);
  assert.deepEqual(files(), both.slice(1));
  await time.run(() => node.stop());
});

test("A node that was removed knows it at once when it starts again, with nobody to tell it", async () => {
  const { cluster } = await loadedCluster(1, 300);
  const { time, network } = cluster.world;
  const leader = cluster.leader()!;
  const gone = cluster.nodes.find((node) => node !== leader)!;
  const { raftId } = gone.node!.core.log.identity;
  await time.run(() => leader.node!.removeMember(String(raftId)));
  await cluster.until("it has applied that", () => gone.node!.notReady() !== null);
  await time.run(() => gone.node!.stop());
  gone.kill();
  network.partition(
    [gone.name],
    ["n1", "n2", "n3"].filter((name) => name !== gone.name),
  );
  gone.start();
  await cluster.until("it runs", () => gone.node !== null);
  assert.match(gone.node!.notReady()!, /was removed from the cluster/);
  assert.equal(gone.node!.status().server.listening, false);
});

test("A node that stops between a purge and the unlinking of its segments makes up for it", async () => {
  const { cluster } = await loadedCluster(1, 300);
  const node = cluster.nodes.find((one) => !one.leads)!;
  cluster.rotateSource();
  await cluster.until("a second file", () => node.node?.files().length === 2);
  const caught = cluster.acked + 100;
  await cluster.until("more", () => cluster.acked > caught);
  const [, second] = node.node!.files();
  let stopped: Promise<void> | null = null;
  node.node!.core.driver.observe({
    commandApplied: ({ type }) => {
      // Its checkpoint is behind the purge then: the next start does not apply it again.
      if (type === "purge") stopped = node.node!.stop();
    },
  });
  await cluster.world.time.run(() => cluster.leader()!.node!.purge(second!.name, false));
  await cluster.until("it to stop", () => stopped !== null);
  await cluster.world.time.run(() => stopped!);
  assert.equal(node.log!.firstIndex, 1, "nothing was unlinked yet");
  node.kill();
  node.start();
  await cluster.until("the old segments to go", () => (node.node?.core.log.firstIndex ?? 0) > 1);
  assert.equal(node.node!.files()[0]!.name, second!.name);
});

test("Who reads in a file that is purged is told so, and never goes on in the next one", async () => {
  const { cluster, rest } = await loadedCluster(1, 30);
  const { acked } = cluster;
  cluster.rotateSource();
  await cluster.until("more", () => cluster.acked > acked + 30);
  await rest();
  const node = cluster.leader()!.node!;
  const { core } = node;
  const [first, second] = node.files();
  const reader = new LogStreamReader(core.log, core.state.stream, first!.startEntry + 1);
  await cluster.world.time.run(() => node.purge(second!.name, false));
  assert.ok(core.log.firstIndex < second!.startEntry, "its bytes are still here, in part");
  await cluster.world.time.run(() => assert.rejects(reader.next(), StreamPurged));
  const start = new LogStreamReader(core.log, core.state.stream, second!.startEntry);
  const batch = await cluster.world.time.run(() => start.next());
  assert.equal(batch!.pieces[0]!.file.name, second!.name);
  batch!.release();
});

test("A pull that breaks inside a large transaction leaves a tail that no replica gets", async () => {
  const { cluster, rest } = await loadedCluster(1, 20);
  const plan = cluster.plan as { largeBytes: number; commitEveryMs: number };
  plan.largeBytes = 2_500_000;
  plan.commitEveryMs = 100;
  const stream = () => running(cluster.leader()!).core.state.stream;
  // What begins the transaction has come when the connection breaks, and its end has not.
  cluster.source.eventDelayMs = () => 20;
  for (let broken = 0; broken < 2; broken++) {
    await cluster.until("a chunk of an unfinished transaction", () => stream().open !== null);
    cluster.source.cutDumps();
    await cluster.until("the next pull", () => stream().open === null);
  }
  cluster.source.eventDelayMs = () => 0;
  assert.ok(stream().dead.length >= 2);
  await rest();
  const { gno } = stream().last!;
  await cluster.until("replicas have all", () =>
    cluster.replicas.every(({ at }) => at === Number(gno)),
  );
  for (const node of cluster.nodes) assert.equal((await hasFiles(cluster, node)).length, 1);
});

test("A leader that is cut off from the others does not ask the source for a dump", async () => {
  const { cluster, rest } = await loadedCluster(3, 20);
  // Nothing waits to be committed: what it holds alone does not keep it from asking.
  await rest();
  const leader = cluster.leader()!;
  const others = cluster.nodes.filter((node) => node !== leader);
  cluster.world.network.partition(
    [leader.name],
    others.map(({ name }) => name),
  );
  cluster.source.cutDumps();
  let dumps = 0;
  await cluster.until("another leader", () => {
    dumps = Math.max(dumps, cluster.source.dumps);
    return others.some((node) => node.leads);
  });
  assert.equal(dumps, 0);
  await cluster.until("the other pulls", () => cluster.source.dumps === 1);
});
