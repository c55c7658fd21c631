/**
 * The five files of seeds together have to reach every state (reached.ts), and run beside each other, each in
 * a process of its own. What a seed reaches follows from the code alone: so each file leaves its counts under a
 * digest of all that takes part, and whoever finds the others' there judges the sum.
 */
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { unreached } from "./reached.ts";

const ROOT = path.join(import.meta.dirname, "../../..");
const FOLDER = path.join(ROOT, "node_modules/.cache/binraft/sim-nodes");
const CODE = [
  "src/**/*.ts",
  "geo/**/*.ts",
  "runtime/memory/*.ts",
  "test/sim/**/*.ts",
  "test/support/*.ts",
  "test/unit/cluster/world-*.ts",
  "test/unit/server/*.ts",
];

export const FIRST_SEEDS: readonly number[] = [1, 101, 201, 301, 401];
export const SEEDS_EACH = 100;

function digest(): string {
  const hash = createHash("sha256");
  const files = CODE.flatMap((pattern) => globSync(pattern, { cwd: ROOT }));
  for (const file of files.sort()) hash.update(file).update(readFileSync(path.join(ROOT, file)));
  return hash.digest("hex").slice(0, 16);
}

/** What none of the seeds reached; null while other files have not run yet. */
export function judgeSum(
  first: number,
  counts: Readonly<Record<string, number>>,
): readonly string[] | null {
  mkdirSync(FOLDER, { recursive: true });
  const code = digest();
  const place = (from: number): string => path.join(FOLDER, `${code}-${from}.json`);
  // In one step: another one may be reading.
  writeFileSync(`${place(first)}.new`, JSON.stringify(counts));
  renameSync(`${place(first)}.new`, place(first));
  if (!FIRST_SEEDS.every((from) => existsSync(place(from)))) return null;
  const sum: Record<string, number> = {};
  for (const from of FIRST_SEEDS) {
    const one = JSON.parse(readFileSync(place(from), "utf8")) as Record<string, number>;
    for (const [what, count] of Object.entries(one)) sum[what] = (sum[what] ?? 0) + count;
  }
  return unreached(sum);
}
