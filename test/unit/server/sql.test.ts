import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { dateTimeText } from "../../../src/server/functions.ts";
import { isLike, SqlCursor } from "../../../src/server/sql.ts";

function tokens(sql: string): string[] {
  const cursor = new SqlCursor(sql);
  const out: string[] = [];
  while (!cursor.atEnd) out.push(`${cursor.peek()!.kind} ${cursor.take().text}`);
  return out;
}

test("SqlCursor reads tokens without comments, blanks and a trailing semicolon", () => {
  assert.deepEqual(tokens(" SELECT\t@@a.b , 'it''s' -- why\n# or\n /* x */ `q``r` 12.5 ;; "), [
    "word SELECT",
    "symbol @@",
    "word a",
    "symbol .",
    "word b",
    "symbol ,",
    "string it's",
    "quoted q`r",
    "number 12.5",
  ]);
  assert.deepEqual(tokens("show /*!50002 GLOBAL */ status"), [
    "word show",
    "word GLOBAL",
    "word status",
  ]);
  assert.deepEqual(tokens("/*!40101 SET NAMES utf8 */"), ["word SET", "word NAMES", "word utf8"]);
  assert.deepEqual(tokens(`'a\\n\\'b' "c\\\\"`), ["string a\n'b", "string c\\"]);
  assert.deepEqual(tokens("/* ping */"), []);
  assert.deepEqual(tokens("$$ 5ab a--b"), [
    "word $$",
    "word 5ab",
    "word a",
    "symbol -",
    "symbol -",
    "word b",
  ]);
});

test("SqlCursor refuses what never ends, and too many tokens", () => {
  for (const sql of ["select 'abc", 'x "', "`", "1,".repeat(3000)]) {
    assert.throws(
      () => new SqlCursor(sql),
      (error) => error instanceof MysqlError && error.errno === 1064,
    );
  }
});

test("SqlCursor ends on any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (sql) => {
      try {
        tokens(sql);
      } catch (error) {
        assert.ok(error instanceof MysqlError);
      }
    }),
    { numRuns: 2000 },
  );
  const pieces = fc.constantFrom(
    "/*!",
    "/*",
    "*/",
    "'",
    "`",
    "\\",
    "--",
    " ",
    "\n",
    "#",
    "a",
    "5",
    "@@",
    ";",
  );
  fc.assert(
    fc.property(fc.array(pieces), (parts) => {
      try {
        tokens(parts.join(""));
      } catch (error) {
        assert.ok(error instanceof MysqlError);
      }
    }),
    { numRuns: 2000 },
  );
});

test("isLike is SQL's LIKE, blind to case", () => {
  const cases: [string, string, boolean][] = [
    ["server_id", "SERVER_ID", true],
    ["server_id", "server%", true],
    ["server_id", "server\\_id", true],
    ["serverxid", "server_id", true],
    ["serverxid", "server\\_id", false],
    ["gtid_mode", "%mode", true],
    ["gtid_mode", "%mod", false],
    ["gtid_mode", "%t%d%e", true],
    ["", "%", true],
    ["", "", true],
    ["a", "", false],
    ["a%", "a\\%", true],
    ["ab", "a\\%", false],
    ["aaab", "%aab", true],
  ];
  for (const [text, pattern, want] of cases) assert.equal(isLike(text, pattern), want, pattern);
});

test("dateTimeText counts as the calendar does", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (ms) => {
      assert.equal(dateTimeText(ms), new Date(ms).toISOString().slice(0, 19).replace("T", " "));
    }),
  );
});
