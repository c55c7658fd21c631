/**
 * Clients that read row events ask for the tables' metadata where they read: an account that is allowed
 * it gets from a node what the source answers, whoever leads; rows of tables nobody gets.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { connect, type MysqlClient } from "../../src/mysql/client.ts";
import { MysqlError } from "../../src/mysql/errors.ts";
import {
  createSourceUser,
  LocalNode,
  SOURCE_USER,
  sourceSettings,
  testAccounts,
  testCertificate,
} from "../support/local-node.ts";
import { waitFor } from "../support/wait-for.ts";

let source: MysqlServer;
let node: LocalNode;
let theirs: MysqlClient;
let ours: MysqlClient;
const platform = nodePlatform();

before(async () => {
  source = await MysqlServer.start({ serverId: 1 });
  await createSourceUser(source);
  await source.exec("SET GLOBAL sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')");
  await source.exec(
    `CREATE DATABASE shop;
     CREATE TABLE shop.orders (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, note VARCHAR(40) COLLATE utf8mb4_bin
       COMMENT 'it''s a "note"', state ENUM('new', 'ü') DEFAULT 'new', at DATETIME(3), KEY by_note (note, at));
     CREATE TABLE shop.\`odd \`\`name\` (id INT PRIMARY KEY, parent INT UNSIGNED,
       FOREIGN KEY (parent) REFERENCES shop.orders (id));
     CREATE VIEW shop.news AS SELECT id FROM shop.orders WHERE state = 'new';
     CREATE DATABASE described;
     CREATE TABLE described.t (id INT PRIMARY KEY, v INT);
     GRANT REFERENCES ON described.* TO ${SOURCE_USER.user};
     CREATE DATABASE hidden;
     CREATE TABLE hidden.t (id INT PRIMARY KEY);
     GRANT SELECT, REFERENCES, SHOW VIEW ON shop.* TO ${SOURCE_USER.user}`,
  );
  const accounts = new Map(
    [...testAccounts()].map(([name, account]) => [name, { ...account, metadata: true }]),
  );
  node = await LocalNode.start({ source: sourceSettings(source), settings: { accounts } });
  await node.caughtUp(source);
  const mysql = { host: "127.0.0.1", port: source.port, ...SOURCE_USER };
  theirs = await connect({ ...mysql, tls: { mode: "disabled" }, fetchPublicKey: true }, platform);
  await theirs.query("SET SESSION sql_mode = ''");
  await theirs.query("USE shop");
  const { cert } = await testCertificate();
  ours = await connect({ ...node.endpoint, tls: { mode: "verify-ca", ca: cert } }, platform);
  await ours.query("USE shop");
});

after(async () => {
  theirs?.close();
  ours?.close();
  await node?.stop();
  await source?.remove();
});

async function ask(client: MysqlClient, statement: string): Promise<unknown> {
  try {
    const { columns, rows } = await client.query(statement);
    return { columns, rows };
  } catch (error) {
    assert.ok(error instanceof MysqlError, String(error));
    return error.errno;
  }
}

const COLUMNS =
  "SELECT COLUMN_NAME, COLLATION_NAME, CHARACTER_SET_NAME, COLUMN_COMMENT, COLUMN_TYPE, COLUMN_KEY, " +
  "ORDINAL_POSITION FROM information_schema.columns WHERE table_schema";

/** As clients send them. */
const STATEMENTS: readonly string[] = [
  "SHOW CREATE TABLE `shop`.`orders`",
  "show create table shop.`odd ``name`",
  "SHOW CREATE DATABASE shop",
  "DESC orders",
  "DESCRIBE shop.orders note",
  "DESC orders 'n%'",
  "show full columns from `shop`.`orders`",
  "SHOW COLUMNS FROM orders FROM shop LIKE 'n%'",
  "SHOW COLUMNS FROM orders WHERE Field = 'id' OR `Key` = 'MUL'",
  "show index from `shop`.`orders`",
  "SHOW KEYS FROM orders WHERE Key_name = 'PRIMARY'",
  "SHOW TABLES",
  "SHOW FULL TABLES IN `shop` where Table_Type = 'BASE TABLE'",
  "SHOW TABLES FROM shop LIKE 'o%'",
  "SHOW DATABASES",
  "SHOW DATABASES LIKE 's%'",
  `${COLUMNS}='shop' AND table_name='orders' ORDER BY ORDINAL_POSITION`,
  `${COLUMNS} = DATABASE() AND table_name IN ('orders', 'odd \`name') ORDER BY 1, 7`,
  "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', 'sys') ORDER BY 1",
  "SELECT t.table_name AS name, t.table_type FROM information_schema.tables AS t " +
    "WHERE t.table_schema LIKE 'sh\\_p' OR t.table_schema = 'shop' ORDER BY name DESC LIMIT 2",
  "SELECT index_name, column_name, seq_in_index FROM information_schema.statistics WHERE table_schema='shop' " +
    "AND table_name='orders' AND non_unique = 0 ORDER BY index_name, seq_in_index",
  "SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE " +
    "WHERE TABLE_SCHEMA = 'shop' AND REFERENCED_TABLE_NAME IS NOT NULL",
  "SELECT * FROM information_schema.referential_constraints WHERE constraint_schema = 'shop'",
  // Of what its user may describe and not read.
  "SHOW CREATE TABLE described.t",
  "SHOW COLUMNS FROM described.t",
  "SHOW FULL COLUMNS FROM described.t",
  "DESC described.t",
  "SHOW INDEX FROM described.t",
  "SELECT column_name FROM information_schema.columns WHERE table_schema = 'described'",
  "SHOW TABLES FROM described",
  // What its user may not see.
  "SHOW CREATE TABLE hidden.t",
  "SHOW TABLES FROM hidden",
  "SHOW CREATE TABLE shop.missing",
  "SELECT missing FROM information_schema.tables",
];

