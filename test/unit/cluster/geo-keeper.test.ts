/** What a leader does about places, on whole nodes whose links are as long as the way between regions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { estimateRttMs } from "../../../geo/rtt.ts";
import type { GeoPlan, SimNode } from "../../sim/nodes/node.ts";
import { idOf, leaderOf, running, SimNodes } from "./sim-nodes.ts";

const SOURCE = { host: "nowhere", user: "u", tls: "disabled" } as const;

/** Voters that form a cluster, one for each region. */
async function formed(
  seed: number,
  regions: readonly string[],
  geo: Partial<GeoPlan> = {},
): Promise<SimNodes> {
  const world = new SimNodes(seed);
  const names = regions.map((_, at) => `n${at + 1}`);
  const plan = { join: names, bootstrapExpect: regions.length, geo };
  for (const [at, region] of regions.entries()) world.add(names[at]!, { ...plan, region });
  world.spread();
  await world.until("a cluster", () => world.nodes.every(knowsLeader) && leads(world) !== null);
  return world;
}

const knowsLeader = (node: SimNode): boolean => leaderOf(node) > 0;
const leads = (world: SimNodes): SimNode | null => world.nodes.find((node) => node.leads) ?? null;
const votersOf = (node: SimNode): string => running(node).core.state.conf.voters.join();
const electionMsOf = (node: SimNode): number => running(node).cluster().electionMs;

async function joined(world: SimNodes, name: string, region: string): Promise<SimNode> {
  const node = world.add(name, { join: ["n1"], region, geo: {} });
  world.spread();
  await world.until(`${name} joined`, () => leaderOf(node) > 0);
  return node;
}

function leaderRegion(world: SimNodes): string {
  return leads(world)?.region ?? "";
}

test("distances: are measured, and known to every node; elections wait for them, on all nodes alike", async () => {
  const world = await formed(1, ["iad", "fra", "syd"]);
  const wanted = 10 * estimateRttMs("fra", "syd")!;
  await world.until("timing follows", () => world.nodes.every((n) => electionMsOf(n) >= wanted));
  const [first] = world.nodes;
  assert.ok(electionMsOf(first!) < 2 * wanted);
  await world.world.time.advance(10_000);
  for (const node of world.nodes) {
    const { rtts, electionMs } = running(node).cluster();
    assert.equal(electionMs, electionMsOf(first!));
    for (const [from, to] of [
      ["fra", "iad"],
      ["fra", "syd"],
      ["iad", "syd"],
    ]) {
      const row = rtts.find((one) => one.from === from && one.to === to);
      assert.equal(row?.measured, true);
      const expected = estimateRttMs(from!, to!)!;
      assert.ok(Math.abs(row.rttMs! - expected) < 5, `${from} ${to}: ${row.rttMs}, ${expected}`);
    }
  }
});

test("distances: what was decided outlives a restart, and nobody is elected for want of patience", async () => {
  const world = await formed(2, ["iad", "fra", "syd"]);
  await world.until("timing follows", () => world.nodes.every((n) => electionMsOf(n) > 2_000));
  const term = running(world.leader()).status().raft.term;
  const [follower] = world.followers();
  for (let i = 0; i < 5; i++)
    await world.run(() =>
      running(world.leader()).setAccount(`a${i}`, { sha2: "ab".repeat(32), native: null }),
    );
  const known = (): number => running(follower!).core.log.hardState.commit;
  const all = running(world.leader()).status().raft.commit;
  await world.until("it knows what is committed", () => known() >= all - 2);
  // By what it has on its disk alone, and then beside the others.
  for (const alone of [true, false]) {
    follower!.kill();
    if (alone) world.cut(follower!);
    else world.world.network.heal();
    follower!.start();
    await world.until("it is back", () => follower!.node !== null);
    assert.equal(electionMsOf(follower!), electionMsOf(world.leader()));
  }
  await world.until("it is linked", () => knowsLeader(follower!));
  await world.world.time.advance(120_000);
  assert.equal(running(world.leader()).status().raft.term, term);
});

