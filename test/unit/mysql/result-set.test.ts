import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, MalformedBytes, toHex } from "../../../src/base/bytes.ts";
import { CLIENT_DEPRECATE_EOF } from "../../../src/mysql/capabilities.ts";
import { MysqlError, syntaxError } from "../../../src/mysql/errors.ts";
import { encodeErr, encodeOk } from "../../../src/mysql/response.ts";
import {
  bigIntColumn,
  encodeColumn,
  encodeResultSet,
  intColumn,
  ResultSetReader,
  ResultTooLarge,
  type TextResult,
  textColumn,
  userVariableColumn,
} from "../../../src/mysql/result-set.ts";

const LIMITS = { maxColumns: 10, maxRows: 20, maxBytes: 10_000 };

function readAll(payloads: readonly Uint8Array[], capabilities: number): TextResult {
  const reader = new ResultSetReader(capabilities, LIMITS);
  for (const [i, payload] of payloads.entries()) {
    const result = reader.accept(payload);
    if (result !== null) {
      assert.equal(i, payloads.length - 1);
      return result;
    }
  }
  throw new Error("the result never ended");
}

test("columns are those of a real 9.7 server", () => {
  assert.equal(
    toHex(encodeColumn(bigIntColumn("UNIX_TIMESTAMP()"))),
    "0364656600000010554e49585f54494d455354414d502829000c3f0015000000088100000000",
  );
  const columns = [textColumn("a"), intColumn("b"), userVariableColumn("@x")];
  const result = readAll(encodeResultSet(columns, [], 0), 0);
  assert.deepEqual(result.columns, columns);
});

test("rows round trip with and without DEPRECATE_EOF", () => {
  const value = fc.option(
    fc.string({ maxLength: 300 }).filter((text) => !text.startsWith("﻿")),
    { nil: null },
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(value, value), { maxLength: 10 }),
      fc.constantFrom(0, CLIENT_DEPRECATE_EOF),
      (rows, capabilities) => {
        const columns = [textColumn("a"), textColumn("__proto__")];
        const result = readAll(encodeResultSet(columns, rows, capabilities), capabilities);
        assert.deepEqual(result.rows, rows);
      },
    ),
  );
});

test("an OK ends a statement without rows; an ERR is thrown at any place", () => {
  const ok = readAll([encodeOk({ affectedRows: 3, insertId: 9n })], 0);
  assert.deepEqual([ok.affectedRows, ok.insertId, ok.rows.length], [3, 9n, 0]);
  const payloads = encodeResultSet([textColumn("a")], [["1"]], CLIENT_DEPRECATE_EOF);
  for (let at = 0; at < payloads.length; at++) {
    const broken = [...payloads.slice(0, at), encodeErr(syntaxError("x"))];
    assert.throws(() => readAll(broken, CLIENT_DEPRECATE_EOF), MysqlError);
  }
});

test("a request for a local file is a broken rule", () => {
  const infile = fromHex("fb2f6574632f706173737764");
  assert.throws(() => readAll([infile], 0), /LOCAL INFILE/);
});

test("columns, rows and bytes have caps", () => {
  const wide = encodeResultSet(Array(11).fill(textColumn("a")), [], 0);
  assert.throws(() => readAll(wide, 0), ResultTooLarge);
  const long = encodeResultSet([textColumn("a")], Array(21).fill(["1"]), 0);
  assert.throws(() => readAll(long, 0), ResultTooLarge);
  const big = encodeResultSet([textColumn("a")], Array(11).fill(["x".repeat(1000)]), 0);
  assert.throws(() => readAll(big, 0), ResultTooLarge);
  assert.throws(() => readAll([fromHex("feffffffffffff0f00")], 0), ResultTooLarge);
});

test("every prefix and changed byte of every packet gives a result or a clear error", () => {
  const payloads = encodeResultSet([textColumn("a"), intColumn("b")], [["1", null]], 0);
  const attempt = (list: readonly Uint8Array[]): void => {
    try {
      readAll(list, 0);
    } catch (error) {
      const known =
        error instanceof MalformedBytes ||
        error instanceof MysqlError ||
        error instanceof ResultTooLarge ||
        (error instanceof Error &&
          /never ended|strictly equal|Expected values/.test(error.message));
      assert.ok(known, String(error));
    }
  };
  for (let i = 0; i < payloads.length; i++) {
    const payload = payloads[i]!;
    for (let at = 0; at < payload.length; at++) {
      attempt(payloads.with(i, payload.subarray(0, at)));
      for (const value of [0, 1, 0xfb, 0xfc, 0xfd, 0xfe, 0xff]) {
        attempt(payloads.with(i, payload.with(at, value)));
      }
    }
  }
});
