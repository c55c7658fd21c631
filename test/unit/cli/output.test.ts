import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatBytes,
  formatDuration,
  Output,
  plural,
  tableLines,
} from "../../../src/cli/output.ts";

test("tableLines aligns numbers to the right and marks what is empty", () => {
  const rows = [
    ["a", 5, true, null],
    ["longer", 1234, false, ""],
  ];
  assert.deepEqual(tableLines(["NAME", "BYTES", "TLS", "X"], rows), [
    "NAME    BYTES  TLS  X",
    "a           5  yes  -",
    "longer   1234  no   -",
  ]);
});

test("tableLines lets no control character through", () => {
  assert.deepEqual(tableLines(["N"], [["a\x1b[2Jb\n"]]), ["N", "a\\x1b[2Jb\\x0a"]);
});

test("formatBytes, formatDuration and plural", () => {
  assert.equal(formatBytes(1023), "1023 B");
  assert.equal(formatBytes(1536), "1.5 KiB");
  assert.equal(formatBytes(2 ** 41), "2.0 TiB");
  assert.equal(formatDuration(59_999), "59 s");
  assert.equal(formatDuration(3_700_000), "1 h 1 min");
  assert.equal(formatDuration(90_000_000), "1 d 1 h");
  assert.equal(plural(1, "file"), "1 file");
  assert.equal(plural(0, "file"), "0 files");
});

test("Output paints only on a terminal and without NO_COLOR", () => {
  const paint = (isTerminal: boolean, env: Record<string, string>): string => {
    const sink = { write: () => {}, isTerminal };
    return new Output({ stdout: sink, stderr: sink, env }, false).paint("red", "x");
  };
  assert.equal(paint(true, {}), "\x1b[31mx\x1b[0m");
  assert.equal(paint(true, { NO_COLOR: "1" }), "x");
  assert.equal(paint(false, {}), "x");
});
