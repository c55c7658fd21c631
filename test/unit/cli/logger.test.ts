import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../../src/cli/logger.ts";

async function logged(isTerminal: boolean, debug = false): Promise<string[]> {
  const lines: string[] = [];
  const stderr = { write: (text: string) => void lines.push(text), isTerminal };
  const logger = await createLogger({ process: { stderr, env: { NO_COLOR: "1" } }, debug });
  const part = logger.with({ part: "syncer" });
  part.info("Reads {braces} and {more", {
    file: "b.000001",
    position: 5_000_000_000n,
    none: undefined,
  });
  part.debug("Only with debug");
  logger.error("Two\nlines", { reason: "a b" });
  return lines;
}

test("createLogger writes one JSON object a line when no person is looking", async () => {
  const lines = await logged(false);
  assert.equal(lines.length, 2);
  const first = JSON.parse(lines[0]!) as { level: string; message: string; properties: unknown };
  assert.equal(first.message, "Reads {braces} and {more");
  assert.deepEqual(first.properties, { part: "syncer", file: "b.000001", position: "5000000000" });
  for (const line of lines) assert.equal(line.indexOf("\n"), line.length - 1);
});

test("createLogger writes readable lines to a terminal", async () => {
  const lines = await logged(true, true);
  assert.equal(lines.length, 3);
  assert.match(
    lines[0]!,
    /^\d\d:\d\d:\d\d\.\d{3} INFO Reads \{braces\} and \{more part=syncer file=b\.000001/,
  );
  assert.match(lines[2]!, /reason="a b"\n$/);
});
