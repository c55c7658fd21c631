/**
 * `npm run mutants [-- --only TEXT] [--by cores|machines|nodes] [--seeds N]`: plants each bug in a copy of
 * the sources and looks whether its simulator, or else a test, finds it. A patch that no
 * longer applies and a mutant that survives fail the run.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { MUTANTS } from "./mutants.ts";
import type { Mutant } from "./patch.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const COPIED = [
  "src",
  "runtime",
  "test/sim",
  "test/unit/raft",
  "test/unit/storage",
  "test/unit/binlog",
  "test/unit/cluster",
  "test/unit/peers",
  "test/unit/server",
  "test/unit/syncer",
  "test/fixtures",
  "test/support",
  "package.json",
];
/** What is asked when the simulator finds nothing; all but what looks at sources or documentation. */
const TESTS = {
  cores: "test/unit/raft/!(behaviours|purity).test.ts",
  machines: "test/{sim/bad-disks,unit/storage/log}.test.ts",
  nodes: "test/unit/{binlog,cluster,peers,syncer}/*.test.ts",
} as const;
/** Seeds and seconds for one mutant. */
const LIMITS = {
  cores: ["--seconds", "40"],
  machines: ["--machines", "--seconds", "90"],
  nodes: ["--nodes", "--seconds", "120"],
} as const;
const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    by: { type: "string" },
    seeds: { type: "string", default: "3000" },
  },
});

type Verdict = { readonly seeds: number } | { readonly test: string } | null;

/** The file with the bug in it. */
function planted(folder: string, { name, file, from, to }: Mutant): string {
  const parts = readFileSync(path.join(folder, file), "utf8").split(from);
  if (parts.length === 2) return parts.join(to);
  throw new Error(`"${name}" applies ${parts.length - 1} times to ${file}: mend the patch`);
}

/** The simulator's runs end at the first violation, and say how many seeds that took. */
function hunt(folder: string, by: Mutant["by"]): Verdict {
  const sim = spawnSync(
    process.execPath,
    ["test/sim/run.ts", "--seeds", values.seeds, "--no-shrink", ...LIMITS[by]],
    { cwd: folder, encoding: "utf8", timeout: 180_000 },
  );
  if (sim.status === null) return { test: "the simulator, which hangs" };
  if (sim.status !== 0) {
    const seed = /^seed (\d+),/m.exec(sim.stdout)?.[1];
    if (seed === undefined) throw new Error(`The simulator did not run: ${sim.stderr}`);
    return { seeds: Number(seed) };
  }
  const tests = globSync(TESTS[by], { cwd: folder });
  for (const test of tests) {
    const ran = spawnSync(process.execPath, ["--test", test], { cwd: folder, timeout: 120_000 });
    if (ran.status !== 0) return { test: path.basename(test) };
  }
  return null;
}

function judge(mutant: Mutant | null, by: Mutant["by"]): Verdict {
  const folder = mkdtempSync(path.join(os.tmpdir(), "binraft-mutant-"));
  try {
    for (const entry of COPIED.filter((one) => existsSync(path.join(ROOT, one)))) {
      cpSync(path.join(ROOT, entry), path.join(folder, entry), { recursive: true });
    }
    symlinkSync(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
    if (mutant !== null) writeFileSync(path.join(folder, mutant.file), planted(folder, mutant));
    return hunt(folder, by);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const chosen = MUTANTS.filter(
  ({ name, by }) => name.includes(values.only) && (values.by ?? by) === by,
);
// A patch that is stale shall not be found after an hour.
for (const mutant of chosen) planted(ROOT, mutant);
for (const by of new Set(chosen.map((mutant) => mutant.by))) {
  const sound = judge(null, by);
  if (sound === null) continue;
  console.log(`FAIL  without any bug: ${JSON.stringify(sound)}`);
  process.exit(1);
}
const seeds: number[] = [];
let caught = 0;
for (const mutant of chosen) {
  const verdict = judge(mutant, mutant.by);
  if (verdict !== null) caught++;
  if (verdict !== null && "seeds" in verdict) seeds.push(verdict.seeds);
  const how =
    verdict === null
      ? "SURVIVES"
      : "seeds" in verdict
        ? `seed ${verdict.seeds}`
        : `not by the simulator; ${verdict.test}`;
  console.log(`${verdict === null ? "FAIL" : "ok  "}  ${mutant.name}: ${how}`);
}
seeds.sort((a, b) => a - b);
console.log(
  `caught ${caught} of ${chosen.length}, median seeds to catch ${seeds[seeds.length >> 1] ?? "none"}`,
);
process.exit(caught === chosen.length ? 0 : 1);
