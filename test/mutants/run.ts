/**
 * `npm run mutants [-- --only TEXT] [--by HUNTER] [--file TEXT] [--sample N] [--jobs N]`: plants each bug
 * (mutants.ts) in a copy of the sources and looks whether its simulator, or else a test, finds it. A patch
 * that no longer applies and a mutant that survives fail the run.
 *
 * `--sample N` takes N of them, others after each change of the sources: for `npm test`.
 */
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { hunt, planted, rootOf, type Verdict } from "./hunt.ts";
import { MUTANTS } from "./mutants.ts";
import type { Mutant } from "./patch.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    file: { type: "string", default: "" },
    by: { type: "string" },
    sample: { type: "string" },
    jobs: { type: "string", default: "2" },
  },
});

/** By the sources: the same for all who test the same. */
function sampleOf(mutants: readonly Mutant[], count: number): Mutant[] {
  const code = createHash("sha256");
  const files = globSync("src/**/*.ts", { cwd: rootOf() }).sort();
  for (const file of files) code.update(readFileSync(path.join(rootOf(), file)));
  const salt = code.digest("hex");
  const rank = ({ name }: Mutant): string =>
    createHash("sha256").update(salt).update(name).digest("hex");
  return mutants.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, count);
}

const matching = MUTANTS.filter(
  ({ name, by, file }) =>
    name.includes(values.only) && file.includes(values.file) && (values.by ?? by) === by,
);
// A patch that is stale shall not be found after an hour, be it chosen or not.
for (const mutant of MUTANTS) await planted(rootOf(), mutant);
const isSample = values.sample !== undefined;
const chosen = isSample ? sampleOf(matching, Number(values.sample)) : matching;
if (!isSample) {
  for (const by of new Set(chosen.map((mutant) => mutant.by))) {
    const sound = await hunt(null, by);
    if (sound === null) continue;
    console.log(`FAIL  without any bug, ${by}: ${JSON.stringify(sound)}`);
    process.exit(1);
  }
}

const seeds: number[] = [];
let caught = 0;
const left = chosen.slice();

function tell(mutant: Mutant, verdict: Verdict): void {
  if (verdict !== null) caught++;
  if (verdict !== null && "seeds" in verdict) seeds.push(verdict.seeds);
  const how =
    verdict === null ? "SURVIVES" : "seeds" in verdict ? `seed ${verdict.seeds}` : verdict.test;
  console.log(`${verdict === null ? "FAIL" : "ok  "}  ${mutant.name}: ${how}`);
}

async function work(): Promise<void> {
  for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift())
    tell(mutant, await hunt(mutant, mutant.by));
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
seeds.sort((a, b) => a - b);
console.log(
  `caught ${caught} of ${chosen.length}, ${seeds.length} of them by a simulator, median seeds to catch ` +
    `${seeds[seeds.length >> 1] ?? "none"}`,
);
process.exit(caught === chosen.length && chosen.length > 0 ? 0 : 1);
