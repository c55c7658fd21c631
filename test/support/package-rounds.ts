/** `npm run soak -- package`: what a release gives to its users, packed and installed by npm, on each runtime. */
import { RUNTIMES } from "../../demo/runtimes.ts";
import { npmPackage } from "./installed-package.ts";
import { checkDemo, checkStart, checkVersion } from "./package-checks.ts";
import { whyNot } from "./runtimes.ts";
import { tempDir } from "./temp-dir.ts";

const DEMO_SECONDS = 20;

export async function packageRounds(say: (line: string) => void): Promise<string[]> {
  await using folder = await tempDir("package");
  const installed = await npmPackage(folder.path);
  say(`packed and installed in ${installed.folder}`);
  const done: string[] = [];
  for (const runtime of RUNTIMES) {
    const missing = whyNot(runtime);
    if (missing !== false) {
      say(`skipped: ${missing}`);
      continue;
    }
    await checkVersion(runtime, installed);
    await checkStart(runtime, installed);
    await checkDemo(runtime, installed, DEMO_SECONDS);
    say(`ok   ${runtime}: version, start, demo`);
    done.push(runtime);
  }
  return done;
}
