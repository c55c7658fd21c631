/** Well-formed frames with hostile values, played against running nodes; `npm run soak -- meaning` plays more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MeaningFuzz, unreachedKinds } from "./meaning.ts";

test("nothing that somebody with the secret says moves a cluster of which he is no member", async () => {
  const reached = await new MeaningFuzz(1).run(3_000);
  assert.deepEqual(unreachedKinds(reached), []);
  assert.ok(Object.keys(reached.reasons).length > 10, JSON.stringify(reached.reasons));
});
