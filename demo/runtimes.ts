/**
 * The runtimes that a node runs on, and how each is started. Their programs are taken from npm's
 * packages of this platform, as the development dependencies of a checkout bring them (what stands in
 * node_modules/.bin is made by install scripts, which are not run), or else from PATH.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

export const RUNTIMES = ["node", "bun", "deno"] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** The one that runs this. */
export const OWN_RUNTIME: Runtime =
  process.versions["bun"] !== undefined
    ? "bun"
    : process.versions["deno"] !== undefined
      ? "deno"
      : "node";

const ROOT = path.join(import.meta.dirname, "..");
const extension = path.extname(import.meta.filename);

/** By `platform-arch`; of others nothing was tried. */
const PROGRAMS: Readonly<Record<Exclude<Runtime, "node">, Readonly<Record<string, string>>>> = {
  bun: {
    "linux-x64": "@oven/bun-linux-x64/bin/bun",
    "linux-arm64": "@oven/bun-linux-aarch64/bin/bun",
    "darwin-x64": "@oven/bun-darwin-x64/bin/bun",
    "darwin-arm64": "@oven/bun-darwin-aarch64/bin/bun",
  },
  deno: {
    "linux-x64": "@deno/linux-x64-glibc/deno",
    "linux-arm64": "@deno/linux-arm64-glibc/deno",
    "darwin-x64": "@deno/darwin-x64/deno",
    "darwin-arm64": "@deno/darwin-arm64/deno",
  },
};

/** The entry of `binraft`: TypeScript in a checkout, JavaScript in the package. */
export function mainOf(runtime: Runtime): string {
  return path.join(ROOT, `runtime/${runtime}/main${extension}`);
}

/** Our own, or that of npm's package; null where there is none for this machine. */
function packaged(runtime: Runtime): string | null {
  if (runtime === OWN_RUNTIME) return process.execPath;
  if (runtime === "node") return path.join(ROOT, "node_modules/.bin/node");
  const inside = PROGRAMS[runtime][`${process.platform}-${process.arch}`];
  return inside === undefined ? null : path.join(ROOT, "node_modules", inside);
}

/** Null where npm has no package of the runtime for this machine; throws when its program is not there. */
export function runtimeProgram(runtime: Runtime): string | null {
  const program = packaged(runtime);
  if (program === null || existsSync(program)) return program;
  throw new Error(`${runtime} is not installed: run \`npm run setup\`, then try again`);
}

/** Sees to it that the runtimes are there. Throws with a next step where one is not. */
export function prepareRuntimes(runtimes: Iterable<Runtime>, say: (line: string) => void): void {
  for (const runtime of new Set(runtimes)) {
    if (existsSync(packaged(runtime) ?? "") || onPath(runtime)) continue;
    const setup = path.join(ROOT, "runtime/setup.mjs");
    if (packaged(runtime) !== null && existsSync(setup)) {
      say(`Installing ${runtime} (npm run setup) …`);
      const { status } = spawnSync("node", [setup, "--dev"], { stdio: "inherit" });
      if (status === 0 && existsSync(packaged(runtime)!)) continue;
    }
    throw new Error(`${runtime} is not installed: install it, put it on PATH, then try again`);
  }
}

function onPath(runtime: Runtime): boolean {
  return spawnSync(runtime, ["--version"], { stdio: "ignore" }).status === 0;
}

/** The command that runs `main` on a runtime that was prepared; its arguments come behind. */
export function commandOf(
  runtime: Runtime,
  main: string,
  { write, nodeArgs }: { write: readonly string[]; nodeArgs: readonly string[] },
): { readonly file: string; readonly args: readonly string[] } {
  const program = packaged(runtime);
  const file = program !== null && existsSync(program) ? program : runtime;
  const before = { node: nodeArgs, bun: [], deno: ["run", ...denoFlags(write)] }[runtime];
  return { file, args: [...before, main] };
}

/** Never more than a node needs; reading is not narrowed, since secrets may stand anywhere. */
export function denoFlags(write: readonly string[]): string[] {
  const flags = ["--quiet", "--no-prompt", "--no-remote", "--no-check"];
  flags.push("--allow-net", "--allow-read", "--allow-env", "--allow-sys");
  flags.push(`--allow-write=${write.join(",")}`);
  return flags;
}
