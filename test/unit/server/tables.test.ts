import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import mysql from "mysql2/promise";
import type { MysqlClient } from "../../../src/mysql/client.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { textColumn } from "../../../src/mysql/result-set.ts";
import { client, type Running, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

const passedOn: string[] = [];
let allowed: ReadonlySet<string> = new Set(["repl"]);
let run: Running;
let sql: MysqlClient;
let other: MysqlClient;

before(async () => {
  const stream = new MemoryStream(SOURCE, "9.7.4-2");
  stream.addFile(new FileMaker("").transactions(1, 2).file, "binlog.000001");
  const tables = {
    read: async (text: string) => {
      passedOn.push(text);
      if (text.includes("secret"))
        throw new MysqlError(1142, "42000", "SELECT command denied to user 'puller'");
      return { columns: [textColumn("said")], rows: [[text], [null]] };
    },
  };
  run = await serve(stream, { tables: (account) => (allowed.has(account) ? tables : null) });
  sql = await client(run.port);
  other = await client(run.port, { user: "other" });
});

after(async () => {
  sql.close();
  other.close();
  await run.stop();
});

/** What was passed on; its error when nothing was. */
async function asked(statement: string, by = sql): Promise<string | number> {
  passedOn.length = 0;
  try {
    const { rows } = await by.query(statement);
    if (passedOn.length === 0) return 0;
    assert.deepEqual(rows, [[passedOn[0]], [null]]);
    return passedOn[0]!;
  } catch (error) {
    assert.ok(error instanceof MysqlError, String(error));
    if (error.errno !== 1142 || !error.message.includes("puller")) assert.deepEqual(passedOn, []);
    return error.errno;
  }
}

const FORMS: readonly (readonly [statement: string, passedOn: string])[] = [
  ["show create table shop.orders", "SHOW CREATE TABLE `shop`.`orders`"],
  ["SHOW CREATE TABLE `shop`.`or``ders`", "SHOW CREATE TABLE `shop`.`or``ders`"],
  ["SHOW CREATE VIEW shop.v", "SHOW CREATE VIEW `shop`.`v`"],
  ["SHOW CREATE DATABASE IF NOT EXISTS shop", "SHOW CREATE DATABASE IF NOT EXISTS `shop`"],
  ["SHOW COLUMNS FROM orders FROM shop LIKE 'a%'", "SHOW COLUMNS FROM `shop`.`orders` LIKE 'a%'"],
  ["show full columns from `shop`.`orders`", "SHOW FULL COLUMNS FROM `shop`.`orders`"],
  ["SHOW FULL FIELDS IN shop.orders", "SHOW FULL COLUMNS FROM `shop`.`orders`"],
  ["DESC shop.orders", "DESCRIBE `shop`.`orders`"],
  ["DESCRIBE shop.orders note", "DESCRIBE `shop`.`orders` `note`"],
  ["DESC shop.orders 'n%'", "DESCRIBE `shop`.`orders` 'n%'"],
  ["SHOW INDEX FROM shop.orders", "SHOW INDEX FROM `shop`.`orders`"],
  [
    "SHOW KEYS FROM orders IN shop WHERE Key_name = 'PRIMARY'",
    "SHOW INDEX FROM `shop`.`orders` WHERE `Key_name` = 'PRIMARY'",
  ],
  ["SHOW TABLES FROM shop", "SHOW TABLES FROM `shop`"],
  [
    "SHOW FULL TABLES IN `shop` where Table_Type = 'BASE TABLE'",
    "SHOW FULL TABLES FROM `shop` WHERE `Table_Type` = 'BASE TABLE'",
  ],
  ["SHOW TABLE STATUS FROM shop LIKE 'o%'", "SHOW TABLE STATUS FROM `shop` LIKE 'o%'"],
  ["SHOW DATABASES", "SHOW DATABASES"],
  ["SHOW SCHEMAS LIKE 's%'", "SHOW DATABASES LIKE 's%'"],
  [
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'",
    "SELECT `table_name` FROM `information_schema`.`tables` WHERE `table_schema` = 'shop'",
  ],
];

test("an account that is allowed is told what the source says", async () => {
  for (const [statement, wanted] of FORMS) assert.equal(await asked(statement), wanted);
});

test("a table without a database is of the chosen one", async () => {
  assert.equal(await asked("SHOW TABLES"), 1046);
  assert.equal(await asked("DESC orders"), 1046);
  assert.equal(await asked("SELECT * FROM orders"), 1046);
  await sql.query("USE shop");
  assert.equal(await asked("SHOW TABLES"), "SHOW TABLES FROM `shop`");
  assert.equal(await asked("DESC orders"), "DESCRIBE `shop`.`orders`");
  await sql.query("USE information_schema");
  assert.equal(await asked("SELECT * FROM TABLES"), "SELECT * FROM `information_schema`.`TABLES`");
  await sql.query("USE shop");
});

test("rows of tables, the server's own schemas and other forms are refused, and go nowhere", async () => {
  for (const [statement, errno] of [
    ["SELECT * FROM shop.orders", 1142],
    ["SELECT * FROM orders", 1142],
    ["SELECT user FROM mysql.user", 1142],
    ["SELECT * FROM performance_schema.threads", 1142],
    ["SELECT * FROM information_schema.processlist", 1146],
    ["SELECT * FROM information_schema.user_privileges", 1146],
    ["SELECT COUNT(*) FROM information_schema.tables", 1235],
    ["SELECT * FROM information_schema.tables INTO OUTFILE 'x'", 1235],
    ["SELECT * FROM information_schema.tables t, mysql.user u", 1235],
    ["SELECT * FROM information_schema.tables WHERE a = (SELECT 1 FROM mysql.user)", 1235],
    ["SHOW CREATE TABLE mysql.user", 1044],
    ["SHOW COLUMNS FROM user FROM MySQL", 1044],
    ["DESC sys.version", 1044],
    ["SHOW TABLES FROM performance_schema", 1044],
    ["SHOW CREATE USER root", 1064],
    ["SHOW GRANTS FOR root", 1064],
    ["SHOW TABLES FROM shop WHERE sleep(1)", 1064],
    ["DESC SELECT 1", 1064],
    ["DESC shop.orders a; DROP TABLE x", 1064],
    ["EXPLAIN SELECT * FROM shop.orders", 1064],
    ["TABLE shop.orders", 1064],
    ["CHECKSUM TABLE shop.orders", 1064],
    ["HANDLER shop.orders OPEN", 1064],
  ] as const)
    assert.equal(await asked(statement), errno, statement);
});

test("what the source refuses is told in its words", async () => {
  await assert.rejects(sql.query("SHOW CREATE TABLE shop.secret"), /denied to user 'puller'/);
});

test("a prepared SELECT has its values written in, as literals", async () => {
  const prepared = await mysql.createConnection({
    host: "127.0.0.1",
    port: run.port,
    user: "repl",
    password: "secret",
  });
  passedOn.length = 0;
  const statement =
    "SELECT COLUMN_NAME AS n, c.DATA_TYPE FROM information_schema.columns c " +
    "WHERE TABLE_SCHEMA=? AND ORDINAL_POSITION < ? AND EXTRA = ?";
  const [rows] = await prepared.execute(statement, ["it's \\ 'odd", 7, null]);
  const wanted =
    "SELECT `COLUMN_NAME` AS `n`, `c`.`DATA_TYPE` FROM `information_schema`.`columns` AS `c` " +
    "WHERE `TABLE_SCHEMA` = 'it''s \\\\ ''odd' AND `ORDINAL_POSITION` < 7 AND `EXTRA` = NULL";
  assert.deepEqual(passedOn, [wanted], "once: nothing is asked to prepare it");
  assert.deepEqual(rows, [{ said: wanted }, { said: null }]);
  for (const other of ["SELECT * FROM information_schema.columns", "SHOW CREATE TABLE shop.t"])
    await assert.rejects(prepared.execute(other), { errno: 1295 });
  assert.equal(passedOn.length, 1);
  prepared.destroy();
  assert.equal(await asked("SELECT a FROM information_schema.columns WHERE a = ?"), 1235);
});

test("what is of no table is answered here", async () => {
  assert.equal(await asked("SELECT 1"), 0);
  assert.equal(await asked("SELECT 1 FROM DUAL"), 0);
  assert.equal(await asked("SELECT @@version"), 0);
});

test("an account that is not allowed is answered as before; a change counts at once", async () => {
  for (const [statement, errno] of [
    ["SHOW CREATE TABLE shop.orders", 1146],
    ["DESC shop.orders", 1146],
    ["SHOW INDEX FROM shop.orders", 1146],
    ["SELECT * FROM information_schema.tables", 1146],
    ["SHOW CREATE DATABASE shop", 1049],
    ["SHOW TABLES", 0],
    ["SHOW DATABASES", 0],
  ] as const)
    assert.equal(await asked(statement, other), errno, statement);
  allowed = new Set(["other"]);
  assert.equal(await asked("SHOW DATABASES", other), "SHOW DATABASES");
  assert.equal(await asked("SHOW CREATE TABLE shop.orders"), 1146);
  allowed = new Set(["repl"]);
});
