/** One cluster with a voter on each runtime: the demo's verdict, leader kill included. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import type { DemoResult } from "../../demo/main.ts";
import { RUNTIMES } from "../../demo/runtimes.ts";
import { whyNot } from "../support/runtimes.ts";

const MAIN = path.join(import.meta.dirname, "../../demo/main.ts");
const DEADLINE_MS = 30 * 60_000;
const missing = RUNTIMES.map(whyNot).find((why) => why !== false) ?? false;

test("voters on Node, Bun and Deno are one cluster", { skip: missing }, () => {
  const args = [MAIN, "--seconds", "8", "--json", "--runtime", "mixed"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: DEADLINE_MS,
  });
  assert.equal(status, 0, `${stdout}${stderr.slice(-4000)}`);
  const { ok, checks, figures } = JSON.parse(stdout) as DemoResult;
  assert.ok(ok && checks.length > 0 && checks.every((check) => check.ok), stdout);
  for (const runtime of RUNTIMES) assert.match(String(figures["runtimes"]), new RegExp(runtime));
});
