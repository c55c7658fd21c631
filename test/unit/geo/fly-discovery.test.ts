/** Machines of an app that start in any order, with lists that are not the same: one cluster, or none yet. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FlyMachine,
  flyDiscovery,
  founding,
  machineHost,
  machineOf,
  parseMachines,
} from "../../../geo/fly-discovery.ts";
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { NetError } from "../../../src/platform/net.ts";
import { DATA_DIR } from "../../sim/nodes/node.ts";
import { FlyWorld } from "./fly-world.ts";

test("the list of machines is read whole, or not at all", () => {
  assert.deepEqual(parseMachines(["b2 fra,a1 iad", "c3  syd", "b2 fra", ""]), [
    { id: "a1", region: "iad" },
    { id: "b2", region: "fra" },
    { id: "c3", region: "syd" },
  ]);
  assert.deepEqual(parseMachines([]), []);
  for (const text of ["a1", "a1 iad,b2", "a1 iad extra", "a.1 iad", "a1 iad;b2 fra"])
    assert.throws(() => parseMachines([text]), NetError, text);
});

test("a machine's host name has its id", () => {
  assert.equal(machineHost("a1", "demo"), "a1.vm.demo.internal");
  assert.equal(machineOf("a1.vm.demo.internal", "demo"), "a1");
  for (const other of ["a1.vm.other.internal", "vm.demo.internal", "a1", "", ".vm.demo.internal"])
    assert.equal(machineOf(other, "demo"), null, other);
});

test("the founder is the smallest of the primary region, of a list that holds", () => {
  const list = (text: string): FlyMachine[] => parseMachines([text]);
  const who = (machine: string, primaryRegion: string | null, text: string, ageMs = 5_000) =>
    founding({ machine, primaryRegion }, list(text), ageMs).founder;
  assert.equal(who("b2", "iad", "a1 fra,b2 iad,c3 iad"), "b2");
  assert.equal(who("c3", "iad", "a1 fra,b2 iad,c3 iad"), "b2");
  assert.equal(who("b2", "iad", "a1 fra,b2 iad", 4_999), "", "too new");
  assert.equal(who("b2", "iad", "a1 iad"), "", "this one is not on it");
  assert.equal(who("b2", "syd", "a1 iad,b2 fra"), "", "nobody is there");
  assert.equal(who("b2", null, "b2 fra"), "b2", "alone, its own region is the primary one");
  assert.equal(who("b2", null, "a1 fra,b2 fra"), "", "not of two");
  assert.equal(who("b2", "iad", "b2 fra"), "", "alone, and not where it begins");
});

test("a list that cannot be had is no list", async () => {
  const failing = (code: string) =>
    flyDiscovery({
      dns: { resolve: () => Promise.reject(new NetError(code, code)) },
      clock: { mono: () => 0 },
      app: "demo",
      machine: "a1",
      port: 4306,
      primaryRegion: "iad",
    }).look();
  await assert.rejects(failing("ETIMEOUT"), NetError);
  const nothing = await failing("ENOTFOUND");
  assert.deepEqual(nothing.addresses, []);
  assert.equal(nothing.founding!.founder, "");
  assert.match(nothing.founding!.reason, /has this machine on its list/);
});

test("one machine forms a cluster; those of other regions join it as learners", async () => {
  const fly = new FlyWorld(1);
  const first = fly.create("d1", "iad");
  await fly.clustered([first]);
  const [second, third] = [fly.create("a1", "fra"), fly.create("b1", "iad")];
  await fly.clustered([first, second, third]);
  assert.deepEqual(fly.voters(first), [1]);
  assert.equal(fly.clusters().size, 1);
});

test("without a primary region one machine alone begins, and two wait and say why", async () => {
  const alone = new FlyWorld(2);
  await alone.clustered([alone.create("d1", "fra", { primaryRegion: null })]);
  const fly = new FlyWorld(3);
  fly.create("d1", "fra", { primaryRegion: null });
  const two = fly.create("d2", "fra", { primaryRegion: null });
  await fly.quiet(30_000);
  assert.match(two.lines.join("\n"), /PRIMARY_REGION is not set.*primary_region in fly\.toml/);
});

test("nobody of the primary region: all wait and say so; one that comes there begins", async () => {
  const fly = new FlyWorld(4);
  const lonely = fly.create("d1", "fra");
  await fly.quiet(30_000);
  assert.match(lonely.lines.join("\n"), /no machine is in the primary region \\?"iad\\?"/);
  const first = fly.create("e1", "iad");
  await fly.clustered([first, lonely]);
  assert.deepEqual(fly.voters(first), [1]);
});

test("a machine that is stopped may have the cluster: who is empty waits for it, and says so every 10 s", async () => {
  const fly = new FlyWorld(5);
  const old = fly.create("d1", "iad");
  await fly.clustered([old]);
  old.kill();
  const fresh = fly.create("a1", "iad");
  await fly.quiet(45_000);
  const said = fresh.lines.filter((line) => line.includes("no place in a cluster yet"));
  assert.ok(said.length >= 4, said.join("\n"));
  assert.match(said.at(-1)!, /once all that exist answer.*d1\.vm\.demo\.internal:4306/);
  old.start();
  await fly.clustered([old, fresh]);
  assert.deepEqual(fly.voters(old), [1]);
});

test("a machine that is destroyed is nobody: the next of the primary region begins", async () => {
  const fly = new FlyWorld(6);
  const gone = fly.prepare("a1", "iad");
  const next = fly.create("d1", "iad");
  await fly.quiet(20_000);
  fly.destroy(gone);
  await fly.clustered([next]);
});

test("--bootstrap is the way out when one is silent for ever", async () => {
  const fly = new FlyWorld(7);
  fly.prepare("a1", "iad");
  await fly.clustered([fly.create("d1", "fra", { bootstrap: true })]);
});

test("machines that take different regions for the primary one form nothing", async () => {
  const fly = new FlyWorld(8);
  fly.create("d1", "iad", { primaryRegion: "iad" });
  const other = fly.create("d2", "fra", { primaryRegion: "fra" });
  await fly.quiet(40_000);
  assert.match(other.lines.join("\n"), /it takes \\?"d1\\?" for the one that forms the cluster/);
});

test("many machines that start in any order, with lists of different age, never form two clusters", async (t) => {
  let formed = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const fly = new FlyWorld(seed);
    const random = new SeededRandom(seed).fork("plan");
    const count = 2 + random.below(4);
    const nodes = [];
    for (let i = 0; i < count; i++) {
      const id = `${"abcdef"[random.below(6)]}${i}`;
      const region = random.below(3) === 0 ? "fra" : "iad";
      nodes.push(fly.create(id, region, { lagMs: random.below(4_500) }));
      await fly.world.time.advance([0, 40, 1_000, 5_000, 7_000][random.below(5)]!);
    }
    // Now and then one fails, and comes back with its disk or with an empty one.
    for (let fault = random.below(3); fault > 0; fault--) {
      await fly.world.time.advance(random.below(6_000));
      const victim = nodes[random.below(count)]!;
      // A disk that holds the only copy of a cluster is not lost here: then nobody could know of it.
      const isFresh = victim.node === null && fly.clusters().size === 0;
      victim.powerLoss();
      if (isFresh && random.below(2) === 0) victim.machine.wipe(DATA_DIR);
      await fly.world.time.advance(random.below(3_000));
      victim.start();
    }
    const what = `seed ${seed}`;
    assert.ok(fly.clusters().size <= 1, `${what}: ${fly.describe()}`);
    if (fly.machines.some(({ region }) => region === "iad")) {
      await fly.clustered(nodes, what);
      formed++;
    } else await fly.quiet(20_000);
    assert.ok(fly.clusters().size <= 1, `${what}: ${fly.describe()}`);
  }
  t.diagnostic(`${formed} of 40 formed`);
  assert.ok(formed >= 25);
});
