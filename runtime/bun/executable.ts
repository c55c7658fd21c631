/**
 * `npm run executable [-- FILE]`: binraft and Bun in one file that needs nothing else on the machine,
 * dist/binraft when no name is given.
 */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { runtimeProgram } from "../../demo/runtimes.ts";

const root = path.join(import.meta.dirname, "../..");
const file = path.resolve(process.argv[2] ?? path.join(root, "dist/binraft"));
const program = runtimeProgram("bun");
if (program === null) throw new Error("npm has no Bun for this machine");
const main = path.join(import.meta.dirname, "main.ts");
const { status } = spawnSync(program, ["build", "--compile", main, "--outfile", file], {
  stdio: ["ignore", "ignore", "inherit"],
});
if (status === 0) process.stdout.write(`${file}\n`);
process.exit(status ?? 1);
