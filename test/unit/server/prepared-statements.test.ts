/** Prepared statements, asked by mysql2, which reads binary rows; and what no client would send. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import mysql from "mysql2/promise";
import { ByteWriter } from "../../../src/base/bytes.ts";
import { decodeErr } from "../../../src/mysql/response.ts";
import { clientLimits } from "../../../src/server/client-budget.ts";
import { waitFor } from "../../support/wait-for.ts";
import { client, type Running, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

let run: Running;
let sql: mysql.Connection;

before(async () => {
  const stream = new MemoryStream(SOURCE, "9.7.4-2");
  stream.addFile(new FileMaker("").transactions(1, 3).file, "binlog.000001");
  run = await serve(stream, {
    clientLimits: { ...clientLimits(10), bytesPerAccount: 500_000, bytesPerAddress: 500_000 },
  });
  sql = await mysql.createConnection({
    host: "127.0.0.1",
    port: run.port,
    user: "repl",
    password: "secret",
    dateStrings: true,
    supportBigNumbers: true,
  });
});
after(async () => {
  sql.destroy();
  await run.stop();
});

async function execute(text: string, values: (string | number | null)[] = []): Promise<unknown[]> {
  const [rows] = await sql.execute<mysql.RowDataPacket[]>({ sql: text, rowsAsArray: true }, values);
  return rows;
}

test("values of all types come back", async () => {
  assert.deepEqual(await execute("SELECT 1, -2, 1.50, 1e0/4, 'text', NULL, 18446744073709551615"), [
    [1, -2, "1.50", 0.25, "text", null, "18446744073709551615"],
  ]);
  assert.deepEqual(await execute("SELECT @@server_id, @@log_bin, @@gtid_mode"), [[4001, 1, "ON"]]);
  assert.match(String((await execute("SELECT NOW()"))[0]), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
});

test("parameters take the place of values", async () => {
  assert.deepEqual(await execute("SELECT ? + 1, CONCAT(?, '!'), ? IS NULL", [41, "x", null]), [
    [42, "x!", 1],
  ]);
  assert.deepEqual(await execute("SELECT GTID_SUBSET(?, @@gtid_executed) AS s", [`${SOURCE}:1`]), [
    [1],
  ]);
  assert.deepEqual(await execute("SHOW VARIABLES WHERE Variable_name = ?", ["gtid_mode"]), [
    ["gtid_mode", "ON"],
  ]);
  assert.deepEqual(await execute("SELECT 1 LIMIT ?", ["0"]), []);
  await execute("SET @p = ?", ["kept"]);
  assert.deepEqual(await execute("SELECT @p"), [["kept"]]);
});

test("a statement is prepared once and run with other values", async () => {
  const statement = await sql.prepare("SELECT ? * 2 AS twice");
  for (const value of [1, 21]) {
    const [rows] = await statement.execute([value]);
    assert.deepEqual(rows, [{ twice: 2 * value }]);
  }
  await statement.close();
});

test("SHOW and what changes nothing can be prepared; some cannot, as at a server", async () => {
  assert.equal((await execute("SHOW BINARY LOGS")).length, 1);
  assert.equal((await execute("SHOW PROCESSLIST")).length, 1);
  await execute("SET SESSION time_zone = '+00:00'");
  await execute("COMMIT");
  for (const [text, errno] of [
    ["USE d1", 1295],
    ["BEGIN", 1295],
    ["SELECT user", 1054],
    ["SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = ?", 1146],
    ["nonsense", 1064],
    ["", 1065],
  ] as const) {
    await assert.rejects(
      sql.execute(text),
      (error: mysql.QueryError) => error.errno === errno,
      text,
    );
  }
  assert.deepEqual(await execute("SELECT 1"), [[1]]);
});

test("preparing has no effect and waits for nothing", async () => {
  const wait = await sql.prepare(`SELECT WAIT_FOR_EXECUTED_GTID_SET('${SOURCE}:1-99')`);
  await wait.close();
  await execute("SET @p = 1");
  const set = await sql.prepare("SET @p = 2");
  assert.deepEqual(await execute("SELECT @p"), [[1]]);
  await set.close();
  const kill = await sql.prepare("KILL 1");
  await kill.close();
});

test("statements are bounded in number and bytes, and closing gives them back", async () => {
  const other = await client(run.port);
  const { connection } = other;
  const prepare = async (text: string): Promise<Uint8Array> => {
    connection.writeCommand(new ByteWriter().u8(0x16).text(text).finish());
    const head = await connection.readPacket();
    // The column; there is no EOF between.
    if (head[0] === 0) await connection.readPacket();
    return head;
  };
  let last = 0;
  for (let i = 0; i < 256; i++) last = (await prepare("SELECT 1"))[1]! | (i >= 255 ? 0x100 : 0);
  assert.equal(decodeErr(await prepare("SELECT 1")).errno, 1461);
  assert.equal(last, 0x100);
  connection.writeCommand(new ByteWriter().u8(0x19).u32(1).finish());
  const long = `SELECT ${"1".repeat(60_000)}+1`;
  assert.equal((await prepare(`SELECT '${"x".repeat(60_000)}'`))[0], 0, "there is room again");
  for (let id = 2; id < 20; id++) {
    connection.writeCommand(new ByteWriter().u8(0x19).u32(id).finish());
  }
  let refused = 0;
  for (let i = 0; i < 6; i++) {
    const head = await prepare(`SELECT '${long}'`);
    if (head[0] === 0xff) refused = decodeErr(head).errno;
  }
  assert.equal(refused, 1226);
  other.close();
  await waitFor(() => run.server.status().connections === 1, {
    deadlineMs: 2000,
    what: "it to leave",
  });
});

test("long data counts, and unknown statements are errors", async () => {
  const execution = new ByteWriter().u8(0x17).u32(1).u8(0).u32(1).u8(0).u8(1).u16(0xfc).finish();
  const again = await client(run.port);
  const c = again.connection;
  c.writeCommand(new ByteWriter().u8(0x16).text("SET @l = ?").finish());
  assert.equal((await c.readPacket())[0], 0);
  await c.readPacket();
  c.writeCommand(new ByteWriter().u8(0x18).u32(1).u16(0).text("ab").finish());
  c.writeCommand(new ByteWriter().u8(0x18).u32(1).u16(0).text("cd").finish());
  c.writeCommand(execution);
  assert.equal((await c.readPacket())[0], 0);
  assert.deepEqual((await again.query("SELECT @l")).rows, [["abcd"]]);
  for (let i = 0; i < 3; i++) {
    c.writeCommand(new ByteWriter().u8(0x18).u32(1).u16(0).raw(new Uint8Array(40_000)).finish());
  }
  c.writeCommand(execution);
  assert.equal(decodeErr(await c.readPacket()).errno, 1153);
  c.writeCommand(new ByteWriter().u8(0x17).u32(99).u8(0).u32(1).finish());
  assert.equal(decodeErr(await c.readPacket()).errno, 1243);
  c.writeCommand(new ByteWriter().u8(0x1a).u32(99).finish());
  assert.equal(decodeErr(await c.readPacket()).errno, 1243);
  c.writeCommand(new ByteWriter().u8(0x1a).u32(1).finish());
  assert.equal((await c.readPacket())[0], 0);
  // Parameters that are cut off are malformed, and end the connection.
  c.writeCommand(execution.subarray(0, execution.length - 1));
  assert.equal(decodeErr(await c.readPacket()).errno, 1835);
  await assert.rejects(c.readPacket(), /lost/);
});
