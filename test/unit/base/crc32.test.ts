/** The table CRC against zlib's, at every alignment, length and split. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import { crc32 } from "../../../src/base/crc32.ts";

const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 167 + 13) & 0xff);

test("crc32 of the standard check string", () => {
  const check = new TextEncoder().encode("123456789");
  assert.equal(crc32(check, 0, check.length), 0xcbf43926);
  assert.equal(crc32(check, 0, 0), 0);
});

test("crc32 equals zlib's for every start and length", () => {
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= bytes.length; end++) {
      assert.equal(crc32(bytes, start, end), zlibCrc32(bytes.subarray(start, end)));
    }
  }
});

test("crc32 chains over any split", () => {
  const whole = zlibCrc32(bytes);
  for (let at = 0; at <= bytes.length; at++) {
    assert.equal(crc32(bytes, at, bytes.length, crc32(bytes, 0, at)), whole);
  }
});
