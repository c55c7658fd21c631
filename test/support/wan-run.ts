/**
 * `npm run soak -- wan`: three regions as far from each other as iad, fra and syd, three voters, two learners
 * in each, a source at 200 transactions a second and a replica in each region. In this order: a time without
 * faults; each region cut off in turn; a learner cut off for long, and what its coming back costs commits; the
 * source's fail-over to another region. Nothing acknowledged may be lost at any time.
 */
import assert from "node:assert/strict";
import { REGIONS, SOURCE_REGION } from "../../demo/network/regions.ts";
import { estimateRttMs } from "../../geo/rtt.ts";
import { waitFor } from "./wait-for.ts";
import { WanCluster } from "./wan-cluster.ts";

export interface WanRunOptions {
  /** Without faults. */
  readonly quietMinutes: number;
  readonly cutSeconds: number;
  /** Of one learner. */
  readonly awayMinutes: number;
  readonly learnersPerRegion: number;
  readonly perSecond: number;
  readonly say: (line: string) => void;
}

const LOAD = { sessions: 48, traced: true } as const;
const FAR = "syd-2";
const FAIL_OVER_TO = "fra";
const COOLDOWN_S = 30;

export async function wanRun(options: WanRunOptions): Promise<Record<string, unknown>> {
  const { say, perSecond } = options;
  const load = { ...LOAD, perSecond };
  const wan = await WanCluster.start({
    learnersPerRegion: options.learnersPerRegion,
    cluster: `leader_cooldown_s = ${COOLDOWN_S}`,
    load,
    say,
  });
  try {
    await wan.leaderIn(SOURCE_REGION);
    wan.load.start();
    await wan.commitsFlow(100, 60_000, "commits");
    const quiet = await withoutFaults(wan, options);
    say(`without faults: ${JSON.stringify(quiet)}`);
    const cuts: Record<string, unknown> = {};
    for (const region of REGIONS) {
      cuts[region] = await cutRegion(wan, region, options.cutSeconds);
      say(`${region} cut off: ${JSON.stringify(cuts[region])}`);
    }
    const away = await cutLearner(wan, options.awayMinutes);
    say(`${FAR} cut off: ${JSON.stringify(away)}`);
    await wan.load.stop();
    const before = await wan.check();
    assert.deepEqual(bad(before), []);
    wan.load.start();
    const failOver = await sourceFailsOver(wan, load);
    say(`the source failed over: ${JSON.stringify(failOver)}`);
    await wan.load.stop();
    // The files of another source are others; all transactions are the same.
    const after = (await wan.check()).filter(({ name }) => !name.startsWith("files equal"));
    assert.deepEqual(bad(after), []);
    return { quiet, cuts, away, failOver, checks: [...before, ...after].length, lost: 0 };
  } catch (error) {
    say(await wan.lastWords());
    throw error;
  } finally {
    await wan.stop();
  }
}

const bad = (checks: readonly { name: string; ok: boolean; detail: string }[]): string[] =>
  checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function commitTimes(wan: WanCluster, ms: number): Promise<Record<string, number>> {
  const [sinceMs, committed] = [performance.now(), wan.load.committed];
  await sleep(ms);
  const seconds = (performance.now() - sinceMs) / 1000;
  return {
    perSecond: Math.round((wan.load.committed - committed) / seconds),
    // As clients see it: commits of several sessions wait for each other in the source.
    commitMsP50: wan.load.percentile(50, sinceMs),
    commitMsP99: wan.load.percentile(99, sinceMs),
    quorumMsP50: await quorumMsP50(wan),
  };
}

/** From a chunk's proposal until a quorum has synced it, as the leader measures. */
async function quorumMsP50(wan: WanCluster): Promise<number> {
  const metrics = await (await (await wan.cluster.leader()).fetch("/metrics")).text();
  const seconds = /binraft_raft_commit_seconds\{[^}]*quantile="0.5"[^}]*\} ([\d.]+)/.exec(metrics);
  return Math.round(Number(seconds?.[1]) * 1e5) / 100;
}

