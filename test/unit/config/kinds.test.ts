import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHostPort, parseHostPort, parseSize } from "../../../src/config/kinds.ts";

test("parseSize reads bytes and units", () => {
  const cases: readonly [string, number | null][] = [
    ["0", 0],
    ["65536", 65536],
    ["128MiB", 134_217_728],
    ["128 mib", 134_217_728],
    ["1.5KiB", 1536],
    ["2GB", 2_000_000_000],
    ["1TiB", 2 ** 40],
    ["0.3B", null],
    ["MiB", null],
    ["12XB", null],
    ["-1", null],
    ["1e3", null],
    ["99999999TiB", null],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, text);
});

test("parseHostPort reads names, IPv4 and bracketed IPv6, and formatHostPort writes them", () => {
  for (const text of ["127.0.0.1:3307", "db.example:1", "[::1]:65535", "localhost:0"]) {
    assert.equal(formatHostPort(parseHostPort(text)!), text);
  }
  for (const text of ["", "host", "host:", ":3307", "host:65536", "::1:3307", "a b:1", "host:1x"]) {
    assert.equal(parseHostPort(text), null, text);
  }
});
