/** What only the leader may do, asked of any node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { World } from "../../../runtime/memory/world.ts";
import { LeaderCalls, type Link } from "../../../src/cluster/leader-calls.ts";
import type { NodeCore } from "../../../src/cluster/node-core.ts";
import { OperationError } from "../../../src/cluster/operations.ts";
import { CallFailed } from "../../../src/peers/calls.ts";
import { ProposalDropped } from "../../../src/raft/errors.ts";
import { idOf, running, SimNodes } from "./sim-nodes.ts";

const ACCOUNT = { sha2: "ab".repeat(32), native: null };

/** Two nodes, of which one leads, without what is between them. */
class CallWorld {
  readonly world: World = new World(5);
  readonly clock = this.world.machine("a").start().clock;
  /** Who leads, as node 1 knows it; 0: nobody. */
  leader = 2;
  /** How often it was done, by node. */
  readonly done: number[] = [0, 0, 0];
  /** What the method does instead of being done. */
  fails: Error | null = null;
  /** What the link does before the call gets there, and after it was done. */
  before: Error | null = null;
  after: Error | null = null;
  connected = true;
  calls = 0;
  hangs = false;
  damaged: Error | null = null;
  readonly here: LeaderCalls;
  readonly there: LeaderCalls;

  constructor() {
    const link: Link = {
      isConnected: (raftId) => raftId === 2 && this.connected,
      call: async (raftId, method, args, timeoutMs) => {
        this.calls++;
        assert.deepEqual([raftId, method, timeoutMs], [2, "operation", 30_000]);
        if (this.before !== null) throw this.before;
        const value = await this.there.serve(args).catch((error: Error & { kind?: string }) => {
          // As a link tells it.
          const { kind = "unavailable", message, next = "" } = error as OperationError;
          throw new CallFailed(kind, message, next);
        });
        if (this.after !== null) throw this.after;
        return value;
      },
    };
    const shapes = { args: { act: z.array(z.unknown()) }, answers: {} };
    this.here = new LeaderCalls(this.#core(1), this.clock, link, shapes);
    this.there = new LeaderCalls(this.#core(2), this.clock, null, shapes);
    for (const [id, calls] of [
      [1, this.here],
      [2, this.there],
    ] as const) {
      calls.provide("act", async (...args: readonly unknown[]) => {
        if (this.fails !== null) throw this.fails;
        if (this.hangs) await new Promise(() => {});
        this.done[id]!++;
        return args;
      });
    }
  }

  #core(id: number): NodeCore {
    const world = this;
    const driver = {
      get leads() {
        return world.leader === id;
      },
      get damaged() {
        return world.damaged;
      },
      consensus: {
        electionMs: 1_000,
        node: {
          raft: { id },
          isOnlyVoter: false,
          get leader() {
            return world.leader;
          },
        },
      },
    };
    return { driver } as unknown as NodeCore;
  }

  /** What came of it: its value as text, or the error's. */
  async act(...args: readonly unknown[]): Promise<string> {
    return this.world.time.run(() =>
      this.here.onLeader("act", ...args).then(
        (value) => JSON.stringify(value),
        (error: Error) => {
          assert.ok(error instanceof OperationError, error.stack);
          return `${error.kind}: ${error.message}; ${error.next}`;
        },
      ),
    );
  }
}

test("leader calls: done here when this node leads, there when another does", async () => {
  const world = new CallWorld();
  assert.equal(await world.act("a", 1), '["a",1]');
  assert.deepEqual(world.done, [0, 0, 1]);
  world.leader = 1;
  assert.equal(await world.act("b"), '["b"]');
  assert.deepEqual([world.done, world.calls], [[0, 1, 1], 1]);
});

test("leader calls: between leaders it waits, then it is done once", async () => {
  const world = new CallWorld();
  world.leader = 0;
  world.world.time.schedule(2_000, "elected", () => {
    world.leader = 2;
  });
  assert.equal(await world.act(), "[]");
  assert.deepEqual(world.done, [0, 0, 1]);
});

test("leader calls: a node that does not lead any more says so, and the new leader is asked", async () => {
  const world = new CallWorld();
  world.before = new CallFailed("not-leading", "This node does not lead");
  world.world.time.schedule(700, "moved", () => {
    world.leader = 1;
  });
  assert.equal(await world.act(), "[]");
  assert.deepEqual(world.done, [0, 1, 0]);
  assert.ok(world.calls > 1);
});

test("leader calls: a leader that hands over in the middle is not asked again, the next one is", async () => {
  const world = new CallWorld();
  world.fails = new CallFailed("not-leading", "Leadership was handed over");
  world.world.time.schedule(300, "moved", () => {
    world.leader = 1;
    world.fails = null;
  });
  assert.equal(await world.act(), "[]");
  assert.deepEqual(world.done, [0, 1, 0]);
});

test("leader calls: without a leader for too long there is no quorum, and the next step is named", async () => {
  const world = new CallWorld();
  world.leader = 0;
  const began = world.world.time.now;
  const refused = await world.act();
  assert.match(refused, /^no-quorum: The cluster has no leader: less than a majority/);
  assert.match(refused, /; binraft member list/);
  const took = world.world.time.now - began;
  assert.ok(took > 4_900 && took < 5_300, `${took} ms`);
  assert.deepEqual(world.done, [0, 0, 0]);
});

test("leader calls: a leader that cannot be reached is as none", async () => {
  const world = new CallWorld();
  world.connected = false;
  assert.match(await world.act(), /^no-quorum: /);
  assert.equal(world.calls, 0);
});

test("leader calls: what may have happened is not done twice", async () => {
  for (const error of [
    new CallFailed("unavailable", "The link to that node ended"),
    new CallFailed("unavailable", "Node 2 did not answer within 30000 ms"),
  ]) {
    const world = new CallWorld();
    world.after = error;
    assert.match(await world.act(), new RegExp(`^unavailable: ${error.message}`));
    assert.deepEqual([world.done, world.calls], [[0, 0, 1], 1]);
  }
  for (const leader of [1, 2]) {
    const world = new CallWorld();
    world.leader = leader;
    world.fails = new ProposalDropped();
    assert.match(
      await world.act(),
      /^unavailable: Leadership changed meanwhile: whether it was done is not known here; look, and ask again/,
    );
  }
});

test("leader calls: what a leader has begun and cannot end without its quorum is told to be open", async () => {
  const world = new CallWorld();
  world.leader = 1;
  world.hangs = true;
  world.world.time.schedule(2_000, "it steps down", () => {
    world.leader = 0;
  });
  assert.match(await world.act(), /^unavailable: .*whether it was done is not known here/);
  assert.ok(world.world.time.now < 10_000);
  assert.deepEqual(world.done, [0, 0, 0]);
});

test("leader calls: the leader's refusals keep their kind and next step, unknown kinds are `unavailable`", async () => {
  const world = new CallWorld();
  for (const kind of ["not-found", "conflict", "invalid", "unavailable", "no-quorum"] as const) {
    world.fails = new OperationError(kind, `Text of ${kind}`, "a step");
    assert.equal(await world.act(), `${kind}: Text of ${kind}; a step`);
  }
  world.fails = new CallFailed("odd", "Text", "a step");
  assert.equal(await world.act(), "unavailable: Text; a step");
});

test("leader calls: an operation that the other version does not know is refused, with what to do", async () => {
  const world = new CallWorld();
  for (const given of [{ name: "none", args: [] }, { name: "act", args: "x" }, {}]) {
    await assert.rejects(world.there.serve(given), {
      name: "CallFailed",
      kind: "invalid",
      message: /This node knows no operation ".*": use one version of binraft|makes no sense: act/,
    });
  }
  assert.deepEqual(world.done, [0, 0, 0]);
});

test("leader calls: a leader whose log is damaged does nothing, and says why it waits", async () => {
  const world = new CallWorld();
  world.leader = 1;
  world.damaged = new Error("damaged");
  assert.match(await world.act(), /^unavailable: This node does not lead: try again in a moment/);
  assert.deepEqual(world.done, [0, 0, 0]);
});

test("leader calls, whole nodes: from a follower, and while leadership moves, each is done once", async () => {
  const world = new SimNodes(21);
  await world.formed(3);
  const applied: string[] = [];
  running(world.nodes[2]!).core.driver.observe({
    commandApplied: (command) => {
      if (command.type === "set-account" && command.name.startsWith("c"))
        applied.push(command.name);
    },
  });
  let failed = 0;
  const names: string[] = [];
  for (let i = 0; i < 24; i++) {
    const follower = world.followers()[i % 2]!;
    const other = world.followers()[(i + 1) % 2]!;
    const name = `c${i}`;
    if (i % 3 === 1)
      running(other)
        .transferLeader(other.name)
        .catch(() => {});
    await world.world.time.advance(i % 4);
    const refused = await world.refused(() => running(follower).setAccount(name, ACCOUNT));
    if (refused === "") names.push(name);
    else {
      failed++;
      assert.match(refused, /^unavailable: /);
    }
    await world.until("a leader", () => world.nodes.some(({ leads }) => leads));
  }
  await world.world.time.advance(1_000);
  for (const name of names)
    assert.equal(applied.filter((one) => one === name).length, 1, `${name}: ${applied}`);
  assert.equal(new Set(applied).size, applied.length, "none twice");
  assert.ok(failed < 8, `${failed} of 24`);
});

test("leader calls, whole nodes: two that cannot hear the third go on, the third has no quorum", async () => {
  const world = new SimNodes(22);
  const leader = await world.formed(3);
  world.cut(leader);
  const refused = await world.refused(() => running(leader).setAccount("lost", ACCOUNT));
  assert.match(refused, /^(no-quorum|unavailable): /);
  await world.world.time.advance(3_000);
  const again = await world.refused(() => running(leader).setAccount("lost", ACCOUNT));
  assert.match(again, /^no-quorum: The cluster has no leader/);
  const [next] = world.nodes.filter((node) => node.leads);
  assert.notEqual(next, leader);
  await world.run(() => running(next!).setAccount("kept", ACCOUNT));
  world.world.network.heal();
  await world.until("the old one follows", () => {
    const names = [...running(leader).core.state.settings.accounts.keys()];
    return names.includes("kept") && !names.includes("lost");
  });
  assert.notEqual(idOf(next!), idOf(leader));
});
