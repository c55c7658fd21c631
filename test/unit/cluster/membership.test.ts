/** Who votes: what is refused, what is handed over first, and that ids and quorums last. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfState } from "../../../src/raft/types.ts";
import { DATA_DIR, type SimNode } from "../../sim/nodes/node.ts";
import { idOf, leaderOf, running, SimNodes } from "./sim-nodes.ts";

const NAMES = ["n1", "n2", "n3"];

async function formed(seed: number, voters = 3, learners = 0): Promise<SimNodes> {
  const world = new SimNodes(seed);
  await world.formed(voters);
  for (let i = 1; i <= learners; i++) await joined(world, `l${i}`);
  return world;
}

async function joined(world: SimNodes, name: string): Promise<SimNode> {
  const node = world.add(name, { join: NAMES });
  await world.until(`${name} joined`, () => leaderOf(node) > 0 && appliedAll(world, node));
  return node;
}

/** The leader knows it, too. */
function appliedAll(world: SimNodes, node: SimNode): boolean {
  const leader = world.nodes.find(({ leads }) => leads)?.node?.core.driver;
  if (leader === undefined || node.node === null) return false;
  const progress = leader.consensus.node.raft.tracker.progress.get(idOf(node));
  return node.node.core.driver.applied === leader.commit && progress?.match === leader.commit;
}

function confOf(node: SimNode): ConfState {
  return running(node).core.state.conf;
}

const votersOf = (node: SimNode): string => confOf(node).voters.join();

async function allSee(world: SimNodes, voters: string, learners: string): Promise<void> {
  await world.until(`voters ${voters}, learners ${learners}`, () =>
    world.nodes.every(
      (node) =>
        node.node === null ||
        node.node.core.driver.consensus.fenced !== null ||
        (votersOf(node) === voters && confOf(node).learners.join() === learners),
    ),
  );
}

test("membership: a learner is promoted once it is caught up, and not before", async () => {
  const world = await formed(1, 3, 1);
  const [learner] = world.nodes.slice(-1);
  const leader = world.leader();
  world.cut(learner!);
  for (let i = 0; i < 1100; i++) {
    const account = { sha2: "ab".repeat(32), native: null };
    await world.run(() => running(leader).setAccount(`a${i % 50}`, account));
  }
  const refused = await world.refused(() => running(leader).promoteMember("l1"));
  assert.match(refused, /^conflict: "l1" is not caught up: it lacks 1[0-9]{3} entries; wait; /);
  assert.equal(votersOf(leader), "1,2,3");
  world.world.network.heal();
  await world.until("it caught up", () => appliedAll(world, learner!));
  const promoted = await world.run(() => running(leader).promoteMember("l1"));
  assert.equal(promoted.id, 4);
  await allSee(world, "1,2,3,4", "");
  assert.equal((await world.run(() => running(leader).promoteMember("4"))).id, 4, "again");
  assert.equal(votersOf(leader), "1,2,3,4");
});

test("membership: promoting where it would leave too few that are heard of is refused", async () => {
  const world = await formed(2, 3, 2);
  const [first, second] = world.nodes.slice(-2);
  await world.run(() => running(world.leader()).promoteMember("l1"));
  const leader = world.leader();
  const gone = world.nodes.filter((node) => node !== leader && node !== second).slice(0, 2);
  // Four voters, of whom two are cut off one after the other: three of five would be needed.
  world.cut(gone[0]!);
  await world.until("it is missed", () => running(leader).cluster().members.length === 5);
  await world.world.time.advance(4_000);
  assert.ok(world.leader() === leader && first !== undefined);
  const remaining = world.nodes.filter((node) => node !== gone[0] && node !== second);
  assert.equal(remaining.length, 3);
  const victim = remaining.find((node) => node !== leader)!;
  const refused = await world.refused(async () => {
    await running(leader).removeMember(String(idOf(victim)));
    // Now two of three are heard of; one less would be too few.
    const next = remaining.find((node) => node !== leader && node !== victim)!;
    await running(leader).removeMember(String(idOf(next)));
  });
  assert.match(refused, /^conflict: After removing ".*" 2 of 2 voters are needed, and 1 are heard/);
  assert.match(refused, /bring back the others first, or remove those that are gone for good/);
});

test("membership: removing or demoting what the quorum needs is refused", async () => {
  const world = await formed(3);
  const leader = world.leader();
  const [a, b] = world.followers();
  a!.kill();
  await world.world.time.advance(5_000);
  const running1 = running(leader);
  for (const act of ["removeMember", "demoteMember"] as const) {
    const refused = await world.refused(() => running1[act](b!.name));
    assert.match(refused, /^conflict: After (removing|demoting) "n[0-9]" 2 of 2 voters are needed/);
  }
  assert.equal(votersOf(leader), "1,2,3");
  await world.run(() => running1.removeMember(a!.name));
  assert.equal(confOf(leader).voters.length, 2, "the one that is gone may go");
});

