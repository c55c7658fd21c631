/** The connection that is logged in before it is needed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeCluster } from "../../sim/nodes/cluster.ts";
import type { SimNode } from "../../sim/nodes/node.ts";
import { loadedCluster } from "../cluster/loaded-cluster.ts";
import { idOf, leaderOf, running, SimNodes } from "../cluster/sim-nodes.ts";
import { WorldSource } from "../cluster/world-source.ts";
import { A, Pulling } from "./pulling.ts";

const allReady = (cluster: NodeCluster): boolean =>
  cluster.nodes.every(({ node }) => node?.status().syncer.kept.state === "ready");

test("A new leader pulls and acknowledges on it while the source lets nobody in", async () => {
  const { cluster } = await loadedCluster(1, 20, { commitEveryMs: 200 });
  const { source, world } = cluster;
  await cluster.until("each voter keeps one", () => allReady(cluster));
  const old = cluster.leader()!;
  const before = source.connections;
  source.lockOut();
  old.kill();
  const { acked } = cluster;
  await cluster.until("commits go on", () => cluster.acked > acked + 10);
  // What cannot be asked meanwhile does not end the pull.
  await world.time.advance(120_000);
  const more = cluster.acked;
  await cluster.until("and on", () => cluster.acked > more + 10);
  assert.equal(source.connections, before, "nobody logged in");
  const { syncer, alarms } = running(cluster.leader()!).status();
  assert.equal(syncer.state, "RUNNING");
  assert.ok(syncer.loginHangs);
  assert.match(alarms.join(), /lets nobody log in.*rpl_semi_sync_source_enabled = OFF/);
  source.letIn();
  old.start();
  await cluster.until("each voter keeps one again", () => allReady(cluster));
  assert.equal(running(cluster.leader()!).status().syncer.loginHangs, false);
});

test("Switched off, commits wait until the source lets somebody in, and an alarm says why", async () => {
  const { cluster } = await loadedCluster(1, 20, { commitEveryMs: 200 });
  const { source, world } = cluster;
  await world.time.run(() => running(cluster.leader()!).setSource({ keepConnection: false }));
  const { acked: then } = cluster;
  await cluster.until("it pulls again", () => cluster.acked > then);
  for (const { node } of cluster.nodes) assert.equal(node!.status().syncer.kept.state, "off");
  source.lockOut();
  cluster.leader()!.kill();
  await cluster.until("another leader", () => cluster.leader() !== null);
  await world.time.advance(1_000);
  const { acked } = cluster;
  await world.time.advance(60_000);
  assert.equal(cluster.acked, acked);
  assert.match(running(cluster.leader()!).status().alarms.join(), /lets nobody log in/);
  source.letIn();
  await cluster.until("commits go on", () => cluster.acked > acked);
});

test("A learner keeps none until it is promoted, and one that is removed drops its own", async () => {
  const world = new SimNodes(1);
  const { time } = world.world;
  const source = await time.run(() => WorldSource.start(world.world, "source", A, ""));
  const leader = world.add("n1", { bootstrap: true });
  await world.until("it leads", () => leader.leads);
  const learner = world.add("n2", { join: ["n1"] });
  for (const { machine } of [leader, learner]) source.settings(machine);
  await world.run(() => running(leader).setSource(source.settings(leader.machine)));
  const kept = (node: SimNode): string => running(node).status().syncer.kept.state;
  await world.until("it joined", () => leaderOf(learner) > 0);
  await world.until("the leader keeps one", () => kept(leader) === "ready");
  await time.advance(60_000);
  assert.equal(kept(learner), "off");
  const id = String(idOf(learner));
  await world.run(() => running(leader).promoteMember(id));
  await world.until("the second voter keeps one", () => kept(learner) === "ready");
  await world.run(() => running(leader).removeMember(id));
  await world.until("it drops it", () => kept(learner) === "off");
});

test("It is opened anew when it breaks, and when the settings change", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source, time, node } = pulling;
  const ready = (): boolean => pulling.syncer.kept.state === "ready";
  await pulling.until(ready);
  const before = source.connections;
  source.cutIdle();
  await pulling.until(() => !ready());
  await pulling.until(ready);
  assert.ok(source.connections > before);
  // Pings keep it over hours; now and then a new one takes its place.
  const { connections } = source;
  await time.advance(3_600_000);
  assert.ok(ready());
  assert.ok(source.connections > connections && source.connections <= connections + 12);
  await time.run(() => node.setSource({ keepConnection: false }));
  await pulling.until(() => pulling.syncer.kept.state === "off");
  await time.run(() => node.setSource({ keepConnection: true }));
  await pulling.until(ready);
  await time.run(() => node.stopSyncer());
  await pulling.until(() => pulling.syncer.kept.state === "off");
  await time.advance(5_000);
  assert.equal(source.open, 0);
  await time.run(() => node.startSyncer());
  await pulling.until(ready);
  await pulling.stop();
  await time.advance(5_000);
  assert.equal(source.open, 0);
});

test("A pull that breaks is taken up on it, where nothing else has to be asked", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source } = pulling;
  await pulling.until(() => pulling.syncer.kept.state === "ready");
  source.lockOut();
  source.cutDumps();
  source.commit(A, 2);
  await pulling.has(source);
  source.letIn();
  await pulling.stop();
});

test("What it cannot prove the normal attach decides", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source, world } = pulling;
  const before = source.copy();
  source.commit(A, 2);
  await pulling.has(source);
  await pulling.until(() => pulling.syncer.kept.state === "ready");
  // No real server keeps a connection over that.
  source.putBack(before);
  source.commit(A, 2, 40, { seed: 99 });
  await pulling.is("FORK");
  assert.ok(world.lines.some((line) => /kept connection did not do.*used numbers/.test(line)));
  await pulling.stop();
});

test("Its state is not of another source", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source, time, node } = pulling;
  await pulling.until(() => pulling.syncer.kept.state === "ready");
  const other = await pulling.another("bbbbbbbb-0000-0000-0000-000000000002", `${A}:1`);
  await time.run(() => node.setSource(other.settings(pulling.world.machine)));
  await pulling.until(() => other.open > 0 && pulling.syncer.kept.state === "ready");
  await time.advance(5_000);
  assert.equal(source.open, 0);
  assert.equal(other.open, 3, "the pull, the questions, and the kept one");
  await pulling.stop();
});

test("One that was refused is opened as soon as the settings are right again", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { time, node } = pulling;
  const { user } = node.source()!;
  const kept = (): string => `${pulling.syncer.kept.state} ${pulling.syncer.kept.reason}`;
  await pulling.until(() => kept() === "ready ");
  await time.run(() => node.setSource({ user: "somebody" }));
  await pulling.until(() => /^connecting .+/.test(kept()));
  await time.advance(20_000);
  await time.run(() => node.setSource({ user }));
  await pulling.until(() => kept() === "ready ");
  await pulling.stop();
});
