/**
 * Three regions as far from each other as iad, fra and syd, with a real source and a replica in each: a
 * region is lost and comes back, and the source fails over to another one. The long run is
 * `npm run soak -- wan`.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { REGIONS, SOURCE_REGION } from "../../demo/network/regions.ts";
import { estimateRttMs } from "../../geo/rtt.ts";
import type { NearNode, PlacementStatus } from "../../src/cluster/operations.ts";
import { waitFor } from "../support/wait-for.ts";
import { WanCluster } from "../support/wan-cluster.ts";

const FLOW_MS = 120_000;
const LOAD = { sessions: 8, traced: true } as const;

let wan: WanCluster;

before(async () => {
  wan = await WanCluster.start({ cluster: "leader_cooldown_s = 3", load: LOAD });
});

after(async () => {
  await wan?.stop();
});

async function get<T>(route: string): Promise<T> {
  const answer = await wan.cluster.node("fra-2").fetch(route);
  assert.equal(answer.status, 200);
  return (await answer.json()) as T;
}

test("the leader is where the source is, distances are measured, and everybody waits long enough", async () => {
  await wan.leaderIn(SOURCE_REGION, FLOW_MS);
  wan.load.start();
  await wan.commitsFlow(20, FLOW_MS, "commits");
  const needed = 10 * estimateRttMs("fra", "syd")!;
  for (const node of wan.cluster.nodes) {
    const patient = async () => (await node.cluster()).electionMs >= needed;
    await waitFor(patient, { deadlineMs: FLOW_MS, what: `${node.name} to be patient` });
  }
  const placement = await get<PlacementStatus>("/v1/cluster/placement");
  assert.deepEqual([placement.findings, placement.plan?.worthIt], [[], false]);
  const known = placement.rtts.filter(({ from, to, measured }) => from !== to && measured);
  assert.equal(known.length, 3);
  const near = await get<{ items: NearNode[] }>("/v1/nearest?region=syd");
  assert.match(near.items[0]!.name, /^syd-/);
});

test("between regions what is sent is packed", async () => {
  const leader = await wan.cluster.leader();
  const saved = async (): Promise<number> => {
    const metrics = await (await leader.fetch("/metrics")).text();
    const line = /binraft_peer_saved_bytes_total\{[^}]*peer="fra-1"[^}]*\} (\d+)/.exec(metrics);
    return Number(line?.[1]);
  };
  const before = await saved();
  await wan.source.exec(`
    CREATE TABLE shop.wide (id INT PRIMARY KEY, text LONGTEXT);
    INSERT INTO shop.wide VALUES (1, REPEAT('a row like others ', 20000))`);
  const isSmaller = async () => (await saved()) > before + 300_000;
  await waitFor(isSmaller, { deadlineMs: FLOW_MS, what: "360 kB to be sent as less than 60 kB" });
});

test("a region without the leader is lost: commits go on, and nobody is elected", async () => {
  const term = await wan.term();
  wan.cutRegion("syd");
  await wan.commitsFlow(60, FLOW_MS, "commits without syd");
  const replica = wan.replicas.get("syd")!;
  assert.ok((await replica.query("SELECT COUNT(*) FROM shop.traced")).length === 1, "it is served");
  wan.network.heal();
  await wan.commitsFlow(60, FLOW_MS, "commits with syd again");
  assert.equal(await wan.term(), term);
});

test("the source's region is lost and comes back: another leads, then the leader goes home", async () => {
  wan.cutRegion(SOURCE_REGION);
  const leads = async () => {
    const leader = await wan.cluster.leaderNow();
    return leader !== null && !leader.name.startsWith(SOURCE_REGION);
  };
  await waitFor(leads, { deadlineMs: FLOW_MS, what: "another region to lead" });
  wan.network.heal();
  await wan.leaderIn(SOURCE_REGION, FLOW_MS);
  await wan.commitsFlow(40, FLOW_MS, "commits after the source is back");
  await wan.load.stop();
  const bad = (await wan.check()).filter(({ ok }) => !ok);
  assert.deepEqual(bad, []);
});

test("the source fails over to another region, and the leader follows it; all replicas end equal", async () => {
  wan.load.start();
  await wan.failOver("fra", LOAD);
  await wan.leaderIn("fra", FLOW_MS);
  await wan.commitsFlow(40, FLOW_MS, "commits at the new source");
  await wan.load.stop();
  // The files of another source are others; all transactions are the same.
  const bad = (await wan.check()).filter(({ ok, name }) => !ok && !name.startsWith("files equal"));
  assert.deepEqual(bad, []);
  assert.equal(wan.replicas.size, REGIONS.length - 1);
});
