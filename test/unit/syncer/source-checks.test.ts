import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOwned } from "../../../src/syncer/source-checks.ts";

test("parseOwned takes @@gtid_owned apart as 9.7 writes it, without a mark between two sids", () => {
  const text =
    "255906dd-e6f8-11f1-9a7d-02fc00000001:7#11:6#10255906dd-e6f8-11f1-9a7d-02fc00000001:zz:1#9";
  assert.equal(parseOwned(text).toString(), "255906dd-e6f8-11f1-9a7d-02fc00000001:6-7:zz:1");
  assert.equal(parseOwned("").toString(), "");
  assert.equal(
    parseOwned("3b8135a2-e6f7-11f1-b73e-02fc00000001:1273#27#28").toString(),
    "3b8135a2-e6f7-11f1-b73e-02fc00000001:1273",
  );
});
