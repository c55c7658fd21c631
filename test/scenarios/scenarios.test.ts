/** The data-driven files as tests: etcd raft's own where they are at hand, and the project's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ETCD_VARIABLE,
  etcdFiles,
  etcdFolder,
  ownFiles,
  runFile,
  type ScenarioFile,
} from "./files.ts";

function check(file: ScenarioFile): void {
  test(file.label, () => {
    const { failure } = runFile(file);
    assert.ok(failure === null, failure ?? "");
  });
}

const folder = etcdFolder();
if (folder === null) {
  test("etcd raft's data-driven files", { skip: `${ETCD_VARIABLE} is not set` }, () => {});
} else {
  const { files, missing } = etcdFiles(folder);
  for (const file of files) check(file);
  for (const kind of missing) {
    test(`etcd raft's ${kind} files`, { skip: `${ETCD_VARIABLE} has none` }, () => {});
  }
}
for (const file of ownFiles()) check(file);
