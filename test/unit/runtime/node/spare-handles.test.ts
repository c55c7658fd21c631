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

const SPARES = pathToFileURL(path.resolve("runtime/node/spare-handles.ts")).href;
const NET = pathToFileURL(path.resolve("runtime/node/net.ts")).href;

/** Clients of another process come again and again and stay; prints how many files the log could open meanwhile. */
const LISTENER = `
import { closeSync, openSync } from "node:fs";
import { nodeDisk } from ${JSON.stringify(DISK)};
import { nodeNet } from ${JSON.stringify(NET)};
import { handlesAreShort } from ${JSON.stringify(SPARES)};
import { spawn } from "node:child_process";
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const disk = nodeDisk(process.argv[1]);
await (await disk.open("first", "create")).close();
const net = nodeNet({ wrapDuplex: false, joinsCorked: false }, () => null);
let served = 0;
const listener = await net.listen({ host: "127.0.0.1", port: 0 }, () => served++);
const crowd = spawn(process.execPath, ["-e", \`
  const again = () => {
    const one = require("node:net").connect(\${listener.address.port}, "127.0.0.1");
    one.on("error", () => {}).on("close", () => setTimeout(again, 2)).resume();
  };
  for (let i = 0; i < 4; i++) again(), setInterval(again, 5);
\`], { stdio: "ignore" });
while (served < 4) await sleep(10);
const taken = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {}
const files = [];
for (let tries = 0; tries < 200 && files.length < 8; tries++) {
  await disk.open("file" + files.length, "create").then((file) => files.push(file), () => {});
  await sleep(20);
}
const isShort = handlesAreShort();
for (const one of taken.slice(0, 20)) closeSync(one);
const then = served;
while (served === then) await sleep(10);
console.log(files.length, isShort, handlesAreShort());
crowd.kill();
process.exit();
`;

test("what comes while handles are short is closed at once, and served again afterwards", () => {
  const root = mkdtempSync(path.join(tmpdir(), "binraft-spares-"));
  try {
    const args = ["-c", 'ulimit -n 200 && exec "$0" "$@"', process.execPath];
    const node = ["--no-warnings", "--input-type=module-typescript", "-e", LISTENER, root];
    const options = { encoding: "utf8", timeout: 60_000 } as const;
    assert.equal(execFileSync("/bin/sh", [...args, ...node], options), "8 true false\n");
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
