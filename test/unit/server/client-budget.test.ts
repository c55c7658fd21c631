import assert from "node:assert/strict";
import { test } from "node:test";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { ClientBudget, clientLimits } from "../../../src/server/client-budget.ts";

const LIMITS = {
  connections: 4,
  connectionsPerAccount: 3,
  bytes: 100,
  bytesPerAccount: 60,
  bytesPerAddress: 50,
};

function errno(work: () => unknown): number {
  try {
    work();
    return 0;
  } catch (error) {
    assert.ok(error instanceof MysqlError);
    return error.errno;
  }
}

test("connections are counted per account and in all", () => {
  const budget = new ClientBudget(LIMITS);
  const mine = ["x", "y", "z"].map((address) => budget.enter("a", address));
  assert.equal(
    errno(() => budget.enter("a", "w")),
    1203,
  );
  budget.enter("b", "x");
  assert.equal(
    errno(() => budget.enter("c", "x")),
    1040,
  );
  mine[0]!.leave();
  mine[0]!.leave();
  assert.equal(budget.connections, 3);
  budget.enter("c", "x");
});

test("bytes are counted per account, per address and in all, and given back", () => {
  const budget = new ClientBudget(LIMITS);
  const a = budget.enter("a", "x");
  const alsoA = budget.enter("a", "y");
  const b = budget.enter("b", "x");
  const c = budget.enter("c", "z");
  a.hold(40);
  assert.equal(
    errno(() => alsoA.hold(21)),
    1226,
    "of one account",
  );
  assert.equal(
    errno(() => b.hold(11)),
    1226,
    "from one address",
  );
  alsoA.hold(20);
  b.hold(10);
  assert.equal(
    errno(() => c.hold(31)),
    1041,
    "in all",
  );
  assert.equal(budget.heldBytes, 70, "what is refused is not counted");
  a.release(1000);
  assert.equal(budget.heldBytes, 30, "at most what it holds");
  alsoA.leave();
  assert.equal(budget.heldBytes, 10);
  alsoA.hold(5);
  assert.equal(budget.heldBytes, 10, "who left holds nothing");
});

test("by default one account leaves some connections to others", () => {
  assert.equal(clientLimits(2000).connectionsPerAccount, 1800);
  assert.equal(clientLimits(1).connectionsPerAccount, 1);
});
