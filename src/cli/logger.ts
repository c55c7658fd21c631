/**
 * The one file that knows the logging library. Lines go to standard error: JSON, one object a
 * line, unless a person is looking at a terminal.
 */
import {
  configure,
  getLogger,
  jsonLinesFormatter,
  type LogLevel,
  type LogRecord,
} from "@logtape/logtape";
import type { LogFields, Logger } from "../base/logger.ts";
import type { Process } from "../platform/process.ts";

export interface LoggerOptions {
  readonly process: Pick<Process, "stderr" | "env">;
  readonly debug: boolean;
}

export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { stderr, env } = options.process;
  const colour = stderr.isTerminal && (env["NO_COLOR"] ?? "") === "";
  const format = stderr.isTerminal
    ? (record: LogRecord) => prettyLine(record, colour)
    : jsonLinesFormatter;
  await configure({
    reset: true,
    sinks: { lines: (record: LogRecord) => stderr.write(format(record)) },
    loggers: [
      { category: "binraft", lowestLevel: options.debug ? "debug" : "info", sinks: ["lines"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["lines"] },
    ],
  });
  return wrap({});
}

function wrap(bound: LogFields): Logger {
  const target = getLogger("binraft");
  const log =
    (level: "debug" | "info" | "warn" | "error") =>
    (message: string, fields: LogFields = {}): void => {
      const all = plain({ ...bound, ...fields });
      // Braces are placeholders to the library, and messages may carry a server's words.
      target[level](message.replaceAll("{", "{{").replaceAll("}", "}}"), all);
    };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    with: (fields) => wrap({ ...bound, ...fields }),
  };
}

/** JSON has no big integers: they are written as text. */
function plain(fields: LogFields): Record<string, string | number | boolean> {
  const out: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) out[name] = typeof value === "bigint" ? String(value) : value;
  }
  return out;
}

const PAINT: Readonly<Record<LogLevel, number>> = {
  trace: 2,
  debug: 2,
  info: 32,
  warning: 33,
  error: 31,
  fatal: 31,
};

function prettyLine(record: LogRecord, colour: boolean): string {
  const time = new Date(record.timestamp).toISOString().slice(11, 23);
  const level = record.level.slice(0, 4).toUpperCase();
  const painted = colour ? `\x1b[${PAINT[record.level]}m${level}\x1b[0m` : level;
  const fields = Object.entries(record.properties).map(
    ([name, value]) => ` ${name}=${quoted(String(value))}`,
  );
  return `${time} ${painted} ${record.message.join("")}${fields.join("")}\n`;
}

function quoted(value: string): string {
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
