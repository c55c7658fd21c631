/** A dozen planted bugs, others after each change of the sources; `npm run mutants` plants all. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";

const RUN = path.join(import.meta.dirname, "run.ts");

test("twelve planted bugs are found", (t) => {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const ran = spawnSync(process.execPath, [RUN, "--sample", "12"], { encoding: "utf8", env });
  for (const line of ran.stdout.trim().split("\n")) t.diagnostic(line);
  assert.equal(ran.status, 0, `${ran.stdout}${ran.stderr}`);
  assert.match(ran.stdout, /^caught 12 of 12/m);
});
