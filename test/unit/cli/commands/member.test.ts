import assert from "node:assert/strict";
import { test } from "node:test";
import { voterWarnings } from "../../../../src/cli/commands/member.ts";
import { OperationError } from "../../../../src/cluster/operations.ts";
import { CliWorld } from "../cli-support.ts";

test("member list is a table with the roles, and says whose link is refused", async () => {
  const world = new CliWorld();
  world.node.members[1] = { ...world.node.members[1]!, refused: "another\x1b[2J disk" };
  const { exit, stdout } = await world.run("member", "list");
  assert.equal(exit, 0);
  assert.deepEqual(
    stdout.split("\n").map((line) => line.replaceAll(/ {2,}/g, " | ")),
    [
      "ID | NAME | REGION | ROLE | CONNECTED | BEHIND | SERVER | PEER | MYSQL | VERSION",
      " 1 | n1 | iad | voter, leader | this node | 0 entries | running | 10.0.0.1:4306 | 10.0.0.1:3307 | 0.1.0",
      " 2 | n2 | fra | voter | yes | 2 entries | running | 10.0.0.2:4306 | 10.0.0.2:3307 | 0.1.0",
      " 3 | n3 | syd | learner | no | - | - | 10.0.0.3:4306 | 10.0.0.3:3307 | 0.1.0",
      "! No link: n2 (id 2): another\\x1b[2J disk",
      "",
    ],
  );
  const { items } = JSON.parse((await world.run("member", "list", "--json")).stdout) as {
    items: { id: number }[];
  };
  assert.deepEqual(
    items.map((member) => member.id),
    [1, 2, 3],
  );
});

test("add, promote, demote and replace say what came of it", async () => {
  const world = new CliWorld();
  const says = async (...argv: string[]): Promise<string> => {
    const { exit, stdout, stderr } = await world.run("member", ...argv);
    assert.equal(exit, 0, stderr);
    return stdout;
  };
  assert.equal(
    await says("add", "10.0.0.4:4306"),
    "Member n4 (id 4) is added as a learner\n" + "Once it is caught up: binraft member promote 4\n",
  );
  const promoted = await says("promote", "n3");
  assert.match(
    promoted,
    /^Member n3 \(id 3\) is a voter\n! 2 voters stand no more failures than 1 voter/,
  );
  assert.match(await says("demote", "2"), /^Member n2 \(id 2\) is a learner\n/);
  assert.equal(await says("replace", "n2", "n3"), "Member n3 (id 3) is a voter instead of n2\n");
  assert.equal((JSON.parse(await says("promote", "n3", "--json")) as { id: number }).id, 3);
  assert.deepEqual(world.node.calls, [
    "add 10.0.0.4:4306",
    "promote n3",
    "demote 2",
    "replace n2 n3",
    "promote n3",
  ]);
});

test("member remove only explains until the member is named again", async () => {
  const world = new CliWorld();
  const asked = await world.run("member", "remove", "n2");
  assert.equal(asked.exit, 2);
  assert.match(asked.stdout, /member +n2 \(id 2\)\n/);
  assert.match(asked.stdout, /voters then +1, of which 0 may fail\n/);
  assert.match(
    asked.stdout,
    /Nothing was changed. To do it:\n {2}binraft member remove 2 --confirm n2\n/,
  );
  const learner = await world.run("member", "remove", "n3");
  assert.match(learner.stdout, /voters then +2, of which 0 may fail\n/);
  const json = JSON.parse((await world.run("member", "remove", "2", "--json")).stdout) as {
    code: string;
    command: string;
  };
  assert.deepEqual([json.code, json.command], ["BR5002", "binraft member remove 2 --confirm n2"]);
  const wrong = await world.run("member", "remove", "n2", "--confirm", "n3");
  assert.equal(wrong.exit, 2);
  assert.match(wrong.stderr, /--confirm says "n3", but the member is n2 \(id 2\) \(BR5002\)/);
  assert.deepEqual(world.node.calls, []);

  const removed = await world.run("member", "remove", "n2", "--confirm", "n2");
  assert.equal(removed.exit, 0);
  assert.equal(removed.stdout, "Member n2 (id 2) is removed\n");
  assert.equal((await world.run("member", "remove", "n3", "--confirm", "3", "--json")).exit, 0);
  assert.deepEqual(world.node.calls, ["remove-member 2", "remove-member 3"]);
  const again = await world.run("member", "remove", "n2", "--confirm", "n2");
  assert.equal(again.exit, 1);
  assert.match(again.stderr, /There is no member "n2" \(BR4007\)\n {2}next: binraft member list/);
});

test("exit codes: refused 1, wrong use 2, unreachable 3, no quorum 4", async () => {
  const world = new CliWorld();
  world.node.fail = new OperationError("conflict", "It is not caught up", "wait for it");
  const refused = await world.run("member", "promote", "n3");
  assert.equal(refused.exit, 1);
  assert.equal(refused.stderr, "binraft: It is not caught up (BR4008)\n  next: wait for it\n");
  for (const argv of [
    ["add"],
    ["promote"],
    ["demote"],
    ["replace", "n2"],
    ["remove"],
    ["ad", "x"],
    [],
  ])
    assert.equal((await world.run("member", ...argv)).exit, 2, argv.join(" "));
  assert.equal((await world.run("member", "add", "nowhere")).exit, 1);
  world.node.fail = new OperationError("no-quorum", "There is no leader");
  assert.equal((await world.run("member", "add", "10.0.0.4:4306")).exit, 4);
  assert.equal((await world.run("member", "remove", "n2", "--confirm", "n2")).exit, 4);
  assert.equal((await world.run("member", "list")).exit, 0);
  world.up = false;
  assert.equal((await world.run("member", "list")).exit, 3);
});

test("an even number of voters, and a region without which nothing is committed, are warned of", () => {
  const warnings = (...regions: readonly string[]): number => {
    const voters = regions.map((region) => ({ region, role: "voter" }));
    const members = [...voters, { region: "syd", role: "learner" }] as never;
    return voterWarnings({ members }).length;
  };
  assert.equal(warnings("iad"), 0);
  assert.equal(warnings("iad", "fra", "lhr"), 0);
  assert.equal(warnings("iad", "fra", "lhr", "sin"), 1);
  assert.equal(warnings("iad", "iad", "fra"), 1);
  assert.equal(warnings("iad", "iad", "fra", "lhr"), 2);
  assert.equal(warnings("iad", "iad", "fra", "fra", "lhr"), 0);
  const oneRegion = ["a", "a", "a"].map((region) => ({ region, role: "voter" }));
  assert.equal(voterWarnings({ members: oneRegion as never }).length, 0, "that was meant");
});
