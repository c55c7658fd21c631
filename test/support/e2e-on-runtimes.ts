/** The end-to-end tests with real MySQL servers, run by Bun and by Deno: their nodes run there, too. */
import { globSync } from "node:fs";
import path from "node:path";
import { type OtherRuntime, runTestsOn } from "./other-runners.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const FILE_MS = 20 * 60_000;
/** They choose the runtimes themselves, or plant another version of the entry on Node. */
const NODE_ONLY: ReadonlySet<string> = new Set([
  "test/e2e/runtimes.mysql.test.ts",
  "test/e2e/versions.mysql.test.ts",
]);

/** Resolves with how many tests passed on each; rejects with the names of those that did not. */
export async function e2eOnRuntimes(
  runtimes: readonly OtherRuntime[],
  say: (line: string) => void,
): Promise<Readonly<Record<string, number>>> {
  const files = globSync("test/e2e/*.mysql.test.ts", { cwd: ROOT }).sort();
  const passed: Record<string, number> = {};
  const failed: string[] = [];
  for (const runtime of runtimes) {
    passed[runtime] = 0;
    for (const file of files.filter((one) => !NODE_ONLY.has(one))) {
      const report = await runTestsOn(runtime, [file], FILE_MS);
      passed[runtime] += report.passed;
      const skipped = report.skipped.length === 0 ? "" : `, ${report.skipped.length} skipped`;
      const good = report.failed.length === 0 && report.passed > 0;
      const seconds = Math.round(report.ms / 1000);
      say(`${good ? "ok  " : "FAIL"} ${runtime} ${file}: ${report.passed}${skipped}, ${seconds} s`);
      if (good) continue;
      failed.push(...report.failed.map((name) => `${runtime}: ${name}`));
      if (report.passed === 0) failed.push(`${runtime}: no test of ${file} passed`);
      say(report.output);
    }
  }
  if (failed.length > 0) throw new Error(`Failed:\n${failed.join("\n")}`);
  return passed;
}
