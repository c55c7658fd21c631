/** What a directive printed: its own lines, and those of the cores' loggers from a level on. */
import type { RaftLogger } from "../../../src/raft/types.ts";
import { Refused } from "../refused.ts";

const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"] as const;
export type Level = (typeof LEVELS)[number];

export class Output implements RaftLogger {
  level: Level = "DEBUG";
  #text = "";

  /** Nothing at all is printed then. */
  get isQuiet(): boolean {
    return this.level === "NONE";
  }

  setLevel(name: string): void {
    const level = LEVELS.find((one) => one === name.toUpperCase());
    if (level === undefined) {
      throw new Refused(`log levels must be either of [${LEVELS.join(" ")}]`);
    }
    this.level = level;
  }

  write(text: string): void {
    if (!this.isQuiet) this.#text += text;
  }

  /** Returns what was written and starts anew. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }

  /** Every line that `fn` writes gets two spaces in front. */
  indented(fn: () => void): void {
    const before = this.take();
    fn();
    const inner = this.take();
    const lines = inner.split("\n");
    if (lines[lines.length - 1] === "") lines.pop();
    this.#text = before + lines.map((line) => `  ${line}\n`).join("");
  }

  debug(line: string): void {
    this.#log("DEBUG", line);
  }
  info(line: string): void {
    this.#log("INFO", line);
  }
  warn(line: string): void {
    this.#log("WARN", line);
  }
  error(line: string): void {
    this.#log("ERROR", line);
  }

  #log(level: Level, line: string): void {
    if (LEVELS.indexOf(this.level) > LEVELS.indexOf(level)) return;
    this.write(`${level} ${line}${line.endsWith("\n") ? "" : "\n"}`);
  }
}
