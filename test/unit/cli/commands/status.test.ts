import assert from "node:assert/strict";
import { test } from "node:test";
import { CliWorld } from "../cli-support.ts";

test("status shows the role, the leader, the quorum and the members", async () => {
  const world = new CliWorld();
  const { exit, stdout } = await world.run("status");
  assert.equal(exit, 0);
  assert.match(
    stdout,
    /cluster +c1d, led by n1 \(id 1\), 2 of 2 voters connected, quorum 2\nraft +leader, term 1,/,
  );
  assert.match(stdout, /\n\nID +NAME/);
  assert.match(stdout, / 2 +n2 +fra +voter/);
  const json = JSON.parse((await world.run("status", "--json")).stdout) as {
    cluster: { members: unknown[] };
    clusterId: string;
  };
  assert.equal(json.cluster.members.length, 3);
  assert.equal(json.clusterId, "c1d");
});

test("a single node is no table of members", async () => {
  const world = new CliWorld();
  world.node.members = world.node.members.slice(0, 1);
  const { stdout } = await world.run("status");
  assert.match(stdout, /led by n1 \(id 1\), 1 of 1 voter connected, quorum 1\n/);
  assert.doesNotMatch(stdout, /NAME/);
});

test("on a follower the syncer is the leader's; without a leader, this node's own", async () => {
  const world = new CliWorld();
  world.node.syncerState = "STOPPED";
  world.node.leaderSyncer = { state: "RUNNING" };
  assert.match((await world.run("status")).stdout, /\nsyncer +STOPPED/);
  world.node.leaderId = 2;
  assert.match((await world.run("status")).stdout, /\nsyncer +RUNNING/);
  world.node.leaderId = 0;
  const { stdout } = await world.run("status");
  assert.match(stdout, /no leader/);
  assert.match(stdout, /\nsyncer +STOPPED/);
});
