import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean } from "../../../src/config/suggest.ts";

test("didYouMean names the nearest word, and nothing when none is near", () => {
  const words = ["region", "name", "data_dir", "server_id"];
  assert.equal(didYouMean("regoin", words), '; did you mean "region"?');
  assert.equal(didYouMean("DATADIR", words), '; did you mean "data_dir"?');
  assert.equal(didYouMean("completely", words), "");
  assert.equal(didYouMean("", words), "");
});
