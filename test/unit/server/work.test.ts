import assert from "node:assert/strict";
import { test } from "node:test";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { LoopTurns } from "../../../src/server/loop-turns.ts";
import { ClientGone, Work, WorkRates } from "../../../src/server/work.ts";

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
  rates.charge("a", 2_000_000);
  assert.equal(rates.delayMs("a"), 0);
  rates.charge("a", 1_000_000);
  assert.equal(rates.delayMs("a"), 1_000);
  assert.equal(rates.delayMs("b"), 0, "others do not wait");
  now = 1_000;
  assert.equal(rates.delayMs("a"), 0);
  rates.charge("a", 1e12);
  assert.equal(rates.delayMs("a"), 5_000, "nobody waits for ever");
  for (let i = 0; i < 2000; i++) rates.charge(`x${i}`, 1);
  assert.equal(rates.delayMs("a"), 0, "the oldest is forgotten");
});

test("statements of one account wait for each other between their pieces, and for nobody else's", async () => {
  const asked: number[] = [];
  const clock = {
    mono: () => 0,
    wall: () => 0,
    soon: (fn: () => void) => queueMicrotask(fn),
    after: (ms: number, fn: () => void) => {
      asked.push(ms);
      queueMicrotask(fn);
      return () => {};
    },
  };
  const rates = new WorkRates(clock);
  const pace = { rates, clock, closed: new AbortController().signal };
  const turns = new LoopTurns(clock);
  const [one, two] = [new Work("repl", turns, share, pace), new Work("repl", turns, share, pace)];
  one.spend(1_500_000);
  await one.turn();
  assert.deepEqual(asked, [], "not yet");
  two.spend(1_000_000);
  await two.turn();
  assert.deepEqual(asked, [500]);
  one.spend(50_000);
  await one.turn();
  assert.deepEqual(asked, [500, 550]);
  await new Work("other", turns, share, pace).turn();
  assert.deepEqual(asked, [500, 550]);
});

test("what is paid for beforehand begins one after the other, and then does not wait", async () => {
  let now = 0;
  const asked: number[] = [];
  const clock = {
    mono: () => now,
    wall: () => now,
    soon: (fn: () => void) => queueMicrotask(fn),
    after: (ms: number, fn: () => void) => {
      asked.push(ms);
      queueMicrotask(() => {
        now += ms;
        fn();
      });
      return () => {};
    },
  };
  const pace = { rates: new WorkRates(clock), clock, closed: new AbortController().signal };
  const turns = new LoopTurns(clock);
  const [one, two] = [new Work("repl", turns, share, pace), new Work("repl", turns, share, pace)];
  await one.prepay(4_000_000);
  await one.turn();
  assert.deepEqual(asked, []);
  await two.prepay(4_000_000);
  await two.turn();
  assert.deepEqual(asked, [2_000]);
});

test("nothing is worked out for a client that is gone", async () => {
  const clock = {
    mono: () => 0,
    wall: () => 0,
    soon: (fn: () => void) => queueMicrotask(fn),
    after: () => () => {},
  };
  const closing = new AbortController();
  const pace = { rates: new WorkRates(clock), clock, closed: closing.signal };
  const work = new Work("repl", new LoopTurns(clock), share, pace);
  await work.turn();
  closing.abort();
  await assert.rejects(work.turn(), ClientGone);
});

test("work off the loop is done one at a time, whatever became of the one before", async () => {
  const turns = new LoopTurns({ soon: (fn) => queueMicrotask(fn) });
  let running = 0;
  const most: number[] = [];
  const one = async (): Promise<number> => {
    most.push(++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (most.length === 2) throw new Error("broken");
    return most.length;
  };
  const all = await Promise.allSettled([1, 2, 3, 4].map(() => turns.alone(one)));
  assert.deepEqual(most, [1, 1, 1, 1]);
  assert.deepEqual(
    all.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled", "fulfilled"],
  );
});
