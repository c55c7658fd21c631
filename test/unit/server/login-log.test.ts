import assert from "node:assert/strict";
import { test } from "node:test";
import { type Logger, silentLogger } from "../../../src/base/logger.ts";
import { LoginLog } from "../../../src/server/login-log.ts";

test("a flood of failed logins is a few lines and a summary", () => {
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (message, fields) => void lines.push(`${message} ${JSON.stringify(fields)}`),
  };
  let due: (() => void) | null = null;
  const clock = {
    after: (_ms: number, fn: () => void) => {
      due = fn;
      return () => {
        due = null;
      };
    },
  };
  const log = new LoginLog(logger, clock);
  const note = (from: string): void =>
    log.note("denied", from, { level: "warn", message: "Login is denied" }, { peer: `${from}:1` });
  for (let i = 0; i < 1000; i++) note(`10.0.0.${i % 7}`);
  assert.equal(lines.length, 5);
  due!();
  assert.equal(lines.length, 6);
  assert.match(lines[5]!, /"denied":995,"broken":0,"refused":0,"addresses":7/);
  note("10.0.0.1");
  assert.equal(lines.length, 7, "a new minute begins with single lines");
  log.flush();
  assert.equal(lines.length, 7, "nothing was left out");
});
