import assert from "node:assert/strict";
import { test } from "node:test";
import { describeFatal, describeStartError } from "../../../src/cli/start-error.ts";
import { DiskError } from "../../../src/platform/disk.ts";
import { NetError } from "../../../src/platform/net.ts";
import { UnknownFormat } from "../../../src/storage/format.ts";
import { LogCorrupt, LogFull } from "../../../src/storage/storage.ts";

test("describeStartError gives each failure its code and a sentence", () => {
  const cases: readonly [Error, string, RegExp][] = [
    [
      new NetError(
        "EADDRINUSE",
        "Cannot listen on 127.0.0.1:1: listen EADDRINUSE: address already in use 127.0.0.1:1",
      ),
      "BR1102",
      /^Cannot listen on 127\.0\.0\.1:1: the address is in use$/,
    ],
    [
      new NetError("EACCES", "Cannot listen on 127.0.0.1:1: listen EACCES: permission denied"),
      "BR1103",
      /EACCES/,
    ],
    [
      new DiskError("ELOCKED", "Data directory is in use: d; stop the other process"),
      "BR1101",
      /in use/,
    ],
    [new DiskError("ENOSPC", "Cannot write f"), "BR1203", /disk is full/],
    [new DiskError("EACCES", "Cannot open f: EACCES"), "BR1104", /Cannot open f/],
    [new LogCorrupt("damaged"), "BR1201", /damaged/],
    [new UnknownFormat("segment", 9), "BR1202", /format 9/],
    [new LogFull(), "BR1203", /full/],
    [new Error("boom"), "BR1105", /could not start: boom/],
  ];
  for (const [error, code, message] of cases) {
    const described = describeStartError(error);
    assert.equal(described.code, code);
    assert.match(described.message, message);
    assert.equal(described.cause, error);
  }
  const known = describeFatal(new Error("EIO"));
  assert.equal(known.code, "BR1204");
  assert.equal(describeStartError(known), known);
});
