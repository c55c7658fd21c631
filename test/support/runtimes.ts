/**
 * The runtimes on which the pure parts must do the same, as the development dependencies bring them.
 * Their programs are taken from the packages of the platform: what stands in node_modules/.bin is
 * made by install scripts, which are not run.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

const ROOT = path.join(import.meta.dirname, "../..");

export const RUNTIMES = ["node", "bun", "deno"] as const;
export type Runtime = (typeof RUNTIMES)[number];

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

/** What a script may read besides the project's `src`, `runtime` and `test`, on Deno. */
export interface Permissions {
  readonly read?: readonly string[];
  readonly env?: readonly string[];
}

/** Null where npm has no package of the runtime for this machine; throws when its program is not there. */
export function runtimeProgram(runtime: Runtime): string | null {
  if (runtime === "node") return process.execPath;
  const inside = PROGRAMS[runtime][`${process.platform}-${process.arch}`];
  if (inside === undefined) return null;
  const program = path.join(ROOT, "node_modules", inside);
  if (existsSync(program)) return program;
  throw new Error(`${runtime} is not installed: run \`npm run setup\`, then try again`);
}

/** Why a test on this runtime is passed over; false when it is not. */
export function whyNot(runtime: Runtime): string | false {
  return runtimeProgram(runtime) === null
    ? `npm has no ${runtime} for ${process.platform}-${process.arch}`
    : false;
}

export interface ScriptResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `script`, named from the project's root. What it prints is passed on with `inherit`. */
export function runScript(
  runtime: Runtime,
  script: string,
  args: readonly string[],
  { read = [], env = [] }: Permissions = {},
  stdio: "pipe" | "inherit" = "pipe",
): ScriptResult {
  const program = runtimeProgram(runtime);
  if (program === null) throw new Error(whyNot(runtime) as string);
  const flags = runtime === "deno" ? denoFlags(read, env) : [];
  const { error, status, stdout, stderr } = spawnSync(
    program,
    [...flags, path.join(ROOT, script), ...args],
    {
      encoding: "utf8",
      stdio: ["ignore", stdio, stdio],
      maxBuffer: 64 * 1024 * 1024,
      // It would ask its makers whether there is a newer one.
      env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    },
  );
  if (error !== undefined) throw error;
  return { status, stdout: stdout ?? "", stderr: stderr ?? "" };
}

function denoFlags(read: readonly string[], env: readonly string[]): string[] {
  const own = ["src", "runtime", "test"].map((folder) => path.join(ROOT, folder));
  const flags = ["run", "--quiet", "--no-prompt", "--no-config", "--no-remote"];
  flags.push(`--allow-read=${[...own, ...read].join(",")}`);
  if (env.length > 0) flags.push(`--allow-env=${env.join(",")}`);
  return flags;
}
