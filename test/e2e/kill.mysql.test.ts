import { test } from "node:test";
import { killRounds } from "../support/kill-rounds.ts";

const ROUNDS = 10;

test(`${ROUNDS} SIGKILLs of the node under load lose nothing that was acknowledged`, async (t) => {
  const report = await killRounds(ROUNDS, (line) => t.diagnostic(line));
  t.diagnostic(JSON.stringify(report));
});
