/**
 * The one test command. Runs every group that this checkout has, one after the other, prints a
 * line for each test file and everything about a failure, and names at the end what was skipped.
 *
 *   npm test                          all groups
 *   npm test -- --only unit,e2e       some of them
 *
 * Fails when a test fails, and also when a group ran no test: silence is not success.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import path from "node:path";
import { run } from "node:test";
import { inspect, parseArgs } from "node:util";
import { type RunnerReport, runTestsOn } from "./support/other-runners.ts";
import { whyNot } from "./support/runtimes.ts";

const ROOT = path.join(import.meta.dirname, "..");
const FLUSH_AT_EXIT = path.join(ROOT, "test/support/flush-at-exit.ts");

interface Group {
  readonly name: string;
  readonly what: string;
  /** Folders or files; those that do not exist are passed over, unless none is left. */
  readonly files: readonly string[];
  readonly concurrency: number;
  /** Bun and Deno run it, too. */
  readonly everywhere?: true;
  /** Runs first; throws when the group cannot run. */
  readonly prepare?: () => Promise<void>;
}

interface Outcome {
  readonly group: string;
  readonly tests: number;
  readonly failures: readonly string[];
  readonly skips: readonly string[];
  readonly ms: number;
}

const MINUTE_MS = 60_000;
/** These bound a hang and no slow machine: what takes minutes alone takes an hour beside much else. */
const HANG_MS = 60 * MINUTE_MS;
const GROUPS: readonly Group[] = [
  {
    name: "tidy",
    what: "layout, import directions, generated pages",
    files: ["test/tidy.test.ts", "test/tidy"],
    concurrency: 1,
  },
  {
    name: "unit",
    what: "units, properties and fuzzers",
    files: ["test/unit", "test/fuzz"],
    concurrency: 2,
    everywhere: true,
  },
  {
    name: "scenarios",
    what: "etcd raft's data-driven files against the core, and its own",
    files: ["test/scenarios"],
    concurrency: 2,
  },
  {
    name: "sim",
    what: "whole clusters of cores, machines and nodes, with faults, by seeds",
    files: ["test/sim"],
    concurrency: 2,
    everywhere: true,
  },
  {
    name: "mutants",
    what: "planted bugs, a sample: others after each change",
    files: ["test/mutants"],
    concurrency: 1,
  },
  {
    name: "conformance",
    what: "one suite over every platform",
    files: ["test/conformance"],
    concurrency: 2,
    everywhere: true,
  },
  {
    name: "e2e",
    what: "real MySQL servers as source and replica",
    files: ["test/e2e"],
    concurrency: 2,
    prepare: installMysql,
  },
];
/** Groups that are no test files. */
const TYPES = "types";
/** What is `everywhere`, by Bun's and Deno's runners, side by side. */
const RUNTIMES = "runtimes";
const NAMES = ["tidy", TYPES, ...GROUPS.slice(1).map((group) => group.name), RUNTIMES];
/** Of those groups: they start Node with flags of its own, are about it, or start all runtimes themselves. */
const NODE_ONLY: ReadonlySet<string> = new Set([
  // Repetition: the first hundred seeds show that whole nodes do the same there.
  ...[2, 3, 4, 5].map((file) => `test/sim/nodes-${file}.test.ts`),
  "test/conformance/node-wrapped.test.ts",
  "test/conformance/pairs/locks.test.ts",
  "test/conformance/pairs/pairs.test.ts",
  "test/sim/iteration-order.test.ts",
  "test/unit/runtime/node/spare-handles.test.ts",
  "test/sim/runtimes.test.ts",
]);
/** Tests by file, as Node counted them. */
const onNode = new Map<string, number>();

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const wanted = values.only?.split(",") ?? NAMES;
  const unknown = wanted.filter((name) => !NAMES.includes(name));
  if (unknown.length > 0) {
    console.error(`Unknown group "${unknown[0]}": expected ${NAMES.join(", ")}`);
    return 2;
  }
  const startedMs = performance.now();
  const outcomes: Outcome[] = [];
  for (const name of NAMES) {
    if (!wanted.includes(name)) continue;
    const group = GROUPS.find((one) => one.name === name);
    if (group !== undefined) outcomes.push(await runGroup(group));
    else outcomes.push(name === TYPES ? checkTypes() : await runOnOthers());
  }
  return summarise(outcomes, performance.now() - startedMs);
}

