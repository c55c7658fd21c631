/**
 * The same test files under Bun's and Deno's own test runners. What ran is taken from the report
 * (JUnit's XML) that both write, and never from an exit code alone: a runner that finds no test passes.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type Runtime, runtimeProgram } from "../../demo/runtimes.ts";

export type OtherRuntime = Exclude<Runtime, "node">;

export interface RunnerReport {
  readonly runtime: OtherRuntime;
  readonly passed: number;
  /** Names of tests. */
  readonly failed: readonly string[];
  /** Names, which say why. */
  readonly skipped: readonly string[];
  /** The last of what it printed. */
  readonly output: string;
  readonly ms: number;
}

const ROOT = path.join(import.meta.dirname, "../..");
const OUTPUT_BYTES = 16_000;
/** Of one test. */
const HANG_MS = 60 * 60_000;

/** `files` are named from the project's root. Rejects when there is no report to read. */
export async function runTestsOn(
  runtime: OtherRuntime,
  files: readonly string[],
  timeoutMs: number,
): Promise<RunnerReport> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-runner-"));
  try {
    const report = path.join(folder, "report.xml");
    const startedMs = performance.now();
    const output = await runnerOutput(runtime, argumentsOf(runtime, report, files), timeoutMs);
    const ms = performance.now() - startedMs;
    const xml = await readFile(report, "utf8").catch(() => null);
    if (xml === null) throw new Error(`${runtime} came to no end; it printed last:\n${output}`);
    return { runtime, ...readReport(xml), output, ms };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function argumentsOf(runtime: OtherRuntime, report: string, files: readonly string[]): string[] {
  const named = files.map((file) => `./${file}`);
  if (runtime === "bun") {
    const written = ["--reporter=junit", `--reporter-outfile=${report}`];
    return ["test", `--timeout=${HANG_MS}`, ...written, ...named];
  }
  // The tests make folders, mount file systems and start programs; what the product itself needs of
  // Deno's permissions stands in deno.json.
  return ["test", "-A", "--no-check", "--no-remote", `--junit-path=${report}`, ...named];
}

function runnerOutput(
  runtime: OtherRuntime,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const program = runtimeProgram(runtime);
  if (program === null) throw new Error(`npm has no ${runtime} for this machine`);
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let output = "";
  const add = (text: Buffer): void => {
    output = `${output}${text}`.slice(-OUTPUT_BYTES);
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    // Not `close`: a process that a failed test left behind may hold the pipes for ever.
    child.once("exit", () => setImmediate(() => resolve(output)));
  });
}

/** Of `<testcase name="…" …>` what stands in it: a failure, that it was skipped, or nothing. */
export function readReport(xml: string): Pick<RunnerReport, "passed" | "failed" | "skipped"> {
  const failed: string[] = [];
  const skipped: string[] = [];
  let passed = 0;
  for (const [, name, body] of xml.matchAll(
    /<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    if (/<(?:failure|error)\b/.test(body ?? "")) failed.push(plain(name!));
    else if (/<skipped\b/.test(body ?? "")) skipped.push(plain(name!));
    else passed++;
  }
  return { passed, failed, skipped };
}

function plain(text: string): string {
  const entities = { lt: "<", gt: ">", quot: '"', apos: "'", "#39": "'", amp: "&" } as const;
  return text.replace(/&(lt|gt|quot|apos|#39|amp);/g, (_, name: keyof typeof entities) => {
    return entities[name];
  });
}