test("membership: who lost power or hangs since a moment does not count as heard of", async () => {
  for (const end of ["powerLoss", "pause"] as const) {
    const world = await formed(3);
    const leader = world.leader();
    const [a, b] = world.followers();
    // Its connections stay open, and nothing is missed of it yet.
    a![end]();
    const refused = await world.refused(() => running(leader).removeMember(b!.name));
    assert.match(
      refused,
      /^conflict: After removing "n[0-9]" 2 of 2 voters are needed, and 1/,
      end,
    );
    assert.equal(votersOf(leader), "1,2,3");
    assert.ok(leader.leads);
  }
});

test("membership: the last voter stays", async () => {
  const world = await formed(4, 1, 1);
  const leader = world.leader();
  for (const act of ["removeMember", "demoteMember"] as const) {
    const refused = await world.refused(() => running(leader)[act]("n1"));
    assert.match(refused, /^conflict: After (removing|demoting) "n1" there would be no voter/);
    assert.match(refused, /binraft member promote another first/);
  }
});

for (const act of ["demote", "remove", "replace"] as const) {
  test(`membership: ${act} of the leader, asked of any node, hands leadership over first`, async () => {
    for (const asked of [0, 1, 2]) {
      const world = await formed(5, 3, act === "replace" ? 1 : 0);
      const leader = world.leader();
      const id = idOf(leader);
      const node = running([leader, ...world.followers()][asked]!);
      const { term } = running(leader).core.driver;
      await world.run(async () => {
        if (act === "demote") await node.demoteMember(leader.name);
        else if (act === "remove") await node.removeMember(leader.name);
        else await node.replaceMember(leader.name, "l1");
      });
      const next = world.leader();
      assert.notEqual(next, leader);
      assert.equal(running(next).core.driver.term, term + 1, "without an election by time-out");
      const { voters, learners } = confOf(next);
      assert.ok(!voters.includes(id), world.describe());
      assert.equal(voters.length, act === "replace" ? 3 : 2);
      assert.deepEqual(learners, act === "demote" ? [id] : []);
      if (act === "demote") continue;
      await world.until("it knows", () => running(leader).core.driver.consensus.fenced !== null);
    }
  });
}

test("membership: the leader that is alone keeps its vote when nobody can take over", async () => {
  const world = await formed(6, 1, 1);
  const refused = await world.refused(() => running(world.leader()).transferLeader(""));
  assert.match(refused, /^conflict: There is no other voter that is heard of and caught up/);
  const toLearner = await world.refused(() => running(world.leader()).transferLeader("l1"));
  assert.match(toLearner, /^conflict: "l1" has no vote; binraft member promote l1/);
});

test("membership: leadership goes to whom it is told to, if it is heard of", async () => {
  const world = await formed(7);
  const [a, b] = world.followers();
  const to = idOf(a!);
  assert.equal(await world.run(() => running(b!).transferLeader(a!.name)), to);
  assert.equal(world.leader(), a);
  assert.equal(await world.run(() => running(a!).transferLeader(String(to))), to, "it leads");
  b!.kill();
  await world.world.time.advance(5_000);
  const refused = await world.refused(() => running(a!).transferLeader(b!.name));
  assert.match(refused, /^conflict: "n[0-9]" is not heard of; binraft member list/);
});

test("membership: a name that two members have is refused where it must be one, an id is not", async () => {
  const world = await formed(8);
  const [lost] = world.followers();
  const id = idOf(lost!);
  lost!.kill();
  lost!.machine.wipe(DATA_DIR);
  lost!.start();
  await world.until("it joined anew", () => leaderOf(lost!) > 0 && appliedAll(world, lost!));
  assert.equal(idOf(lost!), 4, "another disk is another member");
  const leader = running(world.leader());
  for (const act of ["removeMember", "promoteMember", "demoteMember"] as const) {
    const refused = await world.refused(() => leader[act](lost!.name));
    assert.match(refused, /^conflict: Several members are called "n[0-9]": name it by its id/);
  }
  assert.match(await world.refused(() => leader.removeMember("n9")), /^not-found: .*"n9"/);
  assert.match(await world.refused(() => leader.removeMember("99")), /^not-found: .*"99"/);
  await world.run(() => leader.replaceMember(String(id), "4"));
  const { voters, learners } = confOf(world.leader());
  assert.deepEqual([voters.includes(id), voters.includes(4), learners], [false, true, []]);
  assert.match(
    await world.refused(() => leader.replaceMember("4", "4")),
    /^invalid: A member cannot replace itself/,
  );
});

