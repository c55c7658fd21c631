/** What becomes of empty directories: one cluster, and each disk one id, whatever fails meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FormationRefused } from "../../../src/cluster/formation.ts";
import { DATA_DIR, type SimNode } from "../../sim/nodes/node.ts";
import { idOf, leaderOf, running, SimNodes } from "./sim-nodes.ts";

const NAMES = ["n1", "n2", "n3"];
const FORM = { join: NAMES, bootstrapExpect: 3 };

interface Identity {
  readonly raftId: number;
  readonly clusterId: string;
  readonly diskUuid: string;
}

function identityOf(node: SimNode): Identity {
  const { raftId, clusterId, diskUuid } = running(node).core.log.identity;
  return { raftId, clusterId, diskUuid };
}

/** All run, are of one cluster, agree on its members and follow one leader. */
async function areOne(world: SimNodes, nodes: readonly SimNode[]): Promise<Identity[]> {
  await world.until("all follow one leader", () => {
    const leaders = new Set(nodes.map(leaderOf));
    return leaders.size === 1 && !leaders.has(0);
  });
  const all = nodes.map(identityOf);
  assert.equal(new Set(all.map(({ clusterId }) => clusterId)).size, 1, world.describe());
  assert.equal(new Set(all.map(({ raftId }) => raftId)).size, nodes.length, "ids are different");
  const views = nodes.map((node) => {
    const { first } = running(node).core.state;
    return JSON.stringify([first.conf, first.members]);
  });
  assert.equal(new Set(views).size, 1, `all began with the same: ${views.join("\n")}`);
  return all;
}

const byName = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

for (const count of [1, 2, 3, 5]) {
  test(`formation: ${count} fresh nodes that expect ${count} are one cluster, ids in the order of names`, async () => {
    const world = new SimNodes(count);
    await world.formed(count);
    const all = await areOne(world, world.nodes);
    assert.deepEqual(
      all.map(({ raftId }) => raftId),
      byName(count),
    );
    for (const node of world.nodes)
      assert.deepEqual(running(node).core.state.conf.voters, byName(count));
  });
}

test("formation: fewer than expected wait and say for what, until the last comes", async () => {
  const world = new SimNodes(4);
  const [a, b] = [world.add("n1", FORM), world.add("n2", FORM)];
  await world.world.time.advance(25_000);
  assert.equal(a.node, null);
  for (const node of [a, b]) {
    const said = node.lines.filter((line) => /no place in a cluster yet/.test(line));
    assert.ok(said.length >= 2 && said.length <= 3, `${said.length} times in 25 s`);
    assert.match(said.at(-1)!, /it forms one with 3 fresh nodes and sees 2/);
  }
  const c = world.add("n3", FORM);
  await areOne(world, [a, b, c]);
});

test("formation: nodes that expect different numbers form nothing", async () => {
  const world = new SimNodes(5);
  world.add("n1", FORM);
  world.add("n2", { ...FORM, bootstrapExpect: 2 });
  await world.world.time.advance(20_000);
  assert.ok(world.nodes.every(({ node }) => node === null));
});

test("formation: one that knows only one of the others forms with all of them", async () => {
  const world = new SimNodes(6);
  world.add("n1", { ...FORM, join: ["n2"] });
  world.add("n2", FORM);
  world.add("n3", FORM);
  await areOne(world, world.nodes);
});

/** How long forming takes, to know which moments there are. */
async function formingMs(): Promise<number> {
  const world = new SimNodes(7);
  await world.formed(3);
  return world.world.time.now;
}

for (const way of ["kill", "powerLoss"] as const) {
  test(`formation: one of three dies (${way}) at each moment of it and comes back`, async (t) => {
    const lengthMs = await formingMs();
    let moments = 0;
    let hadPlace = 0;
    const every = lengthMs / 40;
    for (let atMs = 0.5; atMs < lengthMs + every; atMs += every) {
      const world = new SimNodes(7);
      for (const name of NAMES) world.add(name, FORM);
      await world.world.time.advance(atMs);
      const victim = world.nodes[moments % 3]!;
      const known = victim.node === null ? null : identityOf(victim);
      if (known !== null) hadPlace++;
      victim[way]();
      await world.world.time.advance([10, 700, 8_000][moments % 3]!);
      victim.start();
      const all = await areOne(world, world.nodes);
      const what = `at ${atMs} ms: ${world.describe()}`;
      assert.deepEqual(new Set(all.map(({ raftId }) => raftId)), new Set([1, 2, 3]), what);
      const again = identityOf(victim);
      if (known !== null) assert.deepEqual(again, known, what);
      assert.deepEqual(running(victim).core.state.conf.voters, [1, 2, 3], what);
      assert.deepEqual(world.ended, [], what);
      moments++;
    }
    t.diagnostic(`${moments} moments, ${hadPlace} with a place`);
    assert.ok(moments >= 40 && hadPlace > 0 && hadPlace < moments);
  });
}

