import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { MysqlClient } from "../../../src/mysql/client.ts";
import { encodeSimpleCommand } from "../../../src/mysql/commands.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { decodeErr } from "../../../src/mysql/response.ts";
import { client, type Running, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

let run: Running;
let sql: MysqlClient;
const stream = new MemoryStream(SOURCE, "9.7.4-2");

before(async () => {
  stream.addFile(
    new FileMaker("").transactions(1, 2).rotate("binlog.000002").file,
    "binlog.000001",
  );
  stream.addFile(new FileMaker(`${SOURCE}:1-2`).transactions(3, 3).file, "binlog.000002");
  run = await serve(stream);
  sql = await client(run.port);
});
after(async () => {
  sql.close();
  await run.stop();
});

async function rows(text: string): Promise<(string | null)[][]> {
  return (await sql.query(text)).rows.map((row) => [...row]);
}

async function errno(text: string): Promise<number> {
  try {
    await sql.query(text);
    return 0;
  } catch (error) {
    assert.ok(error instanceof MysqlError, String(error));
    return error.errno;
  }
}

test("what a 9.7 replica asks before its dump", async () => {
  assert.match((await rows("SELECT UNIX_TIMESTAMP()"))[0]![0]!, /^\d{10}$/);
  assert.deepEqual(await rows("SELECT @@GLOBAL.SERVER_ID"), [["4001"]]);
  const period =
    "SET @master_heartbeat_period = 30000001024, @source_heartbeat_period = 30000001024";
  assert.equal(await errno(period), 0);
  assert.equal(
    await errno(
      "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum",
    ),
    0,
  );
  assert.deepEqual(await rows("SELECT @source_binlog_checksum"), [["CRC32"]]);
  assert.deepEqual(await rows("SELECT @@GLOBAL.GTID_MODE"), [["ON"]]);
  assert.deepEqual(await rows("SELECT @@GLOBAL.SERVER_UUID"), [
    ["99999999-0000-0000-0000-000000000001"],
  ]);
  assert.equal(await errno("SET @slave_uuid = 'x', @replica_uuid = 'x'"), 0);
  assert.equal(await errno("SELECT @@global.rpl_semi_sync_source_enabled"), 1193);
  assert.equal(await errno("SELECT @@global.rpl_semi_sync_master_enabled"), 1193);
  assert.equal(await errno("SET @rpl_semi_sync_replica = 1"), 0);
});

test("what 5.6 and MariaDB replicas ask, in their spelling", async () => {
  assert.deepEqual(await rows("SHOW VARIABLES LIKE 'SERVER_ID'"), [["server_id", "4001"]]);
  assert.deepEqual(await rows("SHOW VARIABLES LIKE 'SERVER_UUID'"), [
    ["server_uuid", "99999999-0000-0000-0000-000000000001"],
  ]);
  assert.equal(await errno("SET @master_heartbeat_period= 1000000000"), 0);
  assert.equal(await errno("SET @master_binlog_checksum= @@global.binlog_checksum"), 0);
  assert.deepEqual(await rows("SELECT @master_binlog_checksum"), [["CRC32"]]);
  assert.equal(await errno("SET @mariadb_slave_capability=4"), 0);
  assert.equal(await errno("SELECT binlog_gtid_pos('binlog.000003',4)"), 1305);
  assert.equal(await errno("SELECT @@GLOBAL.gtid_domain_id"), 1193);
  assert.equal(await errno("SET @slave_connect_state=''"), 0);
});

test("what mysqlbinlog, mysql, mysqladmin and npm clients ask", async () => {
  assert.deepEqual(await rows("SELECT VERSION()"), [["9.7.4-2-binraft"]]);
  assert.deepEqual(await rows("select @@version_comment limit 1"), [["binraft"]]);
  await assert.rejects(sql.query("select $$"), /right syntax to use near '\$\$' at line 1/);
  assert.deepEqual(await rows("SELECT DATABASE()"), [[null]]);
  assert.match((await rows("select DATABASE(), USER() limit 1"))[0]![1]!, /^repl@127\.0\.0\.1$/);
  assert.deepEqual(
    await rows(
      "select @@character_set_client, @@character_set_connection, @@character_set_server, @@character_set_database limit 1",
    ),
    [["utf8mb4", "utf8mb4", "utf8mb4", "utf8mb4"]],
  );
  const aliased = await sql.query("select @@GLOBAL.binlog_checksum as checksum");
  assert.deepEqual(
    aliased.columns.map((column) => column.name),
    ["checksum"],
  );
  assert.deepEqual(await rows("SELECT @@GLOBAL.gtid_executed AS gtidExecuted"), [
    [`${SOURCE}:1-3`],
  ]);
  assert.deepEqual(await rows("select 1"), [["1"]]);
  assert.deepEqual(await rows("show /*!50002 GLOBAL */ status like 'Threads_connected'"), [
    ["Threads_connected", "1"],
  ]);
  assert.deepEqual(await rows("show warnings"), []);
  assert.equal((await rows("show processlist")).length, 1);
  assert.equal(await errno("SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE 1"), 1146);
});

test("what the source says of itself is shown in its place, and only what fits", async () => {
  let values: Record<string, string> = {
    binlog_row_metadata: "FULL",
    binlog_rows_query_log_events: "ON",
    lower_case_table_names: "1",
    max_allowed_packet: "not a number",
    server_uuid: SOURCE,
  };
  await using served = await serve(stream, { sourceValues: () => values });
  const asking = await client(served.port);
  const ask = async (text: string): Promise<unknown> => (await asking.query(text)).rows;
  assert.deepEqual(
    await ask(
      "SELECT @@binlog_row_metadata, @@GLOBAL.binlog_rows_query_log_events, @@lower_case_table_names, " +
        "@@max_allowed_packet, @@binlog_row_image, @@server_uuid",
    ),
    [["FULL", "1", "1", "67108864", "FULL", "99999999-0000-0000-0000-000000000001"]],
  );
  const like = "SHOW GLOBAL VARIABLES LIKE 'binlog\\_row%'";
  assert.deepEqual(await ask(like), [
    ["binlog_row_image", "FULL"],
    ["binlog_row_metadata", "FULL"],
    ["binlog_row_value_options", ""],
    ["binlog_rows_query_log_events", "ON"],
  ]);
  values = { binlog_row_image: "MINIMAL" };
  assert.deepEqual(await ask(like), [
    ["binlog_row_image", "MINIMAL"],
    ["binlog_row_metadata", "MINIMAL"],
    ["binlog_row_value_options", ""],
  ]);
  await assert.rejects(ask("SELECT @@binlog_rows_query_log_events"), /Unknown system variable/);
  asking.close();
});

test("what change-data-capture clients ask", async () => {
  const connector =
    "/* mysql-connector-j-8.4.0 */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, @@net_write_timeout AS net_write_timeout, @@performance_schema AS performance_schema, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout";
  assert.equal((await rows(connector))[0]!.length, 19);
  for (const statement of [
    "set wait_timeout=9999999",
    "set net_write_timeout=7200",
    "set names 'binary'",
    "SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci",
    "set @slave_uuid=uuid()",
    "SET @mariadb_slave_capability='4'",
    "set autocommit=1",
    "SET sql_mode='STRICT_TRANS_TABLES', @x := 1, SESSION time_zone = '+00:00'",
    "set session transaction isolation level repeatable read",
    "set @@session.net_write_timeout=1",
    "SET character_set_results = NULL",
    "START TRANSACTION",
    "commit",
    "USE d1",
    "/* ping */",
    "",
  ]) {
    assert.equal(await errno(statement), 0, statement);
  }
  assert.match((await rows("select @slave_uuid"))[0]![0]!, /^[0-9a-f-]{36}$/);
  assert.deepEqual(await rows("select database(), @X"), [["d1", "1"]]);
  assert.deepEqual(await rows("SHOW GLOBAL VARIABLES LIKE 'binlog\\_format'"), [
    ["binlog_format", "ROW"],
  ]);
  const where =
    "SHOW VARIABLES WHERE Variable_name = 'gtid_mode' OR variable_name IN ('log_bin', 'x')";
  assert.deepEqual(await rows(where), [
    ["gtid_mode", "ON"],
    ["log_bin", "ON"],
  ]);
  assert.ok((await rows("SHOW VARIABLES")).length > 50);
  assert.match(
    (await rows("SHOW GRANTS FOR CURRENT_USER()"))[0]![0]!,
    /REPLICATION SLAVE, REPLICATION CLIENT/,
  );
});

test("what monitoring asks", async () => {
  const file = stream.files[1]!;
  const status = [["binlog.000002", String(file.size), "", "", `${SOURCE}:1-3`]];
  for (const text of ["SHOW BINARY LOG STATUS", "show master status;"])
    assert.deepEqual(await rows(text), status);
  const logs = stream.files.map(({ name, size }) => [name, String(size), "No"]);
  for (const text of ["SHOW BINARY LOGS", "SHOW MASTER LOGS"])
    assert.deepEqual(await rows(text), logs);
  for (const text of ["SHOW REPLICAS", "SHOW SLAVE HOSTS"]) assert.deepEqual(await rows(text), []);
  const replica = await sql.query("SHOW REPLICA STATUS");
  assert.equal(replica.columns.length, 60);
  assert.deepEqual(replica.rows, []);
  const events = await rows("SHOW BINLOG EVENTS IN 'binlog.000002' LIMIT 3");
  assert.deepEqual(
    events.map((row) => row[2]),
    ["Format_desc", "Previous_gtids", "Gtid"],
  );
  assert.equal(events[1]![5], `${SOURCE}:1-2`);
  assert.equal(events[2]![5], `SET @@SESSION.GTID_NEXT= '${SOURCE}:3'`);
  const from = await rows(`SHOW BINLOG EVENTS IN 'binlog.000002' FROM ${events[2]![1]} LIMIT 1, 2`);
  assert.deepEqual(
    from.map((row) => row[2]),
    ["Query", "Write_rows"],
  );
  assert.equal((await rows("SHOW BINLOG EVENTS")).at(-1)![5], "binlog.000002;pos=4");
  assert.equal(await errno("SHOW BINLOG EVENTS IN 'nope'"), 1220);
  assert.equal(await errno("SHOW BINLOG EVENTS IN 'binlog.000002' FROM 5"), 1220);
});

test("GTID functions", async () => {
  assert.deepEqual(await rows(`SELECT GTID_SUBSET('${SOURCE}:1', @@gtid_executed)`), [["1"]]);
  assert.deepEqual(await rows(`SELECT GTID_SUBSET('${SOURCE}:9', @@gtid_executed)`), [["0"]]);
  assert.deepEqual(await rows(`SELECT GTID_SUBTRACT('${SOURCE}:1-5','${SOURCE}:2') AS d`), [
    [`${SOURCE}:1:3-5`],
  ]);
  assert.equal(await errno("select gtid_subset('a:1','a:1')"), 1772);
  const wait = (last: number, seconds: number): string =>
    `SELECT WAIT_FOR_EXECUTED_GTID_SET('${SOURCE}:1-${last}', ${seconds})`;
  assert.deepEqual(await rows(wait(3, 0)), [["0"]]);
  assert.deepEqual(await rows(wait(4, 0.05)), [["1"]]);
  const waiting = rows(wait(4, 5));
  const made = new FileMaker(`${SOURCE}:1-3`).transactions(4, 4);
  stream.addFile(made.file, "binlog.000003");
  assert.deepEqual(await waiting, [["0"]]);
});

test("an unknown statement is an error and the connection lives", async () => {
  const cases: [string, number][] = [
    ["nonsense", 1064],
    ["insert into d1.t values(1)", 1064],
    ["LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t", 1064],
    ["select 1 2 3", 1064],
    ["select 1; select 2", 1064],
    ["select (((((((((((((((((((((1", 1064],
    ["select user", 1054],
    ["select @@no_such_variable", 1193],
    ["select sleep(5)", 1305],
    ["select 1 from mysql.user", 1146],
    ["set global read_only = 0", 1227],
    ["set @@global.gtid_purged = ''", 1227],
    ["SET PERSIST max_connections = 1", 1227],
    ["set nothing_known = 1", 1193],
    ["set @a", 1064],
    ["purge binary logs to 'binlog.000002'", 1227],
    ["flush binary logs", 1227],
    ["reset binary logs and gtids", 1227],
    ["kill 99999", 1094],
    ["show create table t", 1146],
    ["show variables like", 1064],
  ];
  for (const [text, want] of cases) assert.equal(await errno(text), want, text);
  assert.deepEqual(await rows("select 1"), [["1"]]);
  await assert.rejects(sql.query("nonsense here"), /near 'nonsense here' at line 1/);
});

test("user variables are the session's own, and bounded", async () => {
  const other = await client(run.port);
  await sql.query("set @mine = 'a'");
  assert.deepEqual((await other.query("select @mine")).rows, [[null]]);
  for (let i = 0; i < 64; i++) await other.query(`set @v${i} = ${i}`);
  await assert.rejects(other.query("set @more = 1"), /More than 64/);
  await assert.rejects(
    other.query(`set @v1 = '${"x".repeat(70_000)}'`),
    /Got a packet bigger than 'max_allowed_packet' bytes/,
  );
  assert.deepEqual((await other.query("select @V63")).rows, [["63"]]);
  other.close();
});

test("commands besides statements", async () => {
  const other = await client(run.port);
  const { connection } = other;
  const ask = async (payload: Uint8Array): Promise<Uint8Array> => {
    connection.writeCommand(payload);
    return connection.readPacket();
  };
  assert.equal((await ask(encodeSimpleCommand(0x0e)))[0], 0);
  assert.match(
    Buffer.from(await ask(encodeSimpleCommand(0x09))).toString(),
    /^Uptime: \d+ {2}Threads: \d/,
  );
  assert.equal((await ask(Buffer.from("\x02d2")))[0], 0);
  assert.deepEqual((await other.query("select database()")).rows, [["d2"]]);
  assert.equal((await ask(Buffer.from("\x04t\0")))[0], 0xfe);
  assert.equal(decodeErr(await ask(Buffer.from("\x16use d1"))).errno, 1295);
  await other.query("set @a = 1");
  assert.equal((await ask(encodeSimpleCommand(0x1f)))[0], 0);
  assert.deepEqual((await other.query("select @a")).rows, [[null]]);
  // Every other command byte, with nothing behind it: an answer, and the connection lives.
  const malformed = [0x04, 0x0c, 0x12, 0x15, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1e];
  for (let code = 0; code < 256; code++) {
    if ([0x01, 0x03, 0x09, 0x11, ...malformed].includes(code)) continue;
    const answer = await ask(encodeSimpleCommand(code));
    assert.ok([0x00, 0xfe, 0xff].includes(answer[0]!), `command ${code}`);
  }
  assert.equal(decodeErr(await ask(encodeSimpleCommand(0x11))).errno, 1047);
  await assert.rejects(ask(encodeSimpleCommand(0x0e)), "COM_CHANGE_USER ends the connection");
  for (const code of malformed) {
    const { connection } = await client(run.port);
    connection.writeCommand(encodeSimpleCommand(code));
    const { errno } = decodeErr(await connection.readPacket());
    if (errno === 1047) continue;
    assert.equal(errno, 1835, `command ${code}`);
    await assert.rejects(connection.readPacket(), /lost/, "what is malformed ends its connection");
  }
});

test("KILL closes connections of the same account only", async () => {
  const mine = await client(run.port);
  const theirs = await client(run.port, { user: "other", fetchPublicKey: true });
  const id = async (one: MysqlClient): Promise<string> =>
    (await one.query("select connection_id()")).rows[0]![0]!;
  assert.equal(await errno(`KILL ${await id(theirs)}`), 1094);
  assert.equal(await errno(`KILL ${await id(mine)}`), 0);
  await assert.rejects(mine.query("select 1"));
  assert.deepEqual((await theirs.query("select 1")).rows, [["1"]]);
  theirs.close();
});
