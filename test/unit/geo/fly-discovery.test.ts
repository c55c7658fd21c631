/** Machines of an app that start in any order, with lists that are not the same: one cluster, or none yet. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyDiscovery, machineHost, machineOf, parseMachines } from "../../../geo/fly-discovery.ts";
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { stopFor } from "../../../src/cluster/other-clusters.ts";
import { NetError } from "../../../src/platform/net.ts";
import { DATA_DIR, type SimNode } from "../../sim/nodes/node.ts";
import { running } from "../cluster/sim-nodes.ts";
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

test("a list that cannot be had is no list", async () => {
  const failing = (code: string) =>
    flyDiscovery({
      dns: { resolve: () => Promise.reject(new NetError(code, code)) },
      clock: { mono: () => 0 },
      app: "demo",
      machine: "a1",
      port: 4306,
    }).look();
  await assert.rejects(failing("ETIMEOUT"), NetError);
  const nothing = await failing("ENOTFOUND");
  assert.deepEqual(nothing.addresses, []);
  assert.match(nothing.all!.doubt!, /has this machine on its list/);
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

test("a list that is new is in doubt; one that holds is not", async () => {
  let now = 0;
  let list = "a1 iad";
  const discovery = flyDiscovery({
    dns: { resolve: async () => [list] },
    clock: { mono: () => now },
    app: "demo",
    machine: "a1",
    port: 4306,
  });
  const doubt = async (atMs: number): Promise<string | null> => {
    now = atMs;
    return (await discovery.look()).all!.doubt;
  };
  assert.match((await doubt(0))!, /the same for 5000 ms/);
  assert.match((await doubt(4_999))!, /the same/);
  assert.equal(await doubt(5_000), null);
  list = "a1 iad,b2 fra";
  assert.match((await doubt(6_000))!, /the same/);
  assert.equal(await doubt(11_000), null);
});

test("without a number nobody begins, and all say what to set", async () => {
  const fly = new FlyWorld(3);
  fly.create("d1", "iad", { expect: null });
  const two = fly.create("d2", "fra", { expect: null });
  await fly.quiet(30_000);
  assert.match(
    two.lines.join("\n"),
    /set cluster\.bootstrap_expect to the number of nodes that begin/,
  );
});

test("as many as were told of begin together; one that comes later joins them", async () => {
  const fly = new FlyWorld(4);
  const first = fly.create("d1", "iad", { expect: 3 });
  const second = fly.create("d2", "fra", { expect: 3 });
  await fly.quiet(30_000);
  assert.match(
    first.lines.join("\n"),
    /exactly 3 nodes exist \(cluster\.bootstrap_expect\), and 2 do/,
  );
  const third = fly.create("d3", "syd", { expect: 3 });
  await fly.clustered([first, second, third]);
  assert.deepEqual(fly.voters(first), [1, 2, 3]);
  const late = fly.create("a1", "syd", { expect: 3 });
  await fly.clustered([first, second, third, late]);
  assert.deepEqual(fly.voters(late), [1, 2, 3]);
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
  assert.match(
    said.at(-1)!,
    /exactly 1 nodes exist.*start those that are stopped.*d1\.vm\.demo\.internal:4306/,
  );
  old.start();
  await fly.clustered([old, fresh]);
  assert.deepEqual(fly.voters(old), [1]);
});

test("a machine that is destroyed is nobody: the one that is left begins", async () => {
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

test("many machines that start in any order, with lists of different age, never form two clusters", async (t) => {
  let formed = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const fly = new FlyWorld(seed);
    const random = new SeededRandom(seed).fork("plan");
    const count = 2 + random.below(4);
    const nodes = [];
    for (let i = 0; i < count; i++) {
      const id = `${"abcdef"[random.below(6)]}${i}`;
      const plan = { expect: count, lagMs: random.below(20_000) };
      nodes.push(fly.create(id, ["iad", "fra"][random.below(2)]!, plan));
      await fly.world.time.advance([0, 40, 1_000, 5_000, 7_000][random.below(5)]!);
    }
    // Now and then one fails, and comes back with its disk or with an empty one.
    for (let fault = random.below(3); fault > 0; fault--) {
      await fly.world.time.advance(random.below(6_000));
      const victim = nodes[random.below(count)]!;
      // A disk that holds a vote of a cluster is not lost here: an operator has to replace it then.
      const isFresh = victim.node === null && fly.clusters().size === 0;
      victim.powerLoss();
      if (isFresh && random.below(2) === 0) victim.machine.wipe(DATA_DIR);
      await fly.world.time.advance(random.below(3_000));
      victim.start();
    }
    const what = `seed ${seed}`;
    assert.ok(fly.clusters().size <= 1, `${what}: ${fly.describe()}`);
    await fly.clustered(nodes, what);
    formed++;
  }
  t.diagnostic(`${formed} formed`);
});

test("two that began alone and saw each other too late: the younger stops when they meet, and says so", async () => {
  const fly = new FlyWorld(9);
  const elder = fly.create("d1", "iad", { lagMs: 6_500 });
  await fly.world.time.advance(300);
  const younger = fly.create("d2", "iad", { lagMs: 6_500 });
  const settings = (node: SimNode) => running(node).core.state.settings;
  await fly.until("the younger stops its syncer", () => {
    return younger.node !== null && settings(younger).syncer === "stopped";
  });
  assert.equal(fly.clusters().size, 2);
  assert.equal(settings(elder).syncer, "running");
  const alarms = (node: SimNode): string => running(node).status().alarms.join("\n");
  assert.match(
    alarms(younger),
    /met an elder one.*acknowledges nothing any more.*empty directories/,
  );
  await fly.until("the elder one says so, too", () =>
    /another cluster .* was met/.test(alarms(elder)),
  );
  assert.match(running(younger).status().syncer.reason, /met an elder one/);
  // A restart changes nothing; an operator who knows better does, and is not stopped again.
  younger.kill();
  younger.start();
  await fly.until("it runs", () => younger.node?.notReady() === null);
  assert.equal(settings(younger).syncer, "stopped");
  await fly.world.time.run(() => running(younger).startSyncer());
  await fly.world.time.advance(60_000);
  assert.equal(settings(younger).syncer, "running");
});

test("a cluster that an operator made of a log has no age: it is told of, and nobody stops", () => {
  const [a, b] = ["aa".repeat(16), "bb".repeat(16)];
  const at = (clusterId: string, foundedMs: number | null) => ({ clusterId, foundedMs });
  assert.notEqual(stopFor(at(a, 2), at(b, 1), []), null);
  assert.equal(stopFor(at(a, 1), at(b, 2), []), null);
  assert.equal(stopFor(at(a, 1), at(b, 1), []), null, "of two of one age the smaller id goes on");
  assert.notEqual(stopFor(at(b, 1), at(a, 1), []), null);
  assert.equal(stopFor(at(a, null), at(b, 1), []), null);
  assert.equal(stopFor(at(a, 2), at(b, null), []), null);
  assert.equal(stopFor(at(a, 2), at(b, 1), [b]), null, "once");
});
