import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadingTrail } from "../../../src/server/reading-trail.ts";

const MIB = 1024 * 1024;

test("ReadingTrail stays behind by what may be on the way, and not by much more", () => {
  const trail = new ReadingTrail();
  assert.equal(trail.place, null);
  // One entry for each MiB.
  for (let entry = 0; entry <= 400; entry++) {
    trail.note(entry, entry * MIB);
    const behind = entry - trail.place!;
    assert.ok(behind >= Math.min(entry, 16) && behind <= 32, `${entry}: ${behind}`);
  }
});
