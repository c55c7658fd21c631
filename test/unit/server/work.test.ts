import assert from "node:assert/strict";
import { test } from "node:test";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { LoopTurns } from "../../../src/server/loop-turns.ts";
import { Work, WorkRates } from "../../../src/server/work.ts";

const share = { hold() {}, release() {} };

/** A loop whose turns are taken by hand. */
function loop(): { turns: LoopTurns; turn(): Promise<void>; waiting(): number } {
  let due: (() => void)[] = [];
  const turns = new LoopTurns({ soon: (fn) => void due.push(fn) });
  return {
    turns,
    waiting: () => due.length,
    async turn() {
      const now = due;
      due = [];
      for (const fn of now) fn();
      await Promise.resolve();
    },
  };
}

test("of all large pieces of work one goes on in each turn, in their order", async () => {
  const { turns, turn, waiting } = loop();
  const done: string[] = [];
  for (const name of ["a", "b", "c"]) void turns.next().then(() => done.push(name));
  await turn();
  assert.deepEqual(done, ["a"]);
  await turn();
  await turn();
  assert.deepEqual(done, ["a", "b", "c"]);
  assert.equal(waiting(), 0, "it does not keep the loop busy");
});

test("work takes a turn when enough was done, and has an end", async () => {
  const { turns, turn } = loop();
  const work = new Work("repl", turns, share);
  work.spend(10_000);
  await work.pause();
  work.spend(10_000);
  let resumed = false;
  const paused = work.pause().then(() => {
    resumed = true;
  });
  await Promise.resolve();
  assert.equal(resumed, false);
  await turn();
  await paused;
  assert.throws(
    () => work.spend(8_000_000),
    (error) =>
      error instanceof MysqlError &&
      error.errno === 1226 &&
      /'repl' has exceeded the 'statement_work' resource/.test(error.message),
  );
});

test("what a statement holds is given back at its end", () => {
  const { turns } = loop();
  let held = 0;
  const work = new Work("repl", turns, {
    hold: (bytes) => {
      held += bytes;
    },
    release: (bytes) => {
      held -= bytes;
    },
  });
  work.spendText(100);
  assert.equal(held, 0, "short text is not counted");
  work.spendText(5000);
  assert.equal(held, 10_000);
  work.end();
  assert.equal(held, 0);
});

test("an account in debt waits, and the debt drains", () => {
  let now = 0;
  const rates = new WorkRates({ mono: () => now });
  rates.charge("a", 8_000_000);
  assert.equal(rates.delayMs("a"), 0);
  rates.charge("a", 2_000_000);
  assert.equal(rates.delayMs("a"), 1_000);
  assert.equal(rates.delayMs("b"), 0, "others do not wait");
  now = 1_000;
  assert.equal(rates.delayMs("a"), 0);
  rates.charge("a", 1e12);
  assert.equal(rates.delayMs("a"), 5_000, "nobody waits for ever");
  for (let i = 0; i < 2000; i++) rates.charge(`x${i}`, 1);
  assert.equal(rates.delayMs("a"), 0, "the oldest is forgotten");
});
