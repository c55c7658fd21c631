import type { LogFields, Logger } from "../../../src/base/logger.ts";

const KEPT = 400;

/** Keeps the last lines, with the virtual time, for the report of a failure. */
export function recordingLogger(
  lines: string[],
  now: () => number,
  onLine: (message: string, fields: LogFields) => void = () => {},
): Logger {
  const put =
    (level: string, own: LogFields) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push(
        `${now().toFixed(1)} ${level} ${message} ${JSON.stringify({ ...own, ...fields })}`,
      );
      if (lines.length > KEPT) lines.shift();
      onLine(message, fields);
    };
  const make = (own: LogFields): Logger => ({
    debug: put("debug", own),
    info: put("info", own),
    warn: put("warn", own),
    error: put("error", own),
    with: (fields) => make({ ...own, ...fields }),
  });
  return make({});
}
