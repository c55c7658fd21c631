import assert from "node:assert/strict";
import { test } from "node:test";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { findStart, type Missing, NotHereYet } from "../../../src/server/start-position.ts";
import { FileMaker } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

const SOURCE = "11111111-2222-3333-4444-555555555555";

test("what is missing at one end is not refused since it was confirmed that the other end is missing", async () => {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, 3).file, "binlog.000001");
  const asked: Missing[] = [];
  const request = { gtids: GtidSet.parse(`${SOURCE}:2-5`), file: "", position: 4 };
  const start = findStart(stream, request, {
    turn: async () => {},
    isOnTimeline: async () => true,
    confirmMissing: async (what) => {
      asked.push(what);
      if (what === "older") return false;
      // While it asked, this node caught up and came to its first file: what is older others have.
      stream.addFile(new FileMaker(`${SOURCE}:1-3`).transactions(4, 6).file, "binlog.000002");
      stream.purgeBefore("binlog.000002");
      return true;
    },
    waitForMore: async () => false,
  });
  await assert.rejects(start, NotHereYet);
  assert.deepEqual(asked, ["newer", "older"]);
});

test("nothing is sent before this node has come to the timeline that the cluster is on", async () => {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, 3).file, "binlog.000001");
  const request = { gtids: GtidSet.parse(`${SOURCE}:1`), file: "", position: 4 };
  let waits = 0;
  const begin = (comes: number): Promise<unknown> =>
    findStart(stream, request, {
      turn: async () => {},
      isOnTimeline: async () => waits >= comes,
      confirmMissing: async () => false,
      waitForMore: async () => ++waits < 5,
    });
  await begin(3);
  assert.equal(waits, 3);
  await assert.rejects(begin(9), {
    name: "NotHereYet",
    message: /the timeline that the cluster is on/,
  });
});
