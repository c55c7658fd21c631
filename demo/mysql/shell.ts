/**
 * One session of the real `mysql` client, kept open and fed through its standard input: a
 * statement costs a round trip, not a process. Errors come in the same pipe as rows, which
 * keeps their order. One statement at a time; calls queue up. Not for data with control
 * characters in column names, nor for DELIMITER.
 */
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { type Command, gone, spawnTracked } from "./children.ts";

const QUERY_DEADLINE_MS = 300_000;
const ERROR_LINE = /^ERROR (\d+) \((\w+)\)[^:]*: (.*)$/;

export class MysqlQueryError extends Error {
  readonly errno: number;
  readonly sqlState: string;
  constructor(errno: number, sqlState: string, message: string, sql: string) {
    super(`MySQL error ${errno} (${sqlState}): ${message}; statement: ${sql.slice(0, 200)}`);
    this.name = "MysqlQueryError";
    this.errno = errno;
    this.sqlState = sqlState;
  }
}

export class MysqlShell {
  readonly #command: Command;
  #child: ChildProcess | null = null;
  #output = "";
  #check: () => void = () => {};
  #last: Promise<unknown> = Promise.resolve();

  /** `command` starts the client with its options for the connection. */
  constructor(command: Command) {
    this.#command = command;
  }

  /** The rows as text, NULL as "NULL". Several statements give their rows one after another. */
  query(sql: string, deadlineMs: number = QUERY_DEADLINE_MS): Promise<string[][]> {
    const result = this.#last.then(() => this.#query(sql, deadlineMs));
    this.#last = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    child.stdin?.end();
    if (await gone(child, 1_000)) return;
    child.kill("SIGKILL");
    await gone(child, 5_000);
  }

  #start(): ChildProcess {
    const flags = ["--batch", "--force", "--unbuffered", "--skip-column-names"];
    const child = spawnTracked(
      {
        file: "/bin/sh",
        args: ["-c", 'exec "$0" "$@" 2>&1', this.#command.file, ...this.#command.args, ...flags],
        ...(this.#command.env === undefined ? {} : { env: this.#command.env }),
      },
      { stdio: ["pipe", "pipe", "ignore"] },
    );
    this.#output = "";
    child.stdout!.setEncoding("utf8");
    child.stdout!.on("data", (text: string) => {
      this.#output += text;
      this.#check();
    });
    child.stdin!.on("error", () => {});
    child.once("close", () => {
      if (this.#child === child) this.#child = null;
      this.#check();
    });
    this.#child = child;
    return child;
  }

  async #query(sql: string, deadlineMs: number): Promise<string[][]> {
    const child = this.#child ?? this.#start();
    const marker = `end-${randomUUID()}`;
    const statement = sql.trim().replace(/;+$/, "");
    this.#output = "";
    const end = `${marker}\n`;
    const text = await new Promise<string>((resolve, reject) => {
      const finish = (error: Error | null): void => {
        clearTimeout(timer);
        this.#check = () => {};
        if (error === null) {
          resolve(this.#output.slice(0, -end.length));
        } else {
          this.#child = null;
          child.kill("SIGKILL");
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        finish(
          new Error(`No answer in ${deadlineMs} ms from MySQL to: ${statement.slice(0, 200)}`),
        );
      }, deadlineMs);
      this.#check = () => {
        if (this.#output.endsWith(end)) finish(null);
        else if (this.#child !== child) finish(this.#failure(statement));
      };
      child.stdin!.write(`${statement}\n;\nSELECT '${marker}';\n`);
    });
    return this.#rows(text, statement);
  }

  #failure(sql: string): Error {
    const found = this.#output.split("\n").map((line) => ERROR_LINE.exec(line));
    const error = found.find((match) => match !== null);
    if (error) return new MysqlQueryError(Number(error[1]), error[2]!, error[3]!, sql);
    return new Error(`The mysql client ended: ${this.#output.trim() || "it said nothing"}`);
  }

  #rows(text: string, sql: string): string[][] {
    const lines = text.split("\n");
    lines.pop();
    for (const line of lines) {
      const error = ERROR_LINE.exec(line);
      if (error === null) continue;
      const errno = Number(error[1]);
      // The server went away: this client would only repeat that.
      if (errno >= 2000 && errno < 3000) {
        const child = this.#child;
        this.#child = null;
        child?.kill("SIGKILL");
      }
      throw new MysqlQueryError(errno, error[2]!, error[3]!, sql);
    }
    return lines.map((line) => line.split("\t").map(plainValue));
  }
}

/** Batch mode writes newline, tab, NUL and backslash as escapes. */
function plainValue(value: string): string {
  const names: Record<string, string> = { n: "\n", t: "\t", "0": "\0", "\\": "\\" };
  return value.replace(/\\([nt0\\])/g, (_, name: string) => names[name]!);
}
