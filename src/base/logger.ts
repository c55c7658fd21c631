/**
 * What the core logs through. The application (cli) injects one backed by a logging library;
 * tests inject one that records. Fields are plain values; secrets are never passed.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same logger with fields that every line carries. */
  with(fields: LogFields): Logger;
}

export type LogFields = Readonly<Record<string, string | number | boolean | bigint | undefined>>;

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
};

/**
 * Text from outside (user names, server messages) made fit for one log line or an answer:
 * control characters are escaped and the length is cut.
 */
export function printable(text: string, maxLength = 256): string {
  let out = "";
  for (const char of text) {
    if (out.length >= maxLength) return `${out}…`;
    const code = char.codePointAt(0)!;
    const control =
      code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
    out += control ? `\\x${code.toString(16).padStart(2, "0")}` : char;
  }
  return out;
}
