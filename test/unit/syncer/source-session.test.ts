/** How a session connects: side by side once it may, and no more than it needs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeWorld } from "../cluster/world-node.ts";
import { WorldSource } from "../cluster/world-source.ts";

const A = "aaaaaaaa-0000-0000-0000-000000000001";

test("a wrong password is tried once an attempt", async () => {
  const world = new NodeWorld(4);
  const { time } = world.world;
  const source = await time.run(() => WorldSource.start(world.world, "source", A, ""));
  const settings = source.settings(world.machine);
  world.machine.process.env["BINRAFT_SOURCE_PASSWORD"] = "another";
  const node = await world.start({ source: settings });
  assert.ok(await time.runUntil(() => node.status().syncer.attempts >= 3, 120_000));
  await time.advance(500);
  // And once for the connection that is kept.
  assert.ok(source.connections <= node.status().syncer.attempts + 1);
  assert.equal(source.open, 0);
  await time.run(() => node.stop());
});

test("the connections of an attach open beside each other, and what it did not need is closed", async () => {
  const world = new NodeWorld(5);
  const { time, network } = world.world;
  const source = await time.run(() => WorldSource.start(world.world, "source", A, ""));
  const name = world.machine.name;
  network.setLink(name, "source", { latencyMs: 120 });
  network.setLink("source", name, { latencyMs: 120 });
  let most = 0;
  const settings = { ...source.settings(world.machine), keepConnection: false };
  const node = await world.start({ source: settings });
  const runs = (): boolean => {
    // Before any dump was asked for.
    if (source.dumps === 0) most = Math.max(most, source.open);
    return node.status().syncer.state === "RUNNING";
  };
  assert.ok(await time.runUntil(runs, 60_000));
  assert.equal(most, 4);
  await time.advance(5_000);
  assert.equal(source.connections, 4, "no further one was opened");
  // The one that is asked now and then, and the dump; this source ends a question's itself.
  assert.equal(source.open, 2);
  await time.run(() => node.stop());
  await time.advance(5_000);
  assert.equal(source.open, 0);
});
