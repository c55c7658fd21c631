import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationError } from "../../../../src/cluster/operations.ts";
import { CliWorld } from "../cli-support.ts";

test("server stop and start show how the server is then", async () => {
  const world = new CliWorld();
  assert.match((await world.run("server", "stop")).stdout, /^address +not listening\n/);
  assert.match((await world.run("server", "show")).stdout, /^address +not listening\n/);
  const { stdout } = await world.run("server", "start", "--json");
  assert.equal((JSON.parse(stdout) as { listening: boolean }).listening, true);
  assert.match((await world.run("server", "show")).stdout, /^address +127\.0\.0\.1:3307\n/);
  assert.deepEqual(world.node.calls, ["server stop", "server start"]);
  world.node.fail = new OperationError("unavailable", "The node is stopping");
  assert.equal((await world.run("server", "start")).exit, 1);
});
