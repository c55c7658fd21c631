import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeState } from "../../../src/cluster/node-state.ts";
import { EMPTY_CONF_STATE } from "../../../src/raft/types.ts";
import { leaderOf, running, SimNodes } from "../cluster/sim-nodes.ts";
import { WorldSource } from "../cluster/world-source.ts";
import { A, Pulling } from "./pulling.ts";

const valuesOf = ({ node }: Pulling) => node.core.state.settings.sourceValues;

test("what the source says of itself is kept at the attach, followed, and there after a restart", async () => {
  const pulling = await Pulling.start((source) => {
    source.variables.set("binlog_row_image", "MINIMAL");
    source.variables.set("sql_mode", "ANSI");
    source.commit(A, 1);
  });
  await pulling.until(() => Object.keys(valuesOf(pulling)).length > 0);
  assert.deepEqual(valuesOf(pulling), {
    binlog_format: "ROW",
    binlog_row_image: "MINIMAL",
    sql_mode: "ANSI",
  });
  pulling.source.variables.set("sql_mode", "");
  await pulling.until(() => valuesOf(pulling)["sql_mode"] === "");

  const { applied } = pulling.node.core.state.stream;
  await pulling.time.advance(120_000);
  assert.equal(pulling.node.core.state.stream.applied, applied, "what has not changed is not said");
  await pulling.away(() => pulling.source.crash());
  assert.equal(valuesOf(pulling)["binlog_row_image"], "MINIMAL");
  await pulling.stop();
});

test("source values reach followers, once every member reads their format", async () => {
  const world = new SimNodes(1);
  const leader = await world.formed(3);
  const source = await world.run(() => WorldSource.start(world.world, "source", A, ""));
  const core = running(leader).core;
  await world.run(() => running(leader).setSource(source.settings(leader.machine)));
  source.commit(A, 1);
  const known = (): boolean =>
    world.nodes.every(
      (node) => running(node).core.state.settings.sourceValues["binlog_format"] === "ROW",
    );
  await world.until("all know", known);
  assert.equal(leaderOf(leader), core.log.identity.raftId);

  const { members } = core.state;
  const [id, member] = [...members].find(([one]) => one !== core.log.identity.raftId)!;
  core.state.formatVersion = 2;
  members.set(id, { ...member, formatVersion: 2 });
  source.variables.set("binlog_format", "STATEMENT");
  await world.world.time.advance(60_000);
  assert.equal(core.state.settings.sourceValues["binlog_format"], "ROW", "it is not written");
});

test("source values are in a checkpoint", () => {
  const state = new NodeState({ conf: { ...EMPTY_CONF_STATE, voters: [1] }, members: [] });
  state.applyCommand(1, { type: "set-source-values", values: { sql_mode: "ANSI" } });
  assert.deepEqual(NodeState.decode(state.encode()).settings.sourceValues, { sql_mode: "ANSI" });
});
