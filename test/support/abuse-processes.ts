/** Processes beside the nodes: attackers, who give way to everybody else, and witnesses. */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { gone, sendSignal, spawnTracked } from "../../demo/mysql/children.ts";

const NICE = "/usr/bin/nice";
const END_MS = 10_000;

export class AbuseProcess {
  readonly #child: ChildProcess;
  readonly #lines: (line: string) => void;
  #last = "";

  /** `lines` gets what it says on its standard output. */
  constructor(
    file: "abuse-client.ts" | "abuse-witness.ts",
    args: readonly string[],
    lines: (line: string) => void = () => {},
  ) {
    const script = `${import.meta.dirname}/${file}`;
    const command = [process.execPath, script, ...args];
    // Whoever attacks over a network has processors of his own.
    const polite = file === "abuse-client.ts" && existsSync(NICE);
    const [program, ...rest] = polite ? [NICE, "-n", "19", ...command] : command;
    this.#child = spawnTracked(
      { file: program!, args: rest },
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    this.#lines = lines;
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      this.#last = line;
      this.#lines(line);
    });
  }

  get said(): string {
    return this.#last;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its last words. */
  async end(): Promise<string> {
    this.#child.stdin!.on("error", () => {});
    this.#child.stdin!.end();
    if (!(await gone(this.#child, END_MS))) sendSignal(this.#child, "SIGKILL");
    await gone(this.#child, END_MS);
    // What it said last may come behind its end.
    await new Promise((resolve) => setTimeout(resolve, 50));
    return this.#last;
  }
}
