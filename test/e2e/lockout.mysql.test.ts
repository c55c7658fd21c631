/** The leader is killed beside statements under which the source lets nobody new in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { createSourceUser, LocalNode, sourceSettings } from "../support/local-node.ts";
import { lockoutRounds } from "../support/lockout-rounds.ts";
import { waitFor } from "../support/wait-for.ts";

const ROUNDS = 2;

test("The kept connection has a name of its own at the source, and can be switched off", async () => {
  const source = await MysqlServer.start({ serverId: 1, args: ["--performance-schema=ON"] });
  await createSourceUser(source);
  const sql =
    "SELECT COUNT(*) FROM performance_schema.session_connect_attrs " +
    "WHERE attr_name = 'program_name' AND attr_value = 'binraft-kept'";
  const node = await LocalNode.start({ source: sourceSettings(source) });
  try {
    const isReady = (): boolean => node.node.status().syncer.kept.state === "ready";
    await waitFor(async () => isReady() && (await source.value(sql)) === "1", {
      deadlineMs: 20_000,
      what: "the kept connection",
    });
    assert.equal((await source.query("SHOW REPLICAS")).length, 1, "it is registered");
    await node.node.setSource({ keepConnection: false });
    await waitFor(async () => (await source.value(sql)) === "0", {
      deadlineMs: 20_000,
      what: "the kept connection to end",
    });
  } finally {
    await node.stop();
    await source.remove();
  }
});

test(`${ROUNDS} SIGKILLs of the leader beside CREATE USER and SET GLOBAL: commits go on by themselves`, async (t) => {
  const report = await lockoutRounds(ROUNDS, (line) => t.diagnostic(line));
  t.diagnostic(JSON.stringify(report));
  assert.equal(report.lost, 0);
});
