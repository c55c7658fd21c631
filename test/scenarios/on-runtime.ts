/** The data-driven files on another runtime: in a process of its own, with the least it must be allowed. */
import path from "node:path";
import type { Runtime } from "../../demo/runtimes.ts";
import { runScript, type ScriptResult } from "../support/runtimes.ts";
import { ETCD_VARIABLE, etcdFolder } from "./files.ts";

/** `wanted` are words or files, as `npm run scenarios` takes them. */
export function runScenarios(
  runtime: Runtime,
  wanted: readonly string[],
  stdio: "pipe" | "inherit" = "pipe",
): ScriptResult {
  const folder = etcdFolder();
  const read = [...(folder === null ? [] : [folder]), ...wanted].map((name) => path.resolve(name));
  const permissions = { read, env: [ETCD_VARIABLE] };
  return runScript(runtime, "test/scenarios/run.ts", wanted, permissions, stdio);
}
