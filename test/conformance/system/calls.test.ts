/**
 * What the runtime makes of the platform's calls, seen by strace: that a sync is one, that a short write is
 * gone on with, that small parts are sent together. No other way tells a sync from none.
 */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { OWN_RUNTIME } from "../../../demo/runtimes.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { noStrace, systemCalls } from "./strace.ts";

const title = (what: string): string =>
  `${OWN_RUNTIME}: ${what}${noStrace === false ? "" : ` (${noStrace})`}`;
const options = { skip: noStrace, timeout: 15 * 60_000 };

test(
  title("sync is fdatasync, a folder's is fsync, a durable file has O_DSYNC"),
  options,
  async () => {
    await using root = await tempDir("calls");
    const trace = "trace=fdatasync,fsync,openat,rename,renameat,renameat2,sync_file_range";
    const calls = await systemCalls("disk-calls.ts", [root.path], ["-e", trace]);
    const count = (pattern: RegExp): number => calls.filter((call) => pattern.test(call)).length;
    const at = (name: string): string => `${root.path}/${name}`;
    assert.equal(count(new RegExp(`^fdatasync\\(\\d+<${at("log/synced")}>\\) += 0`)), 3);
    assert.equal(count(new RegExp(`^openat\\(.*"${at("log/synced")}", [^)]*O_DSYNC`)), 1);
    assert.equal(count(new RegExp(`^fsync\\(\\d+<${at("log")}>\\) += 0`)), 1);
    const written = `${at("exported")}\\.\\d+\\.tmp`;
    assert.equal(count(new RegExp(`^fsync\\(\\d+<${written}>\\) += 0`)), 1);
    assert.equal(count(new RegExp(`^fsync\\(\\d+<${root.path}>\\) += 0`)), 1);
    // The name is durable only behind its file, and the folder's sync behind the name.
    const order = calls.filter((call) => /^(fsync|rename)/.test(call) && call.includes(root.path));
    assert.deepEqual(
      order.map((call) => /^(fsync|rename)/.exec(call)![0]),
      ["rename", "fsync", "fsync", "rename", "fsync"],
    );
  },
);

test(title("a short write is gone on with"), options, async () => {
  await using root = await tempDir("calls");
  await mkdir(root.path, { recursive: true });
  const file = path.join(root.path, "parts");
  await writeFile(file, "");
  // The first write of a thread is said to have written 2,500 bytes, and writes nothing.
  const inject = "inject=pwrite64,pwritev,pwritev2:retval=2500:when=1";
  const calls = await systemCalls(
    "disk-calls.ts",
    [root.path, "write"],
    ["-P", file, "-e", inject],
  );
  const short = calls.filter((call) => call.includes("(INJECTED)")).length;
  assert.ok(short > 0, "no write was short");
  const bytes = await readFile(file);
  assert.equal(bytes.length, 64_000);
  const expected = Buffer.concat(
    Array.from({ length: 64 }, (_, number) => new Uint8Array(1_000).fill(number + 1)),
  ).fill(0, 0, short * 2_500);
  assert.ok(bytes.equals(expected), "what followed a short write is not in its place");
});

test(title("small parts of one write are sent together"), options, async () => {
  const calls = await systemCalls("net-calls.ts", [], ["-e", "trace=write,writev,sendto,sendmsg"]);
  const sends = calls.filter((call) => /^\w+\(\d+<TCP:/.test(call));
  const bytes = sends.reduce((sum, call) => sum + Number(/= (\d+)$/.exec(call)?.[1] ?? 0), 0);
  assert.equal(bytes, 100_000);
  assert.ok(sends.length <= 10, `${sends.length} sends for 100,000 bytes`);
});
