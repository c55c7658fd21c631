import assert from "node:assert/strict";
import { test } from "node:test";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { SqlCursor } from "../../../src/server/sql.ts";
import { showFilter, tableSelect } from "../../../src/server/table-questions.ts";

function rewritten(sql: string, database = "shop"): string {
  const cursor = new SqlCursor(sql);
  assert.ok(cursor.accept("SELECT"));
  return tableSelect({ cursor, database, parameters: [] }).sql;
}

test("a SELECT is written anew, with quoted names and plain literals", () => {
  const from = "FROM `information_schema`.`columns`";
  for (const [asked, wanted] of [
    ["SELECT * FROM information_schema.columns", `SELECT * ${from}`],
    [
      "select distinct c.column_name as n, 1, 'it''s' x FROM information_schema.columns AS c limit 5",
      `SELECT DISTINCT \`c\`.\`column_name\` AS \`n\`, 1, 'it''s' AS \`x\` ${from} AS \`c\` LIMIT 5`,
    ],
    [
      "SELECT c.* FROM information_schema.columns c WHERE table_schema = DATABASE() AND table_name='t' " +
        "ORDER BY ORDINAL_POSITION DESC, 2 LIMIT 10 OFFSET 5;",
      `SELECT \`c\`.* ${from} AS \`c\` WHERE \`table_schema\` = 'shop' AND \`table_name\` = 't' ` +
        "ORDER BY `ORDINAL_POSITION` DESC, 2 LIMIT 10 OFFSET 5",
    ],
    [
      "SELECT a FROM information_schema.columns WHERE (a IN ('x','y') OR NOT b NOT LIKE 'p\\_%') AND c IS NOT NULL " +
        "AND d BETWEEN 1 AND 2 AND e <=> 3",
      `SELECT \`a\` ${from} WHERE (\`a\` IN ('x', 'y') OR NOT \`b\` NOT LIKE 'p\\\\_%') AND \`c\` IS NOT NULL ` +
        "AND `d` BETWEEN 1 AND 2 AND `e` <=> 3",
    ],
    [
      "SELECT `a``; DROP TABLE x` FROM information_schema.columns WHERE a = '\\'; DROP TABLE x'",
      `SELECT \`a\`\`; DROP TABLE x\` ${from} WHERE \`a\` = '''; DROP TABLE x'`,
    ],
  ] as const)
    assert.equal(rewritten(asked), wanted);
  assert.match(
    rewritten("SELECT a FROM information_schema.columns WHERE a = SCHEMA()", ""),
    /= NULL$/,
  );
});

const FORBIDDEN: readonly string[] = [
  "COUNT(*) FROM information_schema.tables",
  "load_file('/etc/passwd') FROM information_schema.tables",
  "`sleep`(1) FROM information_schema.tables",
  "sys.exec('x') FROM information_schema.tables",
  "@@global.sql_mode FROM information_schema.tables",
  "@x FROM information_schema.tables",
  "@x := 1 FROM information_schema.tables",
  "1 + 1 FROM information_schema.tables",
  "(SELECT 1) FROM information_schema.tables",
  "* INTO OUTFILE 'x' FROM information_schema.tables",
  "* FROM information_schema.tables INTO OUTFILE 'x'",
  "* FROM information_schema.tables INTO DUMPFILE 'x'",
  "* FROM information_schema.tables INTO @x",
  "* FROM information_schema.tables, mysql.user",
  "* FROM information_schema.tables JOIN mysql.user",
  "* FROM information_schema.tables t JOIN mysql.user u ON 1",
  "* FROM information_schema.tables NATURAL JOIN mysql.user",
  "* FROM (SELECT * FROM mysql.user) t",
  "* FROM information_schema.tables WHERE 1",
  "* FROM information_schema.tables WHERE a = (SELECT 1)",
  "* FROM information_schema.tables WHERE EXISTS (SELECT 1 FROM mysql.user)",
  "* FROM information_schema.tables WHERE a IN (SELECT user FROM mysql.user)",
  "* FROM information_schema.tables WHERE sleep(10) = 0",
  "* FROM information_schema.tables WHERE a = sleep(10)",
  "* FROM information_schema.tables WHERE a = DATABASE(1)",
  "* FROM information_schema.tables WHERE a = b.c.d(1)",
  "* FROM information_schema.tables WHERE a REGEXP '(a+)+$'",
  "* FROM information_schema.tables WHERE a = 'x' COLLATE utf8mb4_bin",
  "* FROM information_schema.tables GROUP BY a",
  "* FROM information_schema.tables HAVING a = 1",
  "* FROM information_schema.tables ORDER BY sleep(1)",
  "* FROM information_schema.tables LIMIT 1 UNION SELECT * FROM mysql.user",
  "* FROM information_schema.tables UNION ALL SELECT * FROM mysql.user",
  "* FROM information_schema.tables FOR UPDATE",
  "* FROM information_schema.tables LOCK IN SHARE MODE",
  "* FROM information_schema.tables PROCEDURE ANALYSE()",
  "* FROM information_schema.tables; DROP TABLE shop.orders",
  "* FROM information_schema.tables PARTITION (p0)",
  "* FROM JSON_TABLE('[]', '$' COLUMNS (a INT PATH '$')) t",
  "SQL_CALC_FOUND_ROWS * FROM information_schema.tables",
  `* FROM information_schema.tables WHERE ${"(".repeat(60)}a = 1${")".repeat(60)}`,
  `* FROM information_schema.tables WHERE ${"NOT ".repeat(60)}a = 1`,
  `${"x".repeat(65)} FROM information_schema.tables`,
  "`a\nb` FROM information_schema.tables",
];

test("what is not of the allowed form is a syntax error here, and goes nowhere", () => {
  for (const rest of FORBIDDEN)
    assert.throws(
      () => {
        const { from } = tableSelect({
          cursor: new SqlCursor(rest),
          database: "shop",
          parameters: [],
        });
        // The right form, of a table that nobody may read.
        assert.fail(`${rest}: ${JSON.stringify(from)}`);
      },
      (error) => error instanceof MysqlError && error.errno === 1064,
      rest,
    );
});

test("a comment of a version is read as what it says, and is not passed on", () => {
  assert.equal(
    rewritten("SELECT /*!40001 SQL_NO_CACHE */ a /* x */ FROM information_schema.tables -- y"),
    "SELECT `a` FROM `information_schema`.`tables`",
  );
});

test("the filter of a SHOW statement is LIKE a pattern, or a condition", () => {
  const filter = (sql: string): string =>
    showFilter({ cursor: new SqlCursor(sql), database: "", parameters: [] });
  assert.equal(filter(""), "");
  assert.equal(filter("LIKE 'a\\_b%'"), " LIKE 'a\\\\_b%'");
  assert.equal(filter("WHERE Table_type = 'BASE TABLE'"), " WHERE `Table_type` = 'BASE TABLE'");
  assert.throws(() => filter("LIKE 'a' OR 1"), MysqlError);
  assert.throws(() => filter("WHERE sleep(1)"), MysqlError);
});
