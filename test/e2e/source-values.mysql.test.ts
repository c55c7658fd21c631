/**
 * What row events hold and how a source reads SQL a client asks the server that it reads from: every
 * node says what its source says, also when somebody changes it there meanwhile.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { NodeProcess } from "../../demo/node-process.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { toHex } from "../../src/base/bytes.ts";
import { createVerifiers } from "../../src/mysql/auth/verifier.ts";
import { connect } from "../../src/mysql/client.ts";
import { SOURCE_VALUE_NAMES } from "../../src/mysql/source-values.ts";
import { ACCOUNT, SOURCE_USER } from "../support/local-node.ts";
import { MysqlCluster } from "../support/mysql-cluster.ts";
import { waitFor } from "../support/wait-for.ts";

/** A source is asked every ten seconds, and a format is lifted once all members have said theirs. */
const FOLLOWS_MS = 60_000;
const platform = nodePlatform();
let made: MysqlCluster;

before(async () => {
  made = await MysqlCluster.start();
});

after(() => made?.stop());

async function ask(node: NodeProcess, sql: string): Promise<(string | null)[][]> {
  const tls = { mode: "disabled" } as const;
  const client = await connect(
    { host: "127.0.0.1", port: node.mysqlPort, ...ACCOUNT, tls },
    platform,
  );
  try {
    return (await client.query(sql)).rows.map((row) => [...row]);
  } finally {
    client.close();
  }
}

async function allSay(sql: string): Promise<void> {
  const wanted = await made.source.query(sql);
  for (const node of made.cluster.nodes) {
    await waitFor(
      async () => {
        assert.deepEqual(await ask(node, sql), wanted);
        return true;
      },
      { deadlineMs: FOLLOWS_MS, what: `${node.name} to say what the source says` },
    );
  }
}

const SOURCES = SOURCE_VALUE_NAMES.map((name) => `'${name}'`).join();
const SHOW = `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${SOURCES})`;
const SELECT =
  "SELECT @@GLOBAL.binlog_row_metadata, @@GLOBAL.binlog_row_image, @@GLOBAL.binlog_row_value_options, " +
  "@@GLOBAL.sql_mode, @@GLOBAL.collation_server, @@GLOBAL.lower_case_table_names, " +
  "@@GLOBAL.binlog_expire_logs_seconds, @@GLOBAL.max_allowed_packet, @@GLOBAL.version_comment";

test("all nodes say what the source says", async () => {
  await allSay(SHOW);
  await allSay(SELECT);
});

test("all nodes follow what somebody changes at the source", async () => {
  for (const change of [
    "binlog_row_metadata = 'FULL'",
    "binlog_row_image = 'MINIMAL'",
    "binlog_row_value_options = 'PARTIAL_JSON'",
    "sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'",
    "collation_server = 'utf8mb4_bin'",
    "binlog_expire_logs_seconds = 86400",
    "max_allowed_packet = 16777216",
    "binlog_rows_query_log_events = ON",
  ])
    await made.source.exec(`SET GLOBAL ${change}`);
  await allSay(SHOW);
  await allSay(SELECT);
});

test("an account that an operator lets ask about tables is answered by each node", async () => {
  await made.source.exec(`GRANT REFERENCES ON shop.* TO ${SOURCE_USER.user}`);
  const sql = "SHOW CREATE TABLE shop.orders";
  const leader = await made.cluster.leader();
  await assert.rejects(ask(leader, sql), { errno: 1146 });
  const verifiers = createVerifiers(platform.crypto, ACCOUNT.password, { native: false });
  const body = { sha2: toHex(verifiers.sha2), native: null, metadata: true };
  const answer = await leader.fetch(`/v1/accounts/${ACCOUNT.user}`, {
    method: "PUT",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  assert.equal(answer.status, 200);
  await allSay(sql);
});

test("the next leader says it, and follows on", async () => {
  const leader = await made.cluster.leader();
  await leader.kill();
  await made.cluster.leader();
  await made.source.exec("SET GLOBAL binlog_row_image = 'NOBLOB'");
  await leader.start();
  await allSay(SHOW);
});
