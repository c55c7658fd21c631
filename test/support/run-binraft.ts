/** The command line as a process that ends: what it said, and its exit code. */
import { spawn } from "node:child_process";
import { commandOf, mainOf, OWN_RUNTIME } from "../../demo/runtimes.ts";

export interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** In a directory, whose binraft.toml names the node; killed at the deadline. */
export function runBinraft(
  cwd: string,
  args: readonly string[],
  deadlineMs = 30_000,
  variables: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const env: NodeJS.ProcessEnv = { PATH: process.env["PATH"], ...variables };
  const { file, args: first } = commandOf(OWN_RUNTIME, mainOf(OWN_RUNTIME), {
    write: [cwd],
    nodeArgs: [],
  });
  const child = spawn(file, [...first, ...args], { cwd, env });
  const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.once("close", (exit) => {
      clearTimeout(timer);
      resolve({ exit, stdout, stderr });
    });
  });
}