test("formation: all die at each moment of it and come back, one later than the others", async () => {
  const lengthMs = await formingMs();
  for (let i = 0; i < 12; i++) {
    const world = new SimNodes(7);
    for (const name of NAMES) world.add(name, FORM);
    await world.world.time.advance((lengthMs * (i + 0.5)) / 12);
    const known = world.nodes.map((node) => (node.node === null ? null : identityOf(node)));
    for (const node of world.nodes) node.powerLoss();
    const late = world.nodes[i % 3]!;
    for (const node of world.nodes) if (node !== late) node.start();
    await world.world.time.advance(6_000);
    late.start();
    const all = await areOne(world, world.nodes);
    for (const [at, one] of known.entries()) if (one !== null) assert.deepEqual(all[at], one);
  }
});

test("formation: a disk that is lost while forming is another one, and there is still one cluster", async () => {
  for (const atMs of [100, 300, 500, 800]) {
    const world = new SimNodes(8);
    for (const name of NAMES) world.add(name, FORM);
    await world.world.time.advance(atMs);
    const victim = world.nodes[1]!;
    victim.kill();
    victim.machine.wipe(DATA_DIR);
    await world.world.time.advance(7_000);
    victim.start();
    await world.until("a leader", () => world.nodes.every((node) => leaderOf(node) > 0));
    const clusters = new Set(world.nodes.map((node) => identityOf(node).clusterId));
    assert.equal(clusters.size, 1, `at ${atMs} ms: ${world.describe()}`);
  }
});

test("formation: one more than expected joins as a learner with the next id", async () => {
  const world = new SimNodes(9);
  await world.formed(3);
  const fourth = world.add("n4", FORM);
  await world.until("it joined", () => leaderOf(fourth) > 0);
  assert.equal(idOf(fourth), 4);
  await world.until("all know", () =>
    world.nodes.every((node) => running(node).core.state.conf.learners.join() === "4"),
  );
  assert.equal(identityOf(fourth).clusterId, identityOf(world.nodes[0]!).clusterId);
});

test("formation: four at once that expect three never become two clusters", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const world = new SimNodes(seed);
    const names = [...NAMES, "n4"];
    for (const name of names) world.add(name, { join: names, bootstrapExpect: 3 });
    await world.world.time.advance(20_000);
    const up = world.nodes.filter(({ node }) => node !== null);
    const clusters = new Set(up.map((node) => identityOf(node).clusterId));
    assert.ok(clusters.size <= 1, `seed ${seed}: ${world.describe()}`);
  }
});

test("formation: two that do not see each other never form with the same others", async () => {
  const world = new SimNodes(12);
  const names = [...NAMES, "n4"];
  world.world.network.partition(["n2"], ["n4"]);
  for (const name of names) world.add(name, { join: names, bootstrapExpect: 3 });
  await world.world.time.advance(30_000);
  const up = world.nodes.filter(({ node }) => node !== null);
  const clusters = new Set(up.map((node) => identityOf(node).clusterId));
  assert.ok(clusters.size <= 1, world.describe());
});

test("formation: --bootstrap is a cluster of one at once, and again the same", async () => {
  const world = new SimNodes(10);
  const only = world.add("n1", { bootstrap: true });
  await world.until("it leads", () => only.leads);
  const identity = identityOf(only);
  assert.equal(identity.raftId, 1);
  only.powerLoss();
  only.start();
  await world.until("it leads again", () => only.leads);
  assert.deepEqual(identityOf(only), identity);
  const second = world.add("n2", { join: ["n1"] });
  await world.until("the second joins", () => leaderOf(second) === 1);
  assert.equal(idOf(second), 2);
});

test("formation: power loss at each step of a --bootstrap start leaves what becomes a cluster of one", async (t) => {
  const run = async (step: number): Promise<boolean> => {
    const world = new SimNodes(10);
    const only = world.add("n1", { bootstrap: true });
    for (let i = 0; i < step && !only.leads; i++) await world.world.time.step();
    const led = only.leads;
    only.powerLoss();
    only.start();
    await world.until(`it leads after a power loss at step ${step}`, () => only.leads);
    assert.deepEqual(running(only).core.state.conf.voters, [1]);
    assert.deepEqual([...running(only).core.state.members.keys()], [1]);
    return led;
  };
  let step = 0;
  while (!(await run(step))) step++;
  t.diagnostic(`${step} steps`);
});

