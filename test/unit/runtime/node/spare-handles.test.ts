import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const DISK = pathToFileURL(path.resolve("runtime/node/disk.ts")).href;

/** Takes all handles of its process, then lets the disk open files; prints how many it could. */
const PROGRAM = `
import { openSync, readdirSync } from "node:fs";
import { nodeDisk } from ${JSON.stringify(DISK)};
const disk = nodeDisk(process.argv[1]);
await (await disk.open("first", "create")).close();
const open = () => readdirSync("/proc/self/fd").length;
// The reserve is filled beside the work.
for (let before = -1; before !== open(); await new Promise((done) => setTimeout(done, 50))) before = open();
try {
  for (;;) openSync("/dev/null", "r");
} catch (error) {
  if (error.code !== "EMFILE") throw error;
}
const files = [];
try {
  for (;;) files.push(await disk.open("file" + files.length, "create"));
} catch (error) {
  console.log(error.code, files.length);
}
for (const file of files) await file.close();
const again = await disk.open("again", "create");
await again.close();
`;

test("the log opens files when the process has no handle left, out of a reserve, and then says so", () => {
  const root = mkdtempSync(path.join(tmpdir(), "binraft-spares-"));
  try {
    const args = ["-c", 'ulimit -n 200 && exec "$0" "$@"', process.execPath];
    const node = ["--no-warnings", "--input-type=module-typescript", "-e", PROGRAM, root];
    const said = execFileSync("/bin/sh", [...args, ...node], { encoding: "utf8" });
    assert.equal(said, "EMFILE 8\n");
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
