import assert from "node:assert/strict";
import { test } from "node:test";
import { sameSourceValues, sourceValuesOf } from "../../../src/mysql/source-values.ts";

test("source values: of a server's variables the ones that are shown, when they can be kept", () => {
  const variables = new Map([
    ["binlog_row_image", "MINIMAL"],
    ["sql_mode", ""],
    ["server_uuid", "its own"],
    ["time_zone", "with\na line"],
    ["version_comment", "x".repeat(1025)],
  ]);
  assert.deepEqual(sourceValuesOf(variables), { binlog_row_image: "MINIMAL", sql_mode: "" });
});

test("source values: the same when names and values are", () => {
  assert.ok(sameSourceValues({ a: "1", b: "2" }, { b: "2", a: "1" }));
  assert.ok(!sameSourceValues({ a: "1" }, { a: "2" }));
  assert.ok(!sameSourceValues({ a: "1" }, { a: "1", b: "2" }));
  assert.ok(!sameSourceValues({ a: "1", b: "2" }, { a: "1" }));
  assert.ok(!sameSourceValues({ a: "1" }, { b: "1" }));
});
