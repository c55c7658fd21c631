import assert from "node:assert/strict";
import { test } from "node:test";
import { CliWorld } from "../cli-support.ts";

test("cluster placement shows who votes, who should, why, and how far it is", async () => {
  const world = new CliWorld();
  const { exit, stdout } = await world.run("cluster", "placement");
  assert.equal(exit, 0);
  assert.match(stdout, /voters +n1, n2 \(3 wanted\)\n/);
  assert.match(stdout, /leader region +iad\n/);
  assert.match(stdout, /! 2 voters stand no more losses than 1\n/);
  assert.match(stdout, /Plan: n1, n2, n3\n {2}3 voters in 3 regions\n {2}Gets a vote: n3\n/);
  assert.match(stdout, /binraft cluster placement --apply makes it so/);
  assert.match(stdout, /fra +iad +91.3 +measured\nfra +syd +250 +estimated\n/);
  const json = JSON.parse((await world.run("cluster", "placement", "--json")).stdout) as object;
  assert.ok("plan" in json);
});

test("cluster placement changes what it is told, and applies the plan", async () => {
  const world = new CliWorld();
  const args = ["--mode", "auto", "--voters", "5", "--leader-region", "", "--apply"];
  assert.equal((await world.run("cluster", "placement", ...args)).exit, 0);
  assert.deepEqual(world.node.calls, [
    'placement {"mode":"auto","voters":5,"leaderRegion":null}',
    "apply placement",
  ]);
  for (const wrong of [
    ["--mode", "often"],
    ["--voters", "4"],
  ])
    assert.equal((await world.run("cluster", "placement", ...wrong)).exit, 2);
});

test("cluster nearest lists addresses, the nearest first", async () => {
  const world = new CliWorld();
  const { stdout } = await world.run("cluster", "nearest", "fra");
  assert.match(
    stdout,
    /^ID +NAME +REGION +RTT MS +BEHIND +MYSQL\n 2 +fra +fra +2 +4 +10.0.0.2:3307\n$/,
  );
  assert.equal((await world.run("cluster", "nearest")).exit, 2);
});
