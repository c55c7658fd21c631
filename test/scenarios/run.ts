/**
 * Runs the data-driven files against the Raft core: etcd raft's own, unchanged, and the project's.
 *
 *   npm run scenarios                                  all of them
 *   npm run scenarios -- campaign quorum/              those whose name has one of the words
 *   npm run scenarios -- path/to/interaction/x.txt     one file
 *   npm run scenarios -- --rewrite own/                writes what comes out back into the files
 *   npm run scenarios -- --runtime deno                on Deno, or bun, or node
 *
 * etcd raft's are taken from BINRAFT_ETCD_RAFT_TESTDATA: a folder with interaction/, quorum/ and
 * confchange/, or a clone of etcd-io/raft. `--rewrite` leaves those alone unless they are named by
 * their path.
 */
import { statSync } from "node:fs";
import { parseArgs } from "node:util";
import { RUNTIMES } from "../../demo/runtimes.ts";
import {
  ETCD_VARIABLE,
  etcdFiles,
  etcdFolder,
  namedFile,
  ownFiles,
  rewriteFile,
  runFile,
  type ScenarioFile,
} from "./files.ts";
import { runScenarios } from "./on-runtime.ts";

function main(): number {
  const { values, positionals } = parseArgs({
    options: { rewrite: { type: "boolean", default: false }, runtime: { type: "string" } },
    allowPositionals: true,
  });
  if (values.runtime !== undefined) return runOn(values.runtime, positionals, values.rewrite);
  const { files, problems } = choose(positionals, values.rewrite);
  let failed = problems.length;
  for (const file of files) {
    const { directives, failure } = values.rewrite ? rewriteFile(file) : runFile(file);
    if (failure !== null) failed++;
    console.log(`${failure === null ? "ok  " : "FAIL"}  ${file.label}  ${directives} directives`);
    if (failure !== null) console.log(failure.replaceAll(/^/gm, "      "));
  }
  for (const problem of problems) console.log(`FAIL  ${problem}`);
  console.log(`${files.length + problems.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** This script again, in a process of that runtime. */
function runOn(name: string, wanted: readonly string[], isRewrite: boolean): number {
  const runtime = RUNTIMES.find((one) => one === name);
  if (runtime === undefined) {
    console.error(`Unknown runtime "${name}": expected ${RUNTIMES.join(", ")}`);
    return 2;
  }
  if (isRewrite) {
    console.error("Cannot rewrite on a chosen runtime: leave --runtime out");
    return 2;
  }
  return runScenarios(runtime, wanted, "inherit").status ?? 1;
}

interface Choice {
  readonly files: readonly ScenarioFile[];
  readonly problems: readonly string[];
}

function choose(wanted: readonly string[], isRewrite: boolean): Choice {
  const named = wanted.filter(isFile);
  const words = wanted.filter((word) => !named.includes(word));
  if (wanted.length > 0 && words.length === 0) return { files: named.map(namedFile), problems: [] };
  const problems: string[] = [];
  const known = [...(isRewrite ? [] : findEtcd(problems)), ...ownFiles()];
  for (const word of words) {
    if (known.some((file) => file.label.includes(word))) continue;
    problems.push(`${word}: no such file${isRewrite ? " of the project's own" : ""}`);
  }
  const isWanted = ({ label }: ScenarioFile): boolean =>
    words.length === 0 || words.some((word) => label.includes(word));
  const files = [...named.map(namedFile), ...known.filter(isWanted)];
  if (files.length === 0 && problems.length === 0) problems.push("no file was found");
  return { files, problems };
}

function findEtcd(problems: string[]): ScenarioFile[] {
  const folder = etcdFolder();
  if (folder === null) {
    console.log("!!!!  etcd raft's data-driven files are NOT run:");
    console.log(`!!!!  set ${ETCD_VARIABLE} to a clone of etcd-io/raft or a folder of its files`);
    return [];
  }
  try {
    const { files, missing } = etcdFiles(folder);
    for (const kind of missing) console.log(`!!!!  no ${kind} file in ${folder}`);
    return [...files];
  } catch (error) {
    problems.push((error as Error).message);
    return [];
  }
}

function isFile(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
}

process.exitCode = main();
