import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSourceUrl } from "../../../src/config/source-url.ts";

test("parseSourceUrl takes user, host and port", () => {
  assert.deepEqual(parseSourceUrl("mysql://repl@db.example"), {
    user: "repl",
    host: "db.example",
    port: 3306,
  });
  assert.deepEqual(parseSourceUrl("mysql://r%20l@10.0.0.1:3310/"), {
    user: "r l",
    host: "10.0.0.1",
    port: 3310,
  });
});

test("parseSourceUrl says what is wrong without repeating it", () => {
  const cases: readonly [string, RegExp][] = [
    ["db:3306", /expected/],
    ["http://u@db", /expected/],
    ["mysql://db:3306", /user is missing/],
    ["mysql://u:hunter2@db", /password inside the URL/],
    ["mysql://u@db/schema", /only user, host and port/],
    ["mysql://u@db?ssl=1", /only user, host and port/],
    ["mysql://u%zz@db", /broken %|expected/],
  ];
  for (const [url, expected] of cases) {
    const said = parseSourceUrl(url);
    assert.ok(typeof said === "string", url);
    assert.match(said, expected, url);
    assert.ok(!said.includes("hunter2"));
  }
});
