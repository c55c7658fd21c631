/**
 * Three voters, a source whose commits wait for an ACK, and a replica: what happens to commits when
 * the leader dies, and when nobody can have a majority.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { LEARNER, MysqlCluster } from "../support/mysql-cluster.ts";
import { waitFor } from "../support/wait-for.ts";

const FLOW_MS = 30_000;
/** Longer than an election and than the leader's own doubt. */
const QUIET_MS = 4_000;

let made: MysqlCluster;

before(async () => {
  made = await MysqlCluster.start({ learners: [LEARNER], replicas: [LEARNER] });
});

after(async () => {
  await made?.stop();
});

/** A failed wait says what the nodes said. */
async function telling(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await made.lastWords()}`, { cause: error });
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const executed = async (): Promise<GtidSet> =>
  GtidSet.parse(await made.source.value("SELECT @@GLOBAL.gtid_executed"));

test("the leader is killed under load: another takes over, nothing acknowledged is missing on it", () =>
  telling(async () => {
    const { cluster, load, source } = made;
    load.start();
    await made.commitsFlow(50, FLOW_MS, "commits");
    const leader = await cluster.leader();
    const killed = performance.now();
    await leader.kill();
    const acknowledged = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
    const next = await cluster.leader();
    assert.notEqual(next, leader);
    await sleep(50);
    const first = await made.commitsFlow(20, FLOW_MS, "commits after the leader's death");
    console.log(`commits resumed ${Math.round(first - killed)} ms after the kill`);
    const stored = GtidSet.parse((await next.status()).stream.executed);
    assert.ok(stored.containsSet(acknowledged), `lost: ${acknowledged.subtract(stored)}`);
    await leader.start();
    await made.commitsFlow(20, FLOW_MS, "commits once it is back");
    await load.stop();
  }));

test("without a quorum a commit waits, also across reconnects of the syncer, and returns with the quorum", () =>
  telling(async () => {
    const { cluster, network, source, sourceProxy } = made;
    await cluster.leader();
    const acknowledged = await made.counter("yes_tx");
    network.isolateAll();
    const shell = source.openShell();
    let done = false;
    const commit = shell
      .query("INSERT INTO shop.orders (region, note) VALUES ('q', 'waits')", 120_000)
      .then(() => {
        done = true;
      });
    const waits = async (): Promise<boolean> => (await made.counter("wait_sessions")) === 1;
    await waitFor(waits, { deadlineMs: 10_000, what: "a waiting session" });
    for (let cut = 0; cut < 4; cut++) {
      await sleep(QUIET_MS / 4);
      sourceProxy.cut();
    }
    assert.equal(done, false, "no minority acknowledges");
    assert.equal(await made.counter("yes_tx"), acknowledged);
    assert.ok(await waits());
    for (const node of cluster.nodes) {
      const has = GtidSet.parse((await node.status()).stream.executed);
      // The source itself shows it only once it is released.
      const shown = has.subtract(await executed());
      assert.ok(shown.isEmpty, `${node.name} shows what is not committed: ${shown}`);
    }
    network.heal();
    await waitFor(() => done, { deadlineMs: FLOW_MS, what: "the commit to return" });
    await commit;
    await shell.close();
    assert.equal(await made.counter("no_tx"), 0);
  }));

test("two of three nodes die: commits wait; one comes back: they go on", () =>
  telling(async () => {
    const { cluster, source } = made;
    const leader = await cluster.leader();
    const [one, two] = made.followers(leader);
    await Promise.all([one!.kill(), two!.kill()]);
    const shell = source.openShell();
    let done = false;
    const commit = shell
      .query("INSERT INTO shop.orders (region, note) VALUES ('q', 'waits too')", 120_000)
      .then(() => {
        done = true;
      });
    await sleep(QUIET_MS);
    assert.equal(done, false);
    assert.equal(await cluster.leaderNow(), null, "a leader without a quorum steps down");
    assert.equal(await leader.ready(), false);
    one!.launch();
    await waitFor(() => done, { deadlineMs: FLOW_MS, what: "the commit to return" });
    await commit;
    await shell.close();
    await two!.start();
  }));

test("at the end everything is equal on all nodes and the replica, and no commit went without an ACK", () =>
  telling(() => made.check()));
