import assert from "node:assert/strict";
import { differenceOf } from "../../demo/mysqlbinlog.ts";

/** Fails with the place where the files part. */
export function assertSameFiles(
  ours: ReadonlyMap<string, Uint8Array>,
  theirs: ReadonlyMap<string, Uint8Array>,
): void {
  const difference = differenceOf(ours, theirs);
  if (difference !== null) assert.fail(difference);
}
