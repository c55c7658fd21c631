import assert from "node:assert/strict";
import { test } from "node:test";
import { waitsForNobody } from "../../../src/cluster/source-look.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { MysqlClient } from "../../../src/mysql/client.ts";
import type { SourceCheck } from "../../../src/syncer/host.ts";

async function warned(level: SourceCheck["level"], clients: number): Promise<string> {
  const rows = [
    ["Rpl_semi_sync_source_status", "ON"],
    ["Rpl_semi_sync_source_clients", String(clients)],
  ];
  const client = { query: async () => ({ rows }) } as unknown as MysqlClient;
  const checks = [{ name: "rpl_semi_sync_source_enabled", level, message: "" }];
  const empty = new GtidSet();
  const facts = { version: "", uuid: "", serverId: 1, executed: empty, purged: empty, checks };
  const found = await waitsForNobody(client, { ...facts, semiSync: true } as never);
  return found.map((check) => `${check.level} ${check.message}`).join();
}

test("doctor warns of semi-sync that is on while nobody acknowledges, and of nothing else", async () => {
  assert.match(
    await warned("ok", 0),
    /^warn Semi-sync is on .* SET GLOBAL rpl_semi_sync_source_enabled = OFF$/,
  );
  assert.equal(await warned("ok", 1), "", "another node of the cluster does");
  assert.equal(await warned("warn", 0), "", "it is off");
});
