/** How long commits wait when the leader is killed under load, over many kills. */
import { percentile } from "./cluster-rounds.ts";
import { MysqlCluster } from "./mysql-cluster.ts";
import { waitFor } from "./wait-for.ts";

export interface FailoverReport {
  readonly rounds: number;
  readonly electionMs: number;
  /** From the kill to the next acknowledged commit. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p50Elections: number;
  readonly p99Elections: number;
  readonly commits: number;
  readonly acknowledged: number;
  readonly lost: number;
}

const DEADLINE_MS = 60_000;
/** A round that takes longer shows what the nodes said. */
const SLOW_ELECTIONS = 3;

export async function failovers(
  rounds: number,
  say: (line: string) => void,
): Promise<FailoverReport> {
  const made = await MysqlCluster.start({ replicas: ["v1"] });
  try {
    const { cluster, load } = made;
    const { electionMs } = await (await cluster.leader()).cluster();
    const times: number[] = [];
    load.start();
    for (let round = 1; round <= rounds; round++) {
      await made.commitsFlow(10 + ((round * 7) % 30), DEADLINE_MS, "commits before the kill");
      const leader = await cluster.leader();
      const killed = performance.now();
      await leader.kill();
      const resumed = (): boolean => load.longestSilence(killed).ms > electionMs / 2;
      await waitFor(resumed, { deadlineMs: DEADLINE_MS, what: "commits after the kill" }).catch(
        async (error: Error) => {
          throw new Error(`Round ${round}: ${error.message}\n${await made.lastWords(20)}`);
        },
      );
      const tookMs = load.longestSilence(killed).endedMs - killed;
      times.push(tookMs);
      if (tookMs > SLOW_ELECTIONS * electionMs)
        say(`Round ${round}: ${Math.round(tookMs)} ms\n${await made.lastWords(12)}`);
      await leader.start();
      if (round % 10 === 0)
        say(`${round} kills, ${load.committed} commits, p50 ${percentile(times, 50)} ms`);
    }
    await load.stop();
    await made.check();
    const [p50Ms, p99Ms] = [percentile(times, 50), percentile(times, 99)];
    const elections = (ms: number): number => Math.round((ms * 100) / electionMs) / 100;
    return {
      rounds,
      electionMs,
      p50Ms,
      p99Ms,
      p50Elections: elections(p50Ms),
      p99Elections: elections(p99Ms),
      commits: load.committed,
      acknowledged: load.acknowledged.size,
      lost: 0,
    };
  } finally {
    await made.stop();
  }
}
