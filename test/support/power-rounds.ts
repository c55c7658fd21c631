/**
 * Loss of power: every node's data is on a disk image of its own. A node is killed, what its image
 * holds at that moment takes the image's place, and the node starts on that: what it had not synced is
 * gone. One node at a time, and all at once. What the source saw acknowledged has to be there without
 * the source's help.
 */
import { waitForReplica } from "../../demo/replica.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { LoopDisk, whyNoMount } from "./mounts.ts";
import { MysqlCluster, VOTERS } from "./mysql-cluster.ts";
import { waitFor } from "./wait-for.ts";

export interface PowerReport {
  readonly rounds: number;
  readonly ofLeader: number;
  readonly ofFollower: number;
  readonly ofAll: number;
  readonly commits: number;
  readonly acknowledged: number;
  readonly lost: number;
}

/** For what is written before the first round, and in each. */
const IMAGE_MIB = 96;
const ROUND_MIB = 2;
const DEADLINE_MS = 60_000;

/** A sentence when it cannot be done here. */
export async function powerRounds(
  rounds: number,
  say: (line: string) => void,
): Promise<PowerReport | string> {
  const why = await whyNoMount("loop");
  if (why !== null) return why;
  const disks = new Map<string, LoopDisk>();
  let made: MysqlCluster | null = null;
  try {
    for (const name of VOTERS) disks.set(name, await LoopDisk.make(IMAGE_MIB + rounds * ROUND_MIB));
    made = await MysqlCluster.start({
      replicas: ["v1"],
      toml: '[storage]\nsegment_bytes = "1MiB"',
      dataDir: (name) => `${disks.get(name)!.folder}/data`,
    });
    const counts = [0, 0, 0];
    made.load.start();
    for (let round = 1; round <= rounds; round++) {
      const kind = round % 3;
      counts[kind]!++;
      const current = made;
      await one(made, disks, kind, round).catch(async (error: Error) => {
        throw new Error(`Round ${round}: ${error.message}\n${await current.lastWords(20)}`);
      });
      say(
        `round ${round}: power of ${["all", "the leader", "a follower"][kind]}; ${made.load.committed} commits`,
      );
    }
    await made.load.stop();
    await made.check();
    const [ofAll, ofLeader, ofFollower] = counts as [number, number, number];
    const { committed: commits, acknowledged } = made.load;
    return {
      rounds,
      ofLeader,
      ofFollower,
      ofAll,
      commits,
      acknowledged: acknowledged.size,
      lost: 0,
    };
  } finally {
    await made?.stop();
    for (const disk of disks.values()) await disk.remove();
  }
}

async function one(
  made: MysqlCluster,
  disks: ReadonlyMap<string, LoopDisk>,
  kind: number,
  round: number,
): Promise<void> {
  const { cluster, source, sourceProxy } = made;
  await made.commitsFlow(5 + ((round * 7) % 40), DEADLINE_MS, "commits before the cut");
  const leader = await cluster.leader();
  const hit = [cluster.nodes, [leader], [made.followers(leader)[round % 2]!]][kind]!;
  sourceProxy.faults.refuse = true;
  await Promise.all(hit.map((node) => node.kill()));
  const restores = await Promise.all(hit.map(({ name }) => disks.get(name)!.copy()));
  sourceProxy.cut();
  // An ACK that was on its way may still be taken in.
  const pulls = async (): Promise<number> => {
    const sql =
      "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    return Number(await source.value(sql));
  };
  await waitFor(async () => (await pulls()) === 0, {
    deadlineMs: DEADLINE_MS,
    what: "the source to notice that nobody pulls any more",
  });
  const acknowledged = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
  for (const restore of restores) await restore();
  await cluster.start();
  let stored = GtidSet.parse("");
  const has = async (): Promise<boolean> => {
    stored = GtidSet.parse((await (await cluster.leader()).status()).stream.executed);
    return stored.containsSet(acknowledged);
  };
  await waitFor(has, {
    deadlineMs: DEADLINE_MS,
    what: "a leader with all that was acknowledged",
  }).catch((error: Error) => {
    throw new Error(`${error.message}; lost: ${acknowledged.subtract(stored)}`);
  });
  sourceProxy.heal();
  await made.commitsFlow(3, DEADLINE_MS, "commits after the cut");
  for (const replica of made.replicas) await waitForReplica(source, replica, DEADLINE_MS);
}