async function withoutFaults(wan: WanCluster, { quietMinutes }: WanRunOptions): Promise<object> {
  // Until time-outs have followed the distances.
  const node = wan.cluster.nodes[0]!;
  const needed = 10 * estimateRttMs("fra", "syd")!;
  const electionMs = await waitFor(
    async () => {
      const { electionMs: now } = await node.cluster();
      return now >= needed && now;
    },
    { deadlineMs: 60_000, what: "time-outs to follow the distances" },
  );
  const term = await wan.term();
  const bytes = wan.regionMiB();
  const times = await commitTimes(wan, quietMinutes * 60_000);
  const nearest = Math.min(
    ...REGIONS.filter((region) => region !== SOURCE_REGION).map(
      (region) => estimateRttMs(SOURCE_REGION, region)!,
    ),
  );
  const after = wan.regionMiB();
  return {
    minutes: quietMinutes,
    ...times,
    nearestRttMs: Math.round(nearest * 10) / 10,
    elections: (await wan.term()) - term,
    electionMs,
    regionMiB: Object.fromEntries(
      Object.entries(after).map(([way, mib]) => [
        way,
        Math.round((mib - (bytes[way] ?? 0)) * 100) / 100,
      ]),
    ),
  };
}

/** How often leadership was moved by intent, as the nodes' logs say. */
async function moves(wan: WanCluster): Promise<number> {
  const logs = await Promise.all(wan.cluster.nodes.map((node) => node.said()));
  return logs.join("\n").split("The leader moves").length - 1;
}

/** Elections that somebody called, apart from moves of the leader back home. */
async function cutRegion(wan: WanCluster, region: string, seconds: number): Promise<object> {
  const [term, moved] = [await wan.term(), await moves(wan)];
  const sinceMs = performance.now();
  wan.cutRegion(region);
  await sleep(seconds * 1000);
  wan.network.heal();
  await wan.leaderIn(SOURCE_REGION, 300_000);
  await wan.commitsFlow(200, 300_000, `commits after ${region} is back`);
  const { ms } = wan.load.longestSilence(sinceMs);
  const meanwhile = (await moves(wan)) - moved;
  return {
    elections: (await wan.term()) - term - meanwhile,
    moves: meanwhile,
    longestSilenceMs: Math.round(ms),
  };
}

async function cutLearner(wan: WanCluster, minutes: number): Promise<object> {
  const node = wan.cluster.node(FAR);
  const sinceMs = performance.now();
  wan.cutNode(FAR);
  await sleep(minutes * 60_000);
  const status = await node.status();
  const served = await node.replicas();
  const leader = await wan.cluster.leader();
  const lag = (await leader.status()).stream.visibleBytes - status.stream.visibleBytes;
  const cutP99 = wan.load.percentile(99, sinceMs);
  const healedMs = performance.now();
  wan.network.heal();
  const target = (await leader.status()).raft.applied;
  await waitFor(async () => (await node.status()).raft.applied >= target, {
    deadlineMs: 600_000,
    what: `${FAR} to catch up`,
    pollMs: 50,
  });
  return {
    minutes,
    servedReplicas: served.length,
    silentMs: Math.round(status.raft.leaderSilentMs ?? -1),
    lagBytes: lag,
    caughtUpAfterMs: Math.round(performance.now() - healedMs),
    commitMsP99While: { cut: cutP99, catchingUp: wan.load.percentile(99, healedMs) },
  };
}

async function sourceFailsOver(wan: WanCluster, load: typeof LOAD): Promise<object> {
  const startedMs = performance.now();
  await wan.failOver(FAIL_OVER_TO, load);
  const pointedMs = performance.now();
  await wan.leaderIn(FAIL_OVER_TO, 300_000);
  const leaderMs = performance.now();
  await wan.commitsFlow(200, 300_000, "commits at the new source");
  return {
    leaderFollowedAfterMs: Math.round(leaderMs - pointedMs),
    cooldownS: COOLDOWN_S,
    promotionMs: Math.round(pointedMs - startedMs),
    commitMsP50: wan.load.percentile(50, leaderMs),
  };
}