test("membership: replace is one joint change: never more or fewer voters than before or after", async () => {
  const world = await formed(9, 3, 1);
  const leader = world.leader();
  const [goes] = world.followers();
  const id = idOf(goes!);
  const seen: ConfState[] = [];
  for (const node of world.nodes)
    running(node).core.driver.observe({ confApplied: (_index, conf) => void seen.push(conf) });
  await world.run(() => running(leader).replaceMember(String(id), "l1"));
  const rest = [1, 2, 3].filter((one) => one !== id);
  const after = [...rest, 4].join();
  await world.until("all see it", () =>
    world.nodes.every((node) => node === goes || votersOf(node) === after),
  );
  const shown = new Set(seen.map(({ voters, votersOutgoing }) => `${voters}|${votersOutgoing}`));
  assert.deepEqual([...shown].sort(), [`${after}|`, `${after}|1,2,3`]);
});

test("membership: ids are never given twice, also after their members were removed and all restarted", async () => {
  const world = await formed(10);
  for (const expected of [4, 5]) {
    const node = await joined(world, `x${expected}`);
    assert.equal(idOf(node), expected);
    await world.run(() => running(world.leader()).removeMember(node.name));
    node.kill();
  }
  const members = world.nodes.slice(0, 3);
  for (const node of members) node.powerLoss();
  for (const node of members) node.start();
  await world.until("a leader", () => members.some(({ leads }) => leads));
  const { highestId } = running(world.leader()).core.state;
  assert.equal(highestId, 5);
  assert.equal(idOf(await joined(world, "x6")), 6);
});

test("membership: a removed node that was away is told so when it comes back, and takes no part", async () => {
  const world = await formed(11);
  const [away] = world.followers();
  const id = idOf(away!);
  away!.kill();
  await world.world.time.advance(5_000);
  await world.run(() => running(world.leader()).removeMember(String(id)));
  const { term } = running(world.leader()).core.driver;
  away!.start();
  await world.until("it is fenced", () => away!.node?.core.driver.consensus.fenced != null);
  assert.match(
    running(away!).core.driver.consensus.fenced!,
    /was removed from the cluster; to use it again stop it, move its data directory away/,
  );
  await world.world.time.advance(10_000);
  assert.equal(running(world.leader()).core.driver.term, term, "it disturbs nobody");
});

test("membership: changes at the same time are done one after the other, each as it was asked", async () => {
  const world = await formed(12, 3, 3);
  const leader = running(world.leader());
  const follower = running(world.followers()[0]!);
  const outcomes = await world.run(() =>
    Promise.allSettled([
      leader.promoteMember("l1"),
      follower.promoteMember("l2"),
      leader.removeMember("l3"),
      follower.demoteMember("l1"),
    ]),
  );
  const failed = outcomes.filter(({ status }) => status === "rejected");
  assert.deepEqual(failed, []);
  await allSee(world, "1,2,3,5", "4");
});

test("membership: the leader dies at each moment of a replacement: it is done as a whole or not at all", async (t) => {
  const begin = async (isCut: boolean): Promise<{ world: SimNodes; done: () => boolean }> => {
    const world = await formed(13, 3, 1);
    if (isCut) world.cut(world.leader());
    const goes = world.followers()[0]!;
    let isDone = false;
    running(world.leader())
      .replaceMember(String(idOf(goes)), "l1")
      .then(
        () => {
          isDone = true;
        },
        () => {},
      );
    return { world, done: () => isDone };
  };
  const first = await begin(false);
  const began = first.world.world.time.now;
  await first.world.until("it is done", first.done);
  const lengthMs = first.world.world.time.now - began;
  const ends = new Map<string, number>();
  for (let i = 0; i <= 16; i++) {
    const { world, done } = await begin(i % 4 === 3);
    await world.world.time.advance((lengthMs * i) / 16);
    const wasDone = done();
    const leader = world.leader();
    leader.powerLoss();
    if (i % 4 !== 3) await world.world.time.advance(50);
    else await world.until("another leads", () => world.nodes.some(({ leads }) => leads));
    world.world.network.heal();
    leader.start();
    await world.until("a leader, and no change under way", () => {
      const now = world.nodes.find((node) => node.leads);
      return now !== undefined && confOf(now).votersOutgoing.length === 0;
    });
    const voters = votersOf(world.leader());
    if (wasDone) assert.ok(voters.includes("4"), `it was told to be done: ${world.describe()}`);
    assert.equal(confOf(world.leader()).voters.length, 3, world.describe());
    ends.set(voters, (ends.get(voters) ?? 0) + 1);
  }
  assert.equal(ends.size, 2, JSON.stringify([...ends]));
  t.diagnostic(JSON.stringify([...ends]));
});
