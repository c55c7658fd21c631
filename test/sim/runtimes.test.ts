/** The core does the same on every runtime: equal seeds leave equal traces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RUNTIMES, type Runtime } from "../../demo/runtimes.ts";
import { runScript, whyNot } from "../support/runtimes.ts";

const SEEDS = 20;

function traces(runtime: Runtime): string[] {
  const { status, stdout, stderr } = runScript(runtime, "test/sim/traces.ts", [`${SEEDS}`]);
  assert.equal(status, 0, `${runtime}:\n${stderr}`);
  return stdout.trimEnd().split("\n");
}

const onNode = traces("node");

test("a trace for each seed, and no two the same", () => {
  assert.equal(onNode.length, SEEDS);
  assert.equal(new Set(onNode.map((line) => line.split(" ")[1])).size, SEEDS);
});

for (const runtime of RUNTIMES.filter((one) => one !== "node")) {
  test(`${SEEDS} seeds leave the same traces on ${runtime}`, { skip: whyNot(runtime) }, () => {
    assert.deepEqual(traces(runtime), onNode);
  });
}
