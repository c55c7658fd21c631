import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, MalformedBytes, toHex } from "../../../src/base/bytes.ts";
import { CLIENT_DEPRECATE_EOF, CLIENT_SESSION_TRACK } from "../../../src/mysql/capabilities.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import {
  decodeEof,
  decodeErr,
  decodeOk,
  encodeEof,
  encodeErr,
  encodeOk,
  encodeResultEnd,
  isEof,
} from "../../../src/mysql/response.ts";

test("OK and EOF as a 9.7 server sends them", () => {
  assert.equal(toHex(encodeOk()), "00000002000000");
  assert.equal(toHex(encodeEof()), "fe00000200");
  assert.equal(toHex(encodeResultEnd(CLIENT_DEPRECATE_EOF)), "fe000002000000");
  assert.equal(toHex(encodeResultEnd(0)), "fe00000200");
  assert.ok(isEof(encodeEof()));
  assert.deepEqual(decodeEof(fromHex("fe03002200")), { status: 0x22, warnings: 3 });
});

test("OK with a session state", () => {
  const ok = decodeOk(
    fromHex("00000002400000000501030264 31".replaceAll(" ", "")),
    CLIENT_SESSION_TRACK,
  );
  assert.deepEqual(ok, { affectedRows: 0, insertId: 0n, status: 0x4002, warnings: 0, info: "" });
});

test("OK round trips", () => {
  fc.assert(
    fc.property(
      fc.record({
        affectedRows: fc.nat(2 ** 40),
        insertId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        status: fc.nat(0x3fff),
        warnings: fc.nat(0xffff),
        info: fc.string({ maxLength: 200 }).filter((text) => !text.startsWith("﻿")),
      }),
      (record) => {
        const ok = { ...record };
        assert.deepEqual(decodeOk(encodeOk(ok), CLIENT_SESSION_TRACK), ok);
        assert.deepEqual(decodeOk(encodeOk(ok), 0), ok);
      },
    ),
  );
});

test("ERR has number, state and text; before the login no state", () => {
  const error = new MysqlError(1236, "HY000", "Could not open log file");
  const hex = toHex(encodeErr(error));
  assert.ok(hex.startsWith("ffd404234859303030"));
  assert.ok(toHex(encodeErr(error, true)).startsWith("ffd404436f756c64"));
  for (const payload of [encodeErr(error), encodeErr(error, true)]) {
    const decoded = decodeErr(payload);
    assert.deepEqual(
      [decoded.errno, decoded.sqlState, decoded.message],
      [1236, "HY000", error.message],
    );
  }
});

test("server texts are cut and made printable", () => {
  const nasty = new MysqlError(1, "HY000", `\x1b[31m\r\n${"x".repeat(2000)}`);
  const decoded = decodeErr(encodeErr(nasty));
  assert.ok(decoded.message.startsWith("\\x1b[31m\\x0d\\x0a"));
  assert.ok(decoded.message.length <= 513);
});

test("short answers are malformed", () => {
  for (const hex of ["00", "0000", "000000", "00000002", "000000020000", "00fb"]) {
    assert.throws(() => decodeOk(fromHex(hex), 0), MalformedBytes, hex);
  }
  assert.throws(() => decodeErr(fromHex("ff01")), MalformedBytes);
  assert.throws(() => decodeEof(fromHex("fe0000")), MalformedBytes);
});