test("formation: --bootstrap beside a formed cluster is refused, and joins without it", async () => {
  const world = new SimNodes(11);
  await world.formed(3);
  const { clusterId } = identityOf(world.nodes[0]!);
  const lost = world.add("n4", { join: NAMES, bootstrap: true });
  await world.until("it ends", () => world.ended.length > 0);
  const [error] = world.ended;
  assert.ok(error instanceof FormationRefused, error!.stack);
  assert.ok(error.message.includes(clusterId), error.message);
  assert.match(error.message, /a second cluster must not be formed beside it/);
  assert.match(error.message, /Start without --bootstrap/);
  assert.equal(lost.up, false);
  assert.equal(lost.machine.disk(DATA_DIR).image.get("MANIFEST.0"), undefined, "nothing was made");
});

test("formation: a member that is started with --bootstrap again is the member that it was", async () => {
  const world = new SimNodes(12);
  const one = world.add("n1", { bootstrap: true });
  await world.until("it leads", () => one.leads);
  const two = world.add("n2", { join: ["n1"], bootstrap: false });
  await world.until("it joined", () => leaderOf(two) === 1);
  const before = identityOf(one);
  one.kill();
  one.start();
  await world.until("it leads", () => one.leads);
  assert.deepEqual(identityOf(one), before);
});

test("formation: a node that joins dies at each moment of it: it gets one id, and only one is given", async (t) => {
  const begin = async (): Promise<{ world: SimNodes; fourth: SimNode }> => {
    const world = new SimNodes(13);
    await world.formed(3);
    return { world, fourth: world.add("n4", { join: NAMES }) };
  };
  const { world: first, fourth: whole } = await begin();
  const began = first.world.time.now;
  await first.until("it joined", () => leaderOf(whole) > 0);
  const lengthMs = first.world.time.now - began;
  const moments = 30;
  for (let i = 0; i < moments; i++) {
    const { world, fourth } = await begin();
    await world.world.time.advance((lengthMs * i) / moments);
    if (i % 2 === 0) fourth.kill();
    else fourth.powerLoss();
    await world.world.time.advance(50);
    fourth.start();
    await world.until("it joined", () => leaderOf(fourth) > 0);
    const { members, highestId } = running(world.leader()).core.state;
    const what = `moment ${i}: ${world.describe()}`;
    assert.equal(idOf(fourth), 4, what);
    assert.deepEqual([...members.keys(), highestId], [1, 2, 3, 4, 4], what);
  }
  t.diagnostic(`${moments} moments in ${lengthMs.toFixed(0)} ms`);
});

test("formation: the leader dies while a node joins: one id", async () => {
  for (let i = 0; i < 12; i++) {
    const world = new SimNodes(14);
    const leader = await world.formed(3);
    const fourth = world.add("n4", { join: NAMES });
    await world.world.time.advance(20 + 12 * i);
    leader.kill();
    await world.until("it joined", () => leaderOf(fourth) > 0);
    leader.start();
    await world.until("the old leader is back", () => leaderOf(leader) > 0);
    await world.world.time.advance(2_000);
    const { members } = running(world.leader()).core.state;
    const ofIt = [...members.values()].filter(({ name }) => name === "n4");
    assert.deepEqual(
      ofIt.map(({ id }) => id),
      [idOf(fourth)],
      world.describe(),
    );
  }
});

test("formation: two that join at once get two ids", async () => {
  const world = new SimNodes(15);
  await world.formed(3);
  const both = ["n4", "n5"].map((name) => world.add(name, { join: NAMES }));
  await world.until("both joined", () => both.every((node) => leaderOf(node) > 0));
  assert.deepEqual(both.map(idOf).sort(), [4, 5]);
});

test("formation: one that was told of nobody is invited, and says until then how", async () => {
  const world = new SimNodes(16);
  const leader = await world.formed(3);
  const lonely = world.add("n4");
  await world.world.time.advance(12_000);
  assert.equal(lonely.node, null);
  const peer = world.peerOf(lonely);
  assert.ok(
    lonely.lines.some((line) => line.includes(`run binraft member add ${peer}`)),
    lonely.lines.join("\n"),
  );
  const follower = world.followers().find((node) => node !== lonely)!;
  const member = await world.run(() => running(follower).addMember(peer));
  assert.equal(member.id, 4);
  assert.equal(member.name, "n4");
  await world.until("it joined", () => leaderOf(lonely) > 0);
  assert.equal(identityOf(lonely).clusterId, identityOf(leader).clusterId);
  const again = await world.refused(() => running(leader).addMember(peer));
  assert.match(again, /^conflict: The node at .* is of a cluster already/);
  const nobody = await world.refused(() => running(leader).addMember("10.0.0.99:4306"));
  assert.match(nobody, /^unavailable: .*cannot be invited.*start it with \[cluster\] secret_file/);
  assert.match(
    await world.refused(() => running(leader).addMember("here")),
    /^invalid: "here" is no HOST:PORT/,
  );
});