function heading(name: string, what: string): void {
  console.log(`\n── ${name}: ${what} ${"─".repeat(Math.max(3, 70 - name.length - what.length))}`);
}

function checkTypes(): Outcome {
  heading(TYPES, "tsc, the core without any runtime's types");
  const startedMs = performance.now();
  const configs = ["tsconfig.json", "tsconfig.runtime.json"];
  const failures: string[] = [];
  for (const config of configs) {
    const tsc = path.join(ROOT, "node_modules/.bin/tsc");
    const result = spawnSync(tsc, ["-p", config], { cwd: ROOT, encoding: "utf8" });
    const passed = result.status === 0;
    console.log(`${passed ? "ok  " : "FAIL"}  ${config}`);
    if (passed) continue;
    console.log(`${result.stdout}${result.stderr}`);
    failures.push(`types: ${config}`);
  }
  const ms = performance.now() - startedMs;
  return { group: TYPES, tests: configs.length, failures, skips: [], ms };
}

/** The same files on Bun and Deno: each has to count as many tests as Node did. */
async function runOnOthers(): Promise<Outcome> {
  heading(RUNTIMES, "units, simulators and conformance on Bun and Deno");
  const startedMs = performance.now();
  const files = GROUPS.filter(({ everywhere }) => everywhere)
    .flatMap(filesOf)
    .map(relative)
    .filter((file) => !NODE_ONLY.has(file));
  const counts = files.map((file) => onNode.get(file));
  const outcome = { failures: [] as string[], skips: [] as string[], tests: 0 };
  const all = (["bun", "deno"] as const).map(async (runtime) => {
    const missing = whyNot(runtime);
    if (missing !== false) return void outcome.skips.push(`${runtime}: ${missing}`);
    try {
      const report = await runTestsOn(runtime, files, HANG_MS);
      judgeRunner(report, counts.includes(undefined) ? null : sum(counts as number[]), outcome);
    } catch (error) {
      console.log(`FAIL  ${(error as Error).message}`);
      outcome.failures.push(`${runtime}: ${(error as Error).message.split("\n")[0]}`);
    }
  });
  await Promise.all(all);
  return { group: RUNTIMES, ...outcome, ms: performance.now() - startedMs };
}

/** `expected` is null when Node did not run all of the files this time. */
function judgeRunner(
  { runtime, passed, failed, skipped, output, ms }: RunnerReport,
  expected: number | null,
  outcome: { failures: string[]; skips: string[]; tests: number },
): void {
  const counted = passed + failed.length + skipped.length;
  const complete = counted > 0 && (expected === null || counted === expected);
  const good = complete && failed.length === 0;
  const more = skipped.length === 0 ? "" : `, ${skipped.length} skipped`;
  console.log(`${good ? "ok  " : "FAIL"}  ${runtime}  ${counted} tests${more}, ${seconds(ms)}`);
  outcome.tests += passed + failed.length;
  outcome.skips.push(...skipped.map((name) => `${runtime}: ${name}`));
  outcome.failures.push(...failed.map((name) => `${runtime}: ${name}`));
  if (!complete) outcome.failures.push(`${runtime}: ${counted} tests, where Node has ${expected}`);
  if (!good) console.log(indent(`what it printed last:\n${output}`));
}

async function installMysql(): Promise<void> {
  const { findMysql } = await import("../demo/mysql/install.ts");
  const { version } = await findMysql({ onProgress: (line) => console.log(`      ${line}`) });
  console.log(`      MySQL ${version}`);
}

function filesOf(group: Group): string[] {
  return group.files
    .flatMap((entry) => {
      if (entry.endsWith(".ts")) return existsSync(path.join(ROOT, entry)) ? [entry] : [];
      return globSync(`${entry}/**/*.test.ts`, { cwd: ROOT });
    })
    .sort()
    .map((file) => path.join(ROOT, file));
}

