/** The leader is killed while accounts are made at the source, which then lets nobody new in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lockoutRounds } from "../support/lockout-rounds.ts";

const ROUNDS = 2;

test(`${ROUNDS} SIGKILLs of the leader beside CREATE USER: commits go on by themselves`, async (t) => {
  const report = await lockoutRounds(ROUNDS, (line) => t.diagnostic(line));
  t.diagnostic(JSON.stringify(report));
  assert.equal(report.lost, 0);
});
