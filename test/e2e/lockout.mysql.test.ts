/** The leader is killed beside statements under which the source lets nobody new in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lockoutRounds } from "../support/lockout-rounds.ts";

const ROUNDS = 2;

test(`${ROUNDS} SIGKILLs of the leader beside CREATE USER and SET GLOBAL: commits go on by themselves`, async (t) => {
  const report = await lockoutRounds(ROUNDS, (line) => t.diagnostic(line));
  t.diagnostic(JSON.stringify(report));
  assert.equal(report.lost, 0);
});
