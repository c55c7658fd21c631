import assert from "node:assert/strict";
import { test } from "node:test";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import {
  containsInTurns,
  growingGtidText,
  gtidText,
  ParsedGtids,
  subtractInTurns,
} from "../../../src/server/gtid-text.ts";
import { LoopTurns } from "../../../src/server/loop-turns.ts";
import { Work } from "../../../src/server/work.ts";

const A = "11111111-2222-3333-4444-555555555555";
const B = "22222222-2222-3333-4444-555555555555";

function work(): { work: Work; turns: () => number } {
  let turns = 0;
  const loop = new LoopTurns({
    soon: (fn) => {
      turns++;
      queueMicrotask(fn);
    },
  });
  return { work: new Work("repl", loop, { hold() {}, release() {} }), turns: () => turns };
}

test("a large set is the same text, in pieces; it may grow meanwhile", async () => {
  const set = GtidSet.parse(`${B}:7,${B}:tag:1-2:9`);
  for (let i = 0; i < 25_000; i++) set.add(A, BigInt(3 * i + 1), BigInt(3 * i + 1 + (i % 2)));
  const want = set.toString();
  const { work: large, turns } = work();
  const made = growingGtidText(set, large);
  set.add(A, 1_000_000n, 1_000_005n);
  assert.equal(await made, want);
  assert.ok(turns() >= 3, `${turns()} turns`);
});

test("a small set takes no turn", async () => {
  const { work: small, turns } = work();
  assert.equal(await gtidText(GtidSet.parse(`${A}:1-5`), small), `${A}:1-5`);
  assert.equal(await gtidText(new GtidSet(), small), "");
  assert.equal(turns(), 0);
});

test("a text is parsed once in a statement", async () => {
  const { work: one } = work();
  const parsed = new ParsedGtids(one);
  const known = GtidSet.parse(`${A}:9`);
  parsed.remember("a text that is too long to parse", known);
  assert.equal(await parsed.parse("a text that is too long to parse"), known);
  await assert.rejects(
    parsed.parse(`${A}:1`.repeat(10_000)),
    (error) => error instanceof MysqlError && error.errno === 1226,
  );
  const first = await parsed.parse(`${A}:1-5`);
  assert.equal(await parsed.parse(`${A}:1-5`), first);
  await assert.rejects(
    parsed.parse("nonsense"),
    (error) => error instanceof MysqlError && error.errno === 1772,
  );
});

test("large sets are compared and subtracted in pieces, as at once", async () => {
  const a = GtidSet.parse(`${B}:7,${B}:tag:1-2:9`);
  const b = new GtidSet();
  for (let i = 0; i < 25_000; i++) {
    a.add(A, BigInt(3 * i + 1), BigInt(3 * i + 2));
    b.add(A, BigInt(3 * i + 1));
  }
  const { work: large, turns } = work();
  assert.equal(await containsInTurns(a, b, large), true);
  assert.ok(turns() >= 2, `${turns()} turns`);
  assert.equal(await containsInTurns(b, a, large), false);
  const before = turns();
  const rest = await subtractInTurns(a, b, large);
  assert.ok(turns() - before >= 2, `${turns() - before} turns`);
  assert.equal(rest.toString(), a.subtract(b).toString());
  assert.equal(rest.intervalCount, 25_003);
  const { work: small, turns: none } = work();
  assert.equal(
    await containsInTurns(GtidSet.parse(`${A}:1-9`), GtidSet.parse(`${A}:3`), small),
    true,
  );
  assert.equal(
    (await subtractInTurns(GtidSet.parse(`${A}:1-9`), a, small)).toString(),
    `${A}:3:6:9`,
  );
  assert.equal(none(), 0);
});
