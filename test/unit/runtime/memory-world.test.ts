/** The simulated world: replay from a seed, and the faults of the network between machines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../runtime/memory/world.ts";
import type { Conn } from "../../../src/platform/net.ts";

const PORT = 7_000;

interface Duo {
  readonly world: World;
  readonly client: Conn;
  readonly server: Conn;
}

async function duo(seed = 1): Promise<Duo> {
  const world = new World(seed);
  const [a, b] = [world.machine("a").start(), world.machine("b").start()];
  return world.time.run(async () => {
    let server: Conn | null = null;
    await b.net.listen({ host: "0.0.0.0", port: PORT }, (conn) => {
      server = conn;
    });
    const client = await a.net.connect({ host: "b", port: PORT }, 1_000);
    return { world, client, server: server! };
  });
}

async function chatter(seed: number): Promise<number> {
  const { world, client, server } = await duo(seed);
  world.network.setLink("a", "b", { jitterMs: 5, fragment: true });
  const disk = world.machine("b").disk("/d");
  await world.time.run(async () => {
    for (let turn = 0; turn < 20; turn++) client.write([world.random.bytes(100)]);
    let got = 0;
    while (got < 2_000) got += (await server.read())!.length;
  });
  assert.ok(disk.image.allDurable);
  return world.time.traceHash;
}

test("the same seed gives the same events, another seed others", async () => {
  assert.equal(await chatter(5), await chatter(5));
  assert.notEqual(await chatter(5), await chatter(6));
});

test("events run in the order of time, then of scheduling", async () => {
  const { time } = new World(1);
  const order: string[] = [];
  for (const [ms, label] of [
    [5, "c"],
    [1, "a"],
    [5, "d"],
    [1, "b"],
  ] as const) {
    time.schedule(ms, label, () => order.push(label));
  }
  time.schedule(2, "cancelled", () => order.push("x"))();
  await time.advance(4);
  assert.deepEqual([order.join(""), time.now], ["ab", 4]);
  assert.equal(await time.runUntil(() => order.length === 4, 10), true);
  assert.deepEqual([order.join(""), time.now], ["abcd", 5]);
  assert.equal(await time.runUntil(() => false, 10), false);
  assert.equal(time.now, 15);
});

test("a task that waits for nothing that can come is reported", async () => {
  const world = new World(1);
  await assert.rejects(
    world.time.run(() => new Promise(() => {}), 50),
    /not done after 50 ms/,
  );
});

test("a black hole keeps bytes and lets them go when it heals", async () => {
  const { world, client, server } = await duo();
  world.network.partition(["a"], ["b"]);
  client.write([Uint8Array.of(1)]);
  await world.time.advance(60_000);
  assert.equal(server.readNow(), null);
  const again = world.machine("a").start().net.connect({ host: "b", port: PORT }, 500);
  await world.time.run(() => assert.rejects(again, { code: "ETIMEDOUT" }));
  world.network.heal();
  await world.time.advance(10);
  assert.deepEqual(server.readNow(), Uint8Array.of(1));
});

test("what is on its way when a black hole opens stays before what is sent into it", async () => {
  const { world, client, server } = await duo();
  world.network.setLink("a", "b", { latencyMs: 40 });
  client.write([Uint8Array.of(1)]);
  await world.time.advance(20);
  world.network.partition(["a"], ["b"]);
  client.write([Uint8Array.of(2)]);
  await world.time.advance(1_000);
  world.network.heal();
  await world.time.advance(1_000);
  assert.deepEqual([server.readNow(), server.readNow()], [Uint8Array.of(1), Uint8Array.of(2)]);
});

test("a dropped connection is a reset at both ends", async () => {
  const { world, client, server } = await duo();
  world.network.dropConnections("a", "b");
  const reasons = await world.time.run(() => Promise.all([client.closed, server.closed]));
  assert.deepEqual(
    reasons.map(({ kind }) => kind),
    ["reset", "reset"],
  );
});

test("a killed process resets its peers, a machine without power says nothing", async () => {
  const killed = await duo();
  killed.world.machine("b").kill();
  assert.equal((await killed.world.time.run(() => killed.client.closed)).kind, "reset");

  const dark = await duo();
  let closed = false;
  void dark.client.closed.then(() => {
    closed = true;
  });
  dark.world.machine("b").powerLoss("dropPending");
  dark.client.write([Uint8Array.of(1)]);
  await dark.world.time.advance(60_000);
  assert.equal(closed, false);
  // Back again, it knows no such connection.
  dark.world.machine("b").start();
  dark.client.write([Uint8Array.of(2)]);
  await dark.world.time.advance(10);
  assert.equal(closed, true);
});

test("a process that is gone does nothing any more", async () => {
  const world = new World(1);
  const machine = world.machine("a");
  const platform = machine.start();
  let fired = false;
  platform.clock.after(10, () => {
    fired = true;
  });
  assert.throws(() => platform.process.exit(3), /code 3/);
  await world.time.advance(100);
  assert.deepEqual([fired, machine.exitCode, machine.life], [false, 3, null]);
});

test("machines and records are found by name", async () => {
  const world = new World(1);
  world.dns.set("peers.internal", { AAAA: ["fd00::1"], TXT: ["a b"] });
  const { dns } = world.machine("a").start();
  await world.time.run(async () => {
    assert.deepEqual(await dns.resolve("a", "A"), ["10.0.0.1"]);
    assert.deepEqual(await dns.resolve("peers.internal", "TXT"), ["a b"]);
    await assert.rejects(dns.resolve("nobody", "A"), { code: "ENOTFOUND" });
  });
});
