import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../../../src/base/logger.ts";
import { setUp } from "./admin-support.ts";

test("a write that was let in gets its line; of refused ones there is one a minute, with their number", async () => {
  const lines: string[] = [];
  const put =
    (level: string) =>
    (message: string, fields?: object): void => {
      lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
    };
  const logger: Logger = {
    debug: put("debug"),
    info: put("info"),
    warn: put("warn"),
    error: put("error"),
    with: () => logger,
  };
  let now = 0;
  const { call } = setUp({ logger, clock: { mono: () => now, soon: queueMicrotask } });
  const stranger = { headers: { Authorization: "Bearer wrong" } };
  for (let i = 0; i < 100; i++) await call("POST", `/v1/syncer/start?${i}`, stranger);
  now = 60_000;
  await call("GET", "/v1/status", stranger);
  await call("GET", "/v1/status");
  await call("POST", "/v1/syncer/start", { body: "{}" });
  assert.deepEqual(
    lines.map((line) => line.replace(/,"path":"[^"]*"/, "")),
    [
      'warn Requests of the admin API are refused {"status":401,"refused":1}',
      'warn Requests of the admin API are refused {"status":401,"refused":100}',
      'info Admin request {"method":"POST","status":200}',
    ],
  );
});
