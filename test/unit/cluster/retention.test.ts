import assert from "node:assert/strict";
import { test } from "node:test";
import type { BinlogFile } from "../../../src/binlog/file-view.ts";
import { firstFileToKeep } from "../../../src/cluster/retention.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";

/** Files of 100 bytes each, one an hour, the newest now. */
function files(count: number): BinlogFile[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `binlog.00000${i + 1}`,
    number: i + 1,
    sourceName: `binlog.00000${i + 1}`,
    sourceUuid: "u",
    epoch: 1,
    startEntry: 1 + i * 10,
    gtidsBefore: new GtidSet(),
    size: 100,
    end: i === count - 1 ? "open" : "rotate",
    partial: false,
    firstTimestamp: i * 3600,
    lastTimestamp: (i + 1) * 3600,
  }));
}

const NOBODY = Number.POSITIVE_INFINITY;
const keepAll = { retentionBytes: null, retentionHours: null };

test("firstFileToKeep keeps all without a policy, and always the newest file", () => {
  assert.equal(firstFileToKeep(files(5), keepAll, 1e9, NOBODY), null);
  const tiny = { retentionBytes: 1, retentionHours: null };
  assert.equal(firstFileToKeep(files(5), tiny, 0, NOBODY)?.name, "binlog.000005");
  assert.equal(firstFileToKeep(files(1), tiny, 0, NOBODY), null);
});

test("firstFileToKeep goes by size and by the age of a file's newest event", () => {
  const bySize = { retentionBytes: 250, retentionHours: null };
  assert.equal(firstFileToKeep(files(5), bySize, 0, NOBODY)?.name, "binlog.000004");
  const byAge = { retentionBytes: null, retentionHours: 2 };
  assert.equal(firstFileToKeep(files(5), byAge, 5 * 3600, NOBODY)?.name, "binlog.000003");
});

test("firstFileToKeep waits for a reader, until the log is twice its size", () => {
  const policy = { retentionBytes: 300, retentionHours: null };
  assert.equal(firstFileToKeep(files(5), policy, 0, 5), null);
  assert.equal(firstFileToKeep(files(5), policy, 0, 12)?.name, "binlog.000002");
  const small = { retentionBytes: 100, retentionHours: null };
  assert.equal(firstFileToKeep(files(5), small, 0, 5)?.name, "binlog.000004");
});