test("accidents: a node that stands still for five seconds makes no election wait longer", async () => {
  const world = await formed(11, ["iad", "iad", "iad"]);
  await world.world.time.advance(40_000);
  const [paused] = world.followers();
  paused!.pause();
  await world.world.time.advance(5_000);
  paused!.resume();
  for (let seconds = 0; seconds < 20; seconds++) {
    await world.world.time.advance(1_000);
    for (const node of world.nodes) assert.equal(electionMsOf(node), 500);
  }
});

test("the leader: goes where the source is, once, and follows it after the cool-down", async () => {
  const world = await formed(3, ["iad", "fra", "syd"], { leaderCooldownMs: 20_000 });
  await world.run(() => running(world.nodes[0]!).setSource({ ...SOURCE, region: "syd" }));
  await world.until("it leads in syd", () => leaderRegion(world) === "syd", 60_000);
  const since = world.world.time.now;
  await world.run(() => running(world.nodes[0]!).setSource({ region: "fra" }));
  await world.until("it leads in fra", () => leaderRegion(world) === "fra", 60_000);
  assert.ok(world.world.time.now - since >= 19_000, "not before the cool-down");
  const { term } = running(world.leader()).status().raft;
  await world.world.time.advance(120_000);
  assert.equal(running(world.leader()).status().raft.term, term, "and stays");
});

test("the leader: is not handed to a node that nobody would elect, and stays", async () => {
  const regions = ["iad", "fra", "lhr", "ewr", "syd"];
  const world = await formed(4, regions, { leaderCooldownMs: 1_000 });
  const [first, ...others] = world.nodes;
  const syd = others.pop()!;
  if (world.leader() !== first)
    await world.run(() => running(world.leader()).transferLeader(first!.name));
  await world.until("the first leads", () => leads(world) === first);
  // It is linked with the leader, and with nobody else.
  for (const other of others) world.world.network.partition([syd.name], [other.name]);
  const { term } = running(first!).status().raft;
  await world.run(() => running(first!).setSource({ ...SOURCE, region: "syd" }));
  await world.until("it was tried", () => first!.lines.some((line) => /leader moves/.test(line)));
  await world.world.time.advance(10_000);
  assert.match(
    await world.refused(() => running(first!).transferLeader(syd.name)),
    /"n5" would not be elected: it hears 2 of 5 voters/,
  );
  assert.equal(running(first!).status().raft.term, term);
  world.world.network.heal();
  await world.until("it leads in syd", () => leaderRegion(world) === "syd", 120_000);
});

const auto = { mode: "auto", voters: 3, leaderRegion: null } as const;

test("voters: come by themselves where the mode says so: one region after the other", async () => {
  const world = new SimNodes(5);
  world.add("n1", { bootstrap: true, region: "iad", geo: { placement: auto } });
  await world.until("it leads", () => leads(world) !== null);
  await world.run(() => running(world.leader()).setSource({ ...SOURCE, region: "iad" }));
  await joined(world, "n2", "iad");
  await joined(world, "n3", "fra");
  await joined(world, "n4", "fra");
  await joined(world, "n5", "syd");
  await world.until(
    "three voters",
    () => world.nodes.every((n) => votersOf(n) === "1,3,5"),
    60_000,
  );
  const status = await world.run(() => running(world.nodes[3]!).placement());
  assert.deepEqual([status.mode, status.findings, status.plan?.promote], ["auto", [], []]);
});

