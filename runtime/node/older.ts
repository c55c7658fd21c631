/**
 * On a Node that is too old: goes on with the Node 24 that npm installed beside the package, or says in one
 * sentence what is missing. Nothing here may need more than Node 18 has.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const USAGE = 2;

/** Resolves with the exit code. */
export async function runOnNewerNode(main: string): Promise<number> {
  const program = packagedNode();
  if (program === null) {
    process.stderr.write(
      `binraft: It needs Node 24 or newer, and this is Node ${process.versions.node}\n` +
        "  next: install Node 24, or install binraft without --omit=optional: a Node 24 then comes with it\n",
    );
    return USAGE;
  }
  const args = ["--max-semi-space-size=1", main, ...process.argv.slice(2)];
  const child = spawn(program, args, { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
    process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once("error", () => resolve(1));
    // What ended by a signal ends with what a shell would tell of it.
    child.once("exit", (code) => resolve(code ?? 128));
  });
}

function packagedNode(): string | null {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`);
    const program = path.join(path.dirname(manifest), "bin", "node");
    return existsSync(program) ? program : null;
  } catch {
    return null;
  }
}
