/** The system calls of a script on the runtime that runs the test, by strace. */
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { commandOf, OWN_RUNTIME } from "../../../demo/runtimes.ts";
import { tempDir } from "../../support/temp-dir.ts";

/** Why it cannot be had here; false when it can. */
export const noStrace: string | false = (() => {
  const { error, status } = spawnSync("strace", ["-f", "-o", "/dev/null", "true"]);
  if (error !== undefined) return "there is no strace on this machine";
  return status === 0 ? false : "this machine does not let strace watch a process";
})();

/** The lines of strace, each with its file or socket behind the number (`-yy`). */
export async function systemCalls(
  script: string,
  args: readonly string[],
  flags: readonly string[],
): Promise<string[]> {
  await using folder = await tempDir("strace");
  const output = path.join(folder.path, "calls");
  const main = path.join(import.meta.dirname, script);
  const { file, args: first } = commandOf(OWN_RUNTIME, main, {
    write: [folder.path, ...args.slice(0, 1)],
    nodeArgs: [],
  });
  const command = ["-f", "-yy", "-o", output, ...flags, file, ...first, ...args];
  const { status, stderr } = spawnSync("strace", command, {
    encoding: "utf8",
    timeout: 15 * 60_000,
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1" },
  });
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`);
  return whole((await readFile(output, "utf8")).split("\n"));
}

/** A call during which another thread had its turn stands on two lines. */
function whole(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  const calls: string[] = [];
  for (const line of lines) {
    const [, thread = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const unfinished = / <unfinished \.\.\.>$/;
    const resumed = /^<\.\.\. \w+ resumed>/;
    if (unfinished.test(rest)) begun.set(thread, rest.replace(unfinished, ""));
    else if (resumed.test(rest))
      calls.push(`${begun.get(thread) ?? ""}${rest.replace(resumed, "")}`);
    else if (rest !== "") calls.push(rest);
  }
  return calls;
}
