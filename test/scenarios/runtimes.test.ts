/**
 * The data-driven files on every runtime. Each is counted by its own runner, and the counts are held
 * against each other: a runner that finds no file, or fewer, must not pass for one that passed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RUNTIMES, type Runtime } from "../../demo/runtimes.ts";
import { whyNot } from "../support/runtimes.ts";
import { etcdFiles, etcdFolder, ownFiles } from "./files.ts";
import { runScenarios } from "./on-runtime.ts";

interface Counted {
  /** One a file: its name and how many directives it has. */
  readonly files: readonly string[];
  readonly passed: number;
  readonly failed: number;
}

function count(runtime: Runtime): Counted {
  const { status, stdout, stderr } = runScenarios(runtime, []);
  const summary = /^(\d+) passed, (\d+) failed$/m.exec(stdout);
  assert.ok(summary !== null, `${runtime} came to no end:\n${stdout.slice(-2000)}${stderr}`);
  const [passed, failed] = [Number(summary[1]), Number(summary[2])];
  assert.equal(status, 0, `${runtime}:\n${stdout.slice(-4000)}${stderr}`);
  const files = stdout.split("\n").filter((line) => line.startsWith("ok  "));
  return { files, passed, failed };
}

const folder = etcdFolder();
const expected = (folder === null ? 0 : etcdFiles(folder).files.length) + ownFiles().length;
const first = count("node");

for (const runtime of RUNTIMES) {
  test(`the data-driven files pass on ${runtime}`, { skip: whyNot(runtime) }, () => {
    const counted = runtime === "node" ? first : count(runtime);
    assert.equal(counted.failed, 0);
    assert.equal(counted.passed, expected, "as many as were found here");
    assert.equal(counted.files.length, counted.passed, "a line for each");
    assert.deepEqual(counted.files, first.files, "the same files and directives as on Node");
    assert.ok(counted.passed > 0, "none is no success");
  });
}