test("a node answers what the source answers its user", async () => {
  const different: string[] = [];
  for (const statement of STATEMENTS) {
    const [real, answer] = [await ask(theirs, statement), await ask(ours, statement)];
    if (JSON.stringify(real) !== JSON.stringify(answer))
      different.push(`${statement}: ${JSON.stringify(real)} | ${JSON.stringify(answer)}`);
  }
  assert.deepEqual(different, []);
});

test("who has read an ALTER in the stream is told of the table after it", async () => {
  for (let i = 0; i < 5; i++) {
    const before = node.node.gtid().executed;
    assert.ok(!JSON.stringify(await ask(ours, "SHOW CREATE TABLE orders")).includes(`added${i}`));
    await source.exec(`ALTER TABLE shop.orders ADD added${i} INT`);
    await waitFor(() => node.node.gtid().executed !== before, { deadlineMs: 10_000, what: "it" });
    assert.ok(JSON.stringify(await ask(ours, "SHOW CREATE TABLE orders")).includes(`added${i}`));
  }
});

test("nothing else gets to the source", async () => {
  // What binraft's connections said, statement by statement.
  await source.exec("SET GLOBAL log_output = 'TABLE'");
  await source.exec("SET GLOBAL general_log = ON");
  for (const statement of [
    "SELECT * FROM orders",
    "SELECT user FROM mysql.user",
    "SELECT load_file('/etc/passwd') FROM information_schema.tables",
    "SELECT * FROM information_schema.tables INTO OUTFILE 'x'",
    "SELECT * FROM information_schema.tables WHERE sleep(10)",
    "SELECT * FROM information_schema.tables t, shop.orders",
    "SELECT * FROM information_schema.tables WHERE table_name = (SELECT note FROM shop.orders)",
    "SELECT * FROM information_schema.processlist",
    "SHOW CREATE TABLE mysql.user",
    "SHOW CREATE USER root",
    "SHOW TABLES FROM shop WHERE sleep(10)",
    "DESC orders; DROP TABLE orders",
    "EXPLAIN SELECT * FROM orders",
    "TABLE orders",
  ])
    assert.equal(typeof (await ask(ours, statement)), "number", statement);
  assert.equal(typeof (await ask(ours, "SHOW INDEX FROM orders FROM shop")), "object");
  await source.exec("SET GLOBAL general_log = OFF");
  const said = await source.query(
    "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE command_type = 'Query' AND " +
      `user_host LIKE '${SOURCE_USER.user}[%'`,
  );
  const others = said.flat().filter((sql) => !/^(SHOW GLOBAL |SELECT @@GLOBAL|SET )/.test(sql));
  assert.deepEqual(others, ["SHOW INDEX FROM `shop`.`orders`"]);
});