async function runGroup(group: Group): Promise<Outcome> {
  heading(group.name, group.what);
  const startedMs = performance.now();
  const failures: string[] = [];
  const skips: string[] = [];
  let tests = 0;
  try {
    await group.prepare?.();
    const files = filesOf(group);
    if (files.length > 0) tests = await runFiles(group, files, failures, skips);
  } catch (error) {
    console.log(`FAIL  ${(error as Error).message}`);
    failures.push(`${group.name}: ${(error as Error).message}`);
  }
  if (tests === 0 && failures.length === 0) {
    console.log("FAIL  no test ran");
    failures.push(`${group.name}: no test ran`);
  }
  return { group: group.name, tests, failures, skips, ms: performance.now() - startedMs };
}

async function runFiles(
  group: Group,
  files: readonly string[],
  failures: string[],
  skips: string[],
): Promise<number> {
  let tests = 0;
  const events = run({
    files,
    cwd: ROOT,
    concurrency: group.concurrency,
    timeout: HANG_MS,
    // Node's own cleanup at the end of a process can spin for ever on a TLS socket that was reset.
    execArgv: ["--test-force-exit", "--import", FLUSH_AT_EXIT],
  });
  const output = new Map<string, string>();
  const silent = new Set(files);
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") {
      // Shown with the failure, if there is one.
      const said = `${output.get(data.file) ?? ""}${data.message}`;
      output.set(data.file, said.slice(-8000));
    } else if (type === "test:pass" || type === "test:fail") {
      const { skip } = data;
      const where = relative(data.file ?? data.name);
      if (skip !== undefined && skip !== false) {
        skips.push(
          `${where}: ${data.name}: ${typeof skip === "string" ? skip : "no reason given"}`,
        );
      }
      if (type === "test:fail" && isOwnFailure(data)) {
        failures.push(`${where}: ${data.name}`);
        printFailure(where, data);
      }
    } else if (type === "test:summary" && data.file !== undefined) {
      const { counts, success, duration_ms: ms } = data;
      silent.delete(data.file);
      onNode.set(relative(data.file), counts.tests);
      tests += counts.passed + counts.failed;
      const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
      const line = `${relative(data.file)}  ${counts.tests} tests${skipped}, ${seconds(ms)}`;
      console.log(`${success ? "ok  " : "FAIL"}  ${line}`);
      const said = output.get(data.file) ?? "";
      if (!success && said !== "") console.log(indent(`what it printed last:\n${said}`));
    }
  }
  // A green run that lacks a file says nothing about it.
  for (const file of silent) {
    console.log(`FAIL  ${relative(file)}  did not report`);
    failures.push(`${relative(file)}: did not report`);
  }
  return tests;
}

interface Failure {
  readonly name: string;
  readonly details: { readonly error: Error };
}

/** A suite fails because of a test in it, which is reported by itself. */
function isOwnFailure({ details }: Failure): boolean {
  return (details.error as { failureType?: string }).failureType !== "subtestsFailed";
}

function printFailure(where: string, { name, details }: Failure): void {
  const error = details.error.cause ?? details.error;
  const text = error instanceof Error ? inspect(error, { depth: 4 }) : String(error);
  console.log(`FAIL  ${where}: ${name}\n${indent(text)}`);
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, "      ");
}

function relative(file: string): string {
  return path.isAbsolute(file) ? path.relative(ROOT, file) : file;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function summarise(outcomes: readonly Outcome[], ms: number): number {
  const skips = outcomes.flatMap((outcome) => outcome.skips);
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  heading("summary", `${seconds(ms)} in all`);
  for (const { group, tests, failures: failed, skips: skipped, ms: took } of outcomes) {
    const counts = `${tests} tests, ${failed.length} failed, ${skipped.length} skipped, ${seconds(took)}`;
    console.log(`${failed.length === 0 ? "ok  " : "FAIL"}  ${group.padEnd(12)} ${counts}`);
  }
  if (skips.length > 0) console.log("\nNot run here:");
  for (const skip of skips) console.log(`      ${skip}`);
  if (failures.length > 0) console.log("\nFailed:");
  for (const failure of failures) console.log(`      ${failure}`);
  return failures.length === 0 ? 0 : 1;
}

process.exitCode = await main();
