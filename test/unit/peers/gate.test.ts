import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../runtime/memory/world.ts";
import { Gate, networkOf, type Place } from "../../../src/peers/gate.ts";
import { PeersWorld, PORT } from "./world-peers.ts";

const PLACES = 4;

class GateWorld {
  readonly world: World = new World(1);
  readonly gate: Gate;
  readonly ended: string[] = [];

  constructor() {
    const { clock } = this.world.machine("a").start();
    this.gate = new Gate(clock, { places: PLACES, silentMs: 2_000 });
  }
  enter(peer: string, name: string = peer): Place {
    return this.gate.enter(peer, () => this.ended.push(name));
  }
}

test("gate: who says nothing goes after two seconds, who spoke stays", async () => {
  const world = new GateWorld();
  world.enter("1.1.1.1:1");
  world.enter("1.1.1.1:2").spoke();
  await world.world.time.advance(1_900);
  assert.deepEqual(world.ended, []);
  await world.world.time.advance(200);
  assert.deepEqual([world.ended, world.gate.waiting], [["1.1.1.1:1"], 1]);
});

test("gate: when it is full the address that has most gives up a place, its silent ones first", () => {
  const world = new GateWorld();
  world.enter("1.1.1.1:1").spoke();
  world.enter("2.2.2.2:1");
  world.enter("1.1.1.1:2");
  world.enter("1.1.1.1:3").spoke();
  world.enter("3.3.3.3:1");
  assert.deepEqual(world.ended, ["1.1.1.1:2"]);
  world.enter("3.3.3.3:2");
  assert.deepEqual(world.ended, ["1.1.1.1:2", "3.3.3.3:1"], "of as many the silent one");
  assert.deepEqual([world.gate.waiting, world.gate.evicted], [PLACES, 2]);
});

test("gate: an address from which a member proved itself keeps its place while strangers have some", () => {
  const world = new GateWorld();
  world.enter("9.9.9.9:1").proved(true);
  for (let i = 0; i < PLACES; i++) world.enter(`9.9.9.9:${i}`, "member");
  world.enter("1.1.1.1:1", "stranger");
  assert.deepEqual(world.ended, ["stranger"]);
});

test("gate: who left or proved himself has no place any more", () => {
  const world = new GateWorld();
  const places = [1, 2, 3, 4].map((port) => world.enter(`1.1.1.1:${port}`));
  places[0]!.leave();
  places[0]!.leave();
  places[1]!.proved(false);
  assert.equal(world.gate.waiting, 2);
  world.enter("2.2.2.2:1");
  world.enter("2.2.2.2:2");
  assert.deepEqual(world.ended, []);
});

for (const [peer, network] of [
  ["10.0.0.1:80", "10.0.0.1"],
  ["[2001:db8:0:1::5]:4306", "2001:db8:0:1/64"],
  ["2001:db8:0:1:ffff:0:0:1:4306", "2001:db8:0:1/64"],
  ["[2001:0DB8::1]:1", "2001:db8:0:0/64"],
  ["[::1]:1", "0:0:0:0/64"],
  ["[fe80::1%eth0]:1", "fe80:0:0:0/64"],
  ["[::ffff:10.0.0.1]:1", "10.0.0.1"],
] as const) {
  test(`gate: ${peer} is of ${network}`, () => assert.equal(networkOf(peer), network));
}

test("a node links at once while an attacker's silent connections come and come", async () => {
  const world = new PeersWorld(21);
  const a = await world.start(1);
  const attacker = world.world.machine("attacker").start();
  const address = { host: a.address, port: PORT };
  const stop = new AbortController();
  const flood = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await attacker.net.connect(address, 1_000).catch(() => null);
      await new Promise<void>((resolve) => attacker.clock.after(5, resolve));
    }
  };
  for (let i = 0; i < 16; i++) void flood();
  await world.world.time.advance(1_000);
  const b = await world.start(2);
  const before = world.world.time.now;
  world.introduce();
  assert.ok(await world.until(() => a.peers.isConnected(2) && b.peers.isConnected(1), 30_000));
  // Node 1 dials node 2; so the other way is looked at as well: node 2 asks where the flood is.
  assert.equal(await world.world.time.run(() => b.peers.ask(address, "echo", "x", 1_000)), "x");
  assert.ok(world.world.time.now - before < 2_000, "in simulated time");
  stop.abort();
});
