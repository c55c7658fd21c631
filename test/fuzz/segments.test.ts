import { test } from "node:test";
import { flipSegment } from "../support/segment-flips.ts";

test("One flip in each byte of a 64 KiB segment: found, never served, nothing acknowledged is cut", async (t) => {
  t.diagnostic(JSON.stringify(await flipSegment("one flip", () => {})));
});