test("voters: that are gone are replaced after a while, and removed after a longer one", async () => {
  const geo = { placement: auto, replaceAfterMs: 20_000, removeAfterMs: 90_000 };
  const world = await formed(6, ["iad", "fra", "syd"], geo);
  await world.run(() => running(world.leader()).setSource({ ...SOURCE, region: "iad" }));
  await world.until("it leads in iad", () => leaderRegion(world) === "iad", 120_000);
  await joined(world, "n4", "fra");
  const fra = world.nodes[1]!;
  const gone = idOf(fra);
  fra.kill();
  await world.world.time.advance(15_000);
  assert.ok(votersOf(world.leader()).split(",").includes(String(gone)), "not at once");
  const fresh = String(idOf(world.nodes[3]!));
  const votes = (): string[] => votersOf(world.leader()).split(",");
  await world.until("the learner votes", () => votes().includes(fresh), 60_000);
  assert.equal(votes().length, 3);
  assert.ok(!votes().includes(String(gone)));
  const members = (): number => running(world.leader()).cluster().members.length;
  await world.until("it is removed", () => members() === 3, 120_000);
});

test("voters: change in manual mode only when asked to, and the answer names the plan", async () => {
  const world = await formed(7, ["iad"]);
  await world.run(() => running(world.leader()).setSource({ ...SOURCE, region: "iad" }));
  await joined(world, "n2", "fra");
  const syd = await joined(world, "n3", "syd");
  await world.world.time.advance(30_000);
  assert.equal(votersOf(syd), "1");
  const before = await world.run(() => running(syd).placement());
  assert.deepEqual(before.plan?.promote, [2, 3]);
  assert.match(before.findings.join(), /Losing region iad stops commits/);
  assert.match(running(syd).status().alarms.join("\n"), /Losing region iad stops commits/);
  const after = await world.run(() => running(syd).applyPlacement());
  assert.deepEqual([after.current, after.findings], [[1, 2, 3], []]);
});

test("voters: that would give one region a quorum are refused", async () => {
  const world = await formed(8, ["iad", "fra", "syd"]);
  await joined(world, "n4", "syd");
  await joined(world, "n5", "syd");
  const promote = (name: string) =>
    world.refused(() => running(world.leader()).promoteMember(name));
  await world.until("caught up", () =>
    running(world.leader())
      .cluster()
      .members.every(({ lagEntries }) => lagEntries === 0),
  );
  assert.equal(await promote("n4"), "");
  let refused = "";
  for (let tries = 0; tries < 50 && !/region syd/.test(refused); tries++) {
    refused = await promote("n5");
    assert.notEqual(refused, "");
    await world.world.time.advance(100);
  }
  assert.match(refused, /region syd would have a quorum by itself/);
});

test("voters: what plans aim at is an odd number, and shown by every node", async () => {
  const world = await formed(9, ["iad", "fra", "syd"]);
  const [node] = world.followers();
  await world.until("the format is lifted", () => running(node!).cluster().formatVersion >= 2);
  assert.match(
    await world.refused(() => running(node!).setPlacement({ voters: 4 })),
    /^invalid: 4 voters stand no more losses than 3/,
  );
  const set = await world.run(() =>
    running(node!).setPlacement({ voters: 5, leaderRegion: "syd" }),
  );
  assert.deepEqual([set.voters, set.leaderRegion, set.mode], [5, "syd", "manual"]);
  await world.until("the leader goes there", () => leaderRegion(world) === "syd", 120_000);
});

test("voters: a node tells how fresh it is, and who is nearest to a region", async () => {
  const world = await formed(10, ["iad", "fra", "syd"]);
  const learner = await joined(world, "n4", "fra");
  await world.until(
    "it heard",
    () => (running(learner).status().raft.leaderSilentMs ?? 1e9) < 2_000,
  );
  await world.until("all are linked", () => running(learner).nearest("fra").length === 4);
  const near = running(learner)
    .nearest("fra")
    .map(({ region }) => region);
  assert.deepEqual(near, ["fra", "fra", "iad", "syd"]);
  world.cut(learner);
  await world.world.time.advance(60_000);
  assert.ok(running(learner).status().raft.leaderSilentMs! > 55_000);
  assert.deepEqual(
    running(learner)
      .nearest("syd")
      .map(({ name }) => name),
    ["n4"],
  );
});
