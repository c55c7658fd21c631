/** Operators and functions; what a 9.7.4 server answers, which test/e2e/statements.mysql.test.ts asks. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { MysqlClient } from "../../../src/mysql/client.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { EXPRESSIONS, FAILING_EXPRESSIONS } from "../../support/client-statements.ts";
import { client, type Running, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

let run: Running;
let sql: MysqlClient;

before(async () => {
  const stream = new MemoryStream(SOURCE, "9.7.4-2");
  stream.addFile(new FileMaker("").transactions(1, 3).file, "binlog.000001");
  run = await serve(stream);
  sql = await client(run.port);
});
after(async () => {
  sql.close();
  await run.stop();
});

async function errno(text: string): Promise<number> {
  try {
    await sql.query(text);
    return 0;
  } catch (error) {
    assert.ok(error instanceof MysqlError, String(error));
    return error.errno;
  }
}

test("expressions", async () => {
  for (const [expression, want] of EXPRESSIONS) {
    const { rows } = await sql.query(`SELECT ${expression}`);
    assert.deepEqual(rows, [[want]], expression);
  }
});

test("expressions that fail", async () => {
  for (const [expression, want] of FAILING_EXPRESSIONS) {
    assert.equal(await errno(`SELECT ${expression}`), want, expression);
  }
});

test("a set sql_mode of MariaDB Connector/J, and what Orchestrator asks first", async () => {
  assert.equal(await errno("SET sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')"), 0);
  const { rows } = await sql.query(
    "select @@global.hostname, ifnull(@@global.report_host, ''), @@report_port, @@global.read_only",
  );
  assert.equal(rows[0]![1], "");
  assert.equal(rows[0]![2], String(run.port));
});

test("user variables keep their type", async () => {
  await sql.query("SET @i = 7, @d = 1.50, @t = '7', @n = NULL");
  assert.deepEqual((await sql.query("SELECT @i / 2, @d + 1, @t + 1, @n + 1")).rows, [
    ["3.5000", "2.50", "8", null],
  ]);
});

/** A text of about 64,000 bytes with gaps between all numbers. */
function longSet(): string {
  let out = SOURCE;
  for (let i = 1; out.length < 60_000; i += 2) out += `:${i}`;
  return out;
}

test("a statement that would hold the node is cut off, and the connection lives", async () => {
  await sql.query(`SET @a = '${longSet()}'`);
  // Parsed once, however often it is named.
  const often = Array.from({ length: 60 }, () => "GTID_SUBSET(@a, @a)").join(", ");
  assert.equal((await sql.query(`SELECT ${often}`)).rows[0]!.length, 60);
  // Each a text of its own.
  const one = (i: number): string => `CONCAT(@a,':',${i})`;
  const parts = Array.from(
    { length: 80 },
    (_, i) => `GTID_SUBSET(${one(2 * i + 1)},${one(2 * i + 2)})`,
  );
  assert.equal(await errno(`SELECT ${parts.join(",")}`), 1226);
  assert.equal(await errno(`SELECT CONCAT(@a,'x') LIKE CONCAT('%', @a)`), 1226);
  assert.deepEqual((await sql.query("SELECT 1")).rows, [["1"]]);
});

test("after a statement nothing of it is held", async () => {
  const before = run.server.status().heldBytes;
  await sql.query("SELECT LENGTH(CONCAT(@a, @a, @a))");
  assert.equal(run.server.status().heldBytes, before);
});
