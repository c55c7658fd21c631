/** The pure parts on the runtimes on which they must do the same. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { type Runtime, runtimeProgram } from "../../demo/runtimes.ts";

const ROOT = path.join(import.meta.dirname, "../..");

/** What a script may read besides the project's `src`, `runtime` and `test`, on Deno. */
export interface Permissions {
  readonly read?: readonly string[];
  readonly env?: readonly string[];
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
  const own = ["src", "geo", "runtime", "test"].map((folder) => path.join(ROOT, folder));
  const flags = ["run", "--quiet", "--no-prompt", "--no-config", "--no-remote"];
  flags.push(`--allow-read=${[...own, ...read].join(",")}`);
  if (env.length > 0) flags.push(`--allow-env=${env.join(",")}`);
  return flags;
}
