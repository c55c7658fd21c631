/** Damage hides nothing: what Raft's safety needs is proved from what is whole, or the node does not act. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { type NodeCore, openCore } from "../../../src/cluster/node-core.ts";
import { decodeConfChange, encodeConfChange } from "../../../src/raft/conf-change.ts";
import { EntryType, message } from "../../../src/raft/types.ts";
import { RecordType } from "../../../src/storage/format.ts";
import { DATA_DIR, type SimNode } from "../../sim/nodes/node.ts";
import { batchesOf, loseSector, type StoredBatch } from "../storage/batches.ts";
import { LogWorld } from "../storage/world-log.ts";
import { idOf, running, SimNodes } from "./sim-nodes.ts";

const ACCOUNT = { sha2: "ab".repeat(32), native: null };

/** A cluster that began as one node, whose founder is killed once the two others vote, and go on. */
async function founderKilled(
  seed: number,
): Promise<{ nodes: SimNodes; founder: SimNode; others: SimNode[] }> {
  const nodes = new SimNodes(seed);
  const founder = nodes.add("n1", { bootstrap: true });
  await nodes.until("the founder leads", () => founder.leads);
  const others = ["n2", "n3"].map((name) => nodes.add(name, { join: ["n1"] }));
  await nodes.until(
    "they joined",
    () =>
      running(founder).core.state.conf.learners.length === 2 &&
      others.every(({ node }) => node !== null),
  );
  for (const other of others) {
    const { raft } = running(founder).core.driver.consensus.node;
    await nodes.until(
      "it has everything",
      () => raft.tracker.progress.get(idOf(other))?.match === raft.log.lastIndex(),
    );
    await nodes.run(() => running(founder).promoteMember(String(idOf(other))));
    // A batch in between: of two that are lost one behind the other nothing would be left to prove them.
    await nodes.run(() => running(founder).setAccount(`behind ${other.name}`, ACCOUNT));
  }
  for (let i = 0; i < 3; i++)
    await nodes.run(() => running(founder).setAccount(`before${i}`, ACCOUNT));
  await nodes.until("all is applied", () =>
    others.every(({ node }) => node?.core.state.settings.accounts.has("before2")),
  );
  founder.kill();
  await nodes.until("another leads", () => others.some(({ leads }) => leads));
  await nodes.run(() => running(nodes.leader()).setAccount("acknowledged", ACCOUNT));
  return { nodes, founder, others };
}

/** The batches in which somebody got a vote. */
function promotions(node: SimNode): StoredBatch[] {
  const disk = node.machine.disk(DATA_DIR);
  return batchesOf(disk).filter(({ path, records }) =>
    records.some(({ type, entryType, at, length }) => {
      if (type !== RecordType.ENTRY || entryType === EntryType.NORMAL) return false;
      const bytes = new Uint8Array(length);
      const file = disk.image.get(path);
      assert.ok(file !== undefined && file !== "folder");
      file.visible.read(at, bytes);
      return decodeConfChange(bytes).changes.some(({ type: kind }) => kind === "add-node");
    }),
  );
}

for (const cutOff of [false, true]) {
  const how = cutOff ? "cut off" : "linked";
  test(`a founder that lost the promotions of others, ${how}, does not lead before its repair`, async () => {
    const { nodes, founder } = await founderKilled(9);
    const lost = promotions(founder);
    assert.ok(lost.length >= 2);
    for (const { path, at } of lost) loseSector(founder.machine.disk(DATA_DIR), path, at);
    if (cutOff) nodes.cut(founder);
    founder.start();
    await nodes.until("it runs", () => founder.node !== null);
    const { driver, log } = running(founder).core;
    assert.ok(log.damage.length > 0);
    const began = nodes.world.time.now;
    const terms = new Map<number, string>();
    await nodes.until("20 s, and its repair", () => {
      for (const { name, node } of nodes.nodes) {
        const core = node?.core.driver.consensus.node;
        if (core?.role !== "leader") continue;
        assert.equal(terms.get(core.term) ?? name, name, `two leaders in term ${core.term}`);
        terms.set(core.term, name);
      }
      if (driver.consensus.fitness.membershipIsLost)
        assert.notEqual(driver.consensus.node.role, "leader", founder.describe());
      const isOver = nodes.world.time.now - began > 20_000;
      return isOver && (cutOff || log.damage.length === 0);
    });
    if (cutOff) {
      assert.ok(driver.consensus.fitness.membershipIsLost);
      const { raft } = driver.consensus.node;
      const [from, term] = [idOf(nodes.nodes[1]!), raft.term + 1];
      driver.consensus.step(
        message("MsgVote", { from, to: raft.id, term, logTerm: term, index: log.lastIndex + 9 }),
      );
      assert.deepEqual([raft.term, raft.vote], [term - 1, raft.vote], "it does not even listen");
      assert.equal(driver.leads, false);
      assert.match(running(founder).notReady() ?? "", /damaged/);
      nodes.world.network.heal();
    }
    await nodes.until("it has what was acknowledged without it", () =>
      running(founder).core.state.settings.accounts.has("acknowledged"),
    );
    assert.deepEqual(nodes.ended, []);
  });
}

