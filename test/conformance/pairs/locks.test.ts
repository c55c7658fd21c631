/** The lock of a data directory between each two of the runtimes: exclusive, and free once its holder is killed. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { RUNTIMES, type Runtime } from "../../../demo/runtimes.ts";
import { whyNot } from "../../support/runtimes.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { startScript } from "./processes.ts";

interface Contender {
  readonly child: ChildProcess;
  /** "locked", or why it is refused. */
  readonly answer: string;
}

async function contend(runtime: Runtime, root: string): Promise<Contender> {
  const child = startScript(runtime, "lock-holder.ts", [root], [root]);
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const answer = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once("line", resolve);
    child.once("close", () => reject(new Error(`${runtime} said nothing: ${errors}`)));
  });
  return { child, answer };
}

async function kill({ child }: Contender): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

for (const holderRuntime of RUNTIMES) {
  for (const otherRuntime of RUNTIMES) {
    const title = `what ${holderRuntime} has locked, ${otherRuntime} gets once it is killed`;
    const skip = whyNot(holderRuntime) || whyNot(otherRuntime);
    test(title, { skip, timeout: 15 * 60_000 }, async () => {
      await using folder = await tempDir("lock");
      const root = path.join(folder.path, "data");
      const started: Contender[] = [];
      const begin = async (runtime: Runtime): Promise<Contender> => {
        const one = await contend(runtime, root);
        started.push(one);
        return one;
      };
      try {
        const holder = await begin(holderRuntime);
        assert.equal(holder.answer, "locked");
        const { answer } = await begin(otherRuntime);
        assert.match(answer, /^refused: ELOCKED: Data directory is in use by the process [0-9]+: /);
        assert.ok(
          answer.includes(`${root}; stop the other process or give another directory`),
          answer,
        );
        await kill(holder);
        assert.equal((await begin(otherRuntime)).answer, "locked");
      } finally {
        await Promise.all(started.map(kill));
      }
    });
  }
}
