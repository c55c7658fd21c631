/** Waiting for the leader to confirm: answered once, asked again, and never left waiting. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../runtime/memory/world.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { ReadBarriers } from "../../../src/cluster/read-barriers.ts";
import { ProposalDropped } from "../../../src/raft/errors.ts";

class BarrierWorld {
  readonly world: World = new World(3);
  readonly #platform = this.world.machine("a").start();
  readonly asked: Uint8Array[] = [];
  readonly barriers = new ReadBarriers(
    this.#platform.clock,
    (length) => this.#platform.random.bytes(length),
    (context) => this.asked.push(context),
  );
  readonly outcomes: string[] = [];

  begin(name: string, timeoutMs = 5_000): void {
    this.barriers.begin(timeoutMs).then(
      (index) => this.outcomes.push(`${name} ${index}`),
      (error: Error) => {
        assert.ok(error instanceof ProposalDropped, error.stack);
        this.outcomes.push(`${name} dropped`);
      },
    );
  }
  advance(ms: number): Promise<void> {
    return this.world.time.advance(ms);
  }
}

test("read barriers: each gets the answer to its own question, once", async () => {
  const world = new BarrierWorld();
  world.begin("first");
  world.begin("second");
  assert.equal(world.asked.length, 2, "asked at once");
  assert.notEqual(toHex(world.asked[0]!), toHex(world.asked[1]!));
  world.barriers.passed({ index: 9, context: world.asked[1]! });
  await world.advance(1);
  assert.deepEqual(world.outcomes, ["second 9"]);
  world.barriers.passed({ index: 10, context: world.asked[1]! });
  world.barriers.passed({ index: 11, context: new Uint8Array(16) });
  world.barriers.passed({ index: 12, context: world.asked[0]! });
  await world.advance(10_000);
  assert.deepEqual(world.outcomes, ["second 9", "first 12"]);
});

test("read barriers: a question that was lost is asked again until its time is up", async () => {
  const world = new BarrierWorld();
  world.begin("lost", 1_800);
  await world.advance(1_750);
  assert.equal(world.asked.length, 4);
  assert.equal(new Set(world.asked.map(toHex)).size, 1, "under one name");
  assert.deepEqual(world.outcomes, []);
  await world.advance(100);
  assert.deepEqual(world.outcomes, ["lost dropped"]);
  await world.advance(10_000);
  assert.equal(world.asked.length, 4, "nobody waits any more");
  world.barriers.passed({ index: 9, context: world.asked[0]! });
  assert.deepEqual(world.outcomes, ["lost dropped"], "too late");
});

test("read barriers: who comes later is asked for again, too, after all before were answered", async () => {
  const world = new BarrierWorld();
  world.begin("first");
  world.barriers.passed({ index: 1, context: world.asked[0]! });
  await world.advance(2_000);
  world.begin("second");
  await world.advance(600);
  assert.equal(world.asked.length, 3);
  world.barriers.passed({ index: 2, context: world.asked[2]! });
  await world.advance(1);
  assert.deepEqual(world.outcomes, ["first 1", "second 2"]);
});

test("read barriers: a change of the leader asks again", async () => {
  const world = new BarrierWorld();
  world.begin("waits");
  world.barriers.leaderChanged();
  await world.advance(600);
  assert.equal(world.asked.length, 2);
});

test("read barriers: a bounded number waits, and the end leaves none waiting", async () => {
  const world = new BarrierWorld();
  for (let i = 0; i < 1024; i++) world.begin("one", 60_000);
  world.begin("too many");
  await world.advance(1);
  assert.deepEqual(world.outcomes, ["too many dropped"]);
  world.barriers.end();
  await world.advance(1);
  assert.equal(world.outcomes.length, 1025);
  assert.ok(world.outcomes.every((outcome) => outcome.endsWith("dropped")));
  world.begin("late");
  await world.advance(1);
  assert.equal(world.outcomes.at(-1), "late dropped");
  const { steps } = world.world.time;
  await world.advance(100_000);
  assert.equal(world.world.time.steps, steps, "no timer is left");
});