test("a sector of the first checkpoint is lost: there is another, and changes of members go on", async () => {
  const nodes = new SimNodes(5);
  const leader = await nodes.formed(3);
  const follower = nodes.followers()[0]!;
  for (let i = 0; i < 5; i++) await nodes.run(() => running(leader).setAccount(`a${i}`, ACCOUNT));
  follower.kill();
  const disk = follower.machine.disk(DATA_DIR);
  const [first] = batchesOf(disk);
  loseSector(disk, first!.path, first!.at);
  follower.start();
  await nodes.until("it runs", () => follower.node !== null);
  assert.deepEqual(running(follower).core.state.conf.voters, [1, 2, 3]);
  const joiner = nodes.add("n4", { join: ["n1", "n2", "n3"] });
  await nodes.until("the fourth joined on all", () =>
    [follower, joiner].every(({ node }) => node?.core.state.conf.learners.includes(4) === true),
  );
  assert.deepEqual(nodes.ended, []);
});

test("a log of which no checkpoint can be read is refused, with what to do", async () => {
  const nodes = new SimNodes(6);
  await nodes.formed(3);
  const follower = nodes.followers()[0]!;
  follower.kill();
  const disk = follower.machine.disk(DATA_DIR);
  const checkpoints = batchesOf(disk).filter(({ records }) =>
    records.some(({ type }) => type === RecordType.CHECKPOINT),
  );
  assert.ok(checkpoints.length >= 2);
  for (const { path, at } of checkpoints) loseSector(disk, path, at);
  follower.start();
  await nodes.until("it ended", () => nodes.ended.length > 0);
  assert.match(nodes.ended[0]!.message, /who its members are is not known.*joins as a new learner/);
});

test("an only voter that lost a change of the members does not lead for a moment at its start either", async () => {
  const world = new LogWorld(1);
  const open = (): Promise<NodeCore> =>
    world.settle(
      openCore(world.world.machine("a").start(), silentLogger, {
        dataDir: "data",
        segmentBytes: 64 * 1024,
        onFatal: (error) => world.failures.push(error),
        cluster: null,
      }),
    );
  const { log } = await open();
  const change = encodeConfChange({
    transition: "auto",
    changes: [{ type: "add-node", id: 2 }],
    context: new Uint8Array(0),
  });
  const datas = [new Uint8Array(0), change, Uint8Array.of(0)];
  // That the change is committed the log does not know: 2 may have it from another.
  for (const [at, data] of datas.entries()) {
    const type = data === change ? EntryType.CONF_CHANGE_V2 : EntryType.NORMAL;
    const entries = [{ index: at + 1, term: 1, type, data }];
    await world.settle(log.append({ hardState: { term: 1, vote: 1, commit: 1 }, entries }));
  }
  await world.settle(log.close());
  const lost = batchesOf(world.disk).find(({ records }) => records[0]!.index === 2)!;
  loseSector(world.disk, lost.path, lost.at);
  const { driver } = await open();
  await world.settle(driver.recover());
  assert.equal(driver.consensus.node.isOnlyVoter, true);
  const stop = new AbortController();
  const running = driver.run(stop.signal);
  await world.world.time.advance(5_000);
  assert.deepEqual([driver.consensus.history.leaderChanges, driver.term, driver.commit], [0, 1, 1]);
  stop.abort();
  await world.settle(running);
  assert.deepEqual(world.failures, []);
});
