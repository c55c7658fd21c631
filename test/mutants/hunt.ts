/**
 * Plants one bug in a copy of the sources, and looks who finds it. The simulator gets so many seeds, however
 * long they take: a busy machine judges as an idle one does. The limits of time bound a hang only.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Hunter, Mutant } from "./patch.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const COPIED = ["src", "geo", "runtime", "demo", "test", "package.json"];
const HANG_MS = 60 * 60_000;

const SIMULATORS = {
  cores: ["--seeds", "1000"],
  machines: ["--machines", "--seeds", "60"],
  nodes: ["--nodes", "--seeds", "80"],
} as const;
/** All but what looks at sources or documentation. */
const TESTS = {
  cores: "test/unit/raft/!(behaviours|purity).test.ts",
  machines: "test/{sim/bad-disks,unit/storage/*,unit/cluster/log-writer}.test.ts",
  nodes: "test/unit/{binlog,cluster,peers,syncer,storage}/*.test.ts",
  tests: "test/unit/{storage,binlog,syncer,cluster,peers,geo}/*.test.ts",
} as const;

/** Null: it survives. */
export type Verdict = { readonly seeds: number } | { readonly test: string } | null;

/** The file with the bug in it. Throws when the patch does not apply, and so is stale. */
export async function planted(folder: string, { name, file, from, to }: Mutant): Promise<string> {
  const parts = (await readFile(path.join(folder, file), "utf8")).split(from);
  if (parts.length === 2) return parts.join(to);
  throw new Error(`"${name}" applies ${parts.length - 1} times to ${file}: mend the patch`);
}

export function rootOf(): string {
  return ROOT;
}

/** `mutant` null: of the sources as they are, which nobody may find anything in. */
export async function hunt(mutant: Mutant | null, by: Hunter): Promise<Verdict> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-mutant-"));
  try {
    for (const entry of COPIED)
      await cp(path.join(ROOT, entry), path.join(folder, entry), { recursive: true });
    await symlink(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
    if (mutant !== null)
      await writeFile(path.join(folder, mutant.file), await planted(folder, mutant));
    const found = by === "tests" ? null : await simulated(folder, by);
    return found ?? (await tested(folder, mutant?.tests ?? TESTS[by]));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The simulator's runs end at the first violation, and say how many seeds that took. */
async function simulated(folder: string, by: Exclude<Hunter, "tests">): Promise<Verdict> {
  const ran = await run(folder, ["test/sim/run.ts", "--no-shrink", ...SIMULATORS[by]]);
  if (ran.code === 0) return null;
  const seed = /^seed (\d+),/m.exec(ran.output)?.[1];
  if (seed !== undefined) return { seeds: Number(seed) };
  if (ran.code === null) return { test: "the simulator, which hangs" };
  // A bug may also break what cannot be broken: an assertion that ends the process is a find.
  if (/AssertionError|RaftBroken|TypeError|RangeError/.test(ran.output))
    return { test: "the simulator, which ends" };
  throw new Error(`The simulator did not run: ${ran.output.slice(-2000)}`);
}

async function tested(folder: string, pattern: string): Promise<Verdict> {
  const files = globSync(pattern, { cwd: folder }).sort();
  if (files.length === 0) throw new Error(`No test is named ${pattern}`);
  for (const file of files) {
    const ran = await run(folder, ["--test", "--test-force-exit", file]);
    if (ran.code !== 0) return { test: path.basename(file) };
  }
  return null;
}

/** `code` is null when it had to be ended. */
function run(
  folder: string,
  args: readonly string[],
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: HANG_MS,
    killSignal: "SIGKILL",
    // A test runner that finds itself in another one reports to that.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  let output = "";
  const add = (text: Buffer): void => {
    output = `${output}${text}`.slice(-100_000);
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}
