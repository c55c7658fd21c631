import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationError } from "../../../../src/cluster/operations.ts";
import { CliWorld } from "../cli-support.ts";

test("cluster show tells the leader, the quorum and the bounds, then the members", async () => {
  const world = new CliWorld();
  const { exit, stdout } = await world.run("cluster", "show");
  assert.equal(exit, 0);
  assert.match(stdout, /^cluster +c1d\n/);
  assert.match(stdout, /quorum +led by n1 \(id 1\), 2 of 2 voters connected, quorum 2\n/);
  assert.match(stdout, /term +7\n/);
  assert.match(stdout, /timing +heartbeat 250 ms, election 1500 ms\n/);
  assert.match(stdout, /retention +no bound by size, 168 h by age\n/);
  assert.match(stdout, /\n\nID +NAME/);
  assert.match(stdout, / 3 +n3 +syd +learner/);
  const json = JSON.parse((await world.run("cluster", "show", "--json")).stdout) as {
    leaderName: string;
  };
  assert.equal(json.leaderName, "n1");
  world.node.leaderId = 0;
  world.node.members[1] = { ...world.node.members[1]!, connected: false };
  assert.match(
    (await world.run("cluster", "show")).stdout,
    /quorum +no leader, 1 of 2 voters connected, quorum 2\n/,
  );
});

test("transfer-leader names the new leader", async () => {
  const world = new CliWorld();
  assert.equal((await world.run("cluster", "transfer-leader")).stdout, "Member n2 (id 2) leads\n");
  const { stdout } = await world.run("cluster", "transfer-leader", "n3", "--json");
  assert.deepEqual(JSON.parse(stdout), { leaderId: 3, leaderName: "n3" });
  assert.deepEqual(world.node.calls, ["transfer ", "transfer n3"]);
  assert.equal((await world.run("cluster", "transfer-leader", "n9")).exit, 1);
  world.node.fail = new OperationError("no-quorum", "There is no leader");
  assert.equal((await world.run("cluster", "transfer-leader")).exit, 4);
});

test("retention shows without flags, and leaves what is not named", async () => {
  const world = new CliWorld();
  const shown = await world.run("cluster", "retention");
  assert.equal(shown.stdout, "by size  no bound\nby age   168 h\n");
  assert.deepEqual(world.node.calls, []);
  assert.equal(
    (await world.run("cluster", "retention", "--bytes", "100GiB")).stdout,
    "by size  100.0 GiB\nby age   168 h\n",
  );
  const json = await world.run("cluster", "retention", "--hours", "none", "--json");
  assert.deepEqual(JSON.parse(json.stdout), { bytes: 107_374_182_400, hours: null });
  await world.run("cluster", "retention", "--bytes", "none", "--hours", "24");
  assert.deepEqual(world.node.calls, [
    "retention 107374182400 168",
    "retention 107374182400 null",
    "retention null 24",
  ]);
  for (const flags of [
    ["--bytes", "much"],
    ["--bytes", "0"],
    ["--hours", "0"],
    ["--hours", "1.5"],
    ["--days", "1"],
  ]) {
    assert.equal((await world.run("cluster", "retention", ...flags)).exit, 2, flags.join(" "));
  }
  assert.equal(world.node.calls.length, 3);
});
