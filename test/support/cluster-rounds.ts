/**
 * Rounds of faults against a cluster of processes under load, with a source whose commits wait for an
 * ACK: after each round everything heals and commits flow, all nodes and replicas catch up; at the end
 * nothing acknowledged is lost and everything is equal. Run by soak.
 *
 * The source still has what it was acknowledged, so a leader that lost it would pull it again, and
 * nobody would notice. Every other time a kind comes, the source is therefore out of reach until the
 * next leader has shown that it has everything.
 */
import assert from "node:assert/strict";
import { replicaState, waitForReplica } from "../../demo/replica.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { FAULTS, type Fault, type FaultContext } from "./cluster-faults.ts";
import { SmallDisk, whyNoMount } from "./mounts.ts";
import { LEARNER, MysqlCluster } from "./mysql-cluster.ts";
import { waitFor } from "./wait-for.ts";

export interface KindReport {
  readonly rounds: number;
  /** The longest time without an acknowledged commit; of rounds whose source stayed in reach. */
  readonly silenceMsP50: number;
  readonly silenceMsP99: number;
}

export interface ClusterReport {
  readonly rounds: number;
  readonly kinds: Readonly<Record<string, KindReport>>;
  readonly skipped: readonly string[];
  readonly commits: number;
  readonly acknowledged: number;
  /** Of the acknowledged ones; more than 0 fails before this is seen. */
  readonly lost: number;
  /** Rounds in which the next leader had to show what was acknowledged without the source's help. */
  readonly proved: number;
}

/** What was acknowledged until now comes in within that; nobody else leads so soon. */
const ACKS_UNDER_WAY_MS = 50;
const RECOVERY_MS = 60_000;
const ELECTION_MS = 1_000;
const QUIET_MS = 300;
const CATCH_UP_MS = 60_000;
/** For what is written before the first round, and in each. */
const SMALL_DISK_MIB = 256;
const ROUND_MIB = 5;
/** On the small disk, so that a full one is noticed soon. */
const TOML = '[storage]\nsegment_bytes = "128KiB"';
const SMALL = "v2";

export interface RoundsOptions {
  readonly rounds: number;
  /** Kinds to draw from; all when absent. */
  readonly only?: readonly string[];
  readonly say: (line: string) => void;
}

export async function clusterRounds({ rounds, only, say }: RoundsOptions): Promise<ClusterReport> {
  const noDisk = await whyNoMount("tmpfs");
  const small = noDisk === null ? await SmallDisk.make(SMALL_DISK_MIB + rounds * ROUND_MIB) : null;
  let made: MysqlCluster | null = null;
  try {
    made = await MysqlCluster.start({
      learners: [LEARNER],
      replicas: [LEARNER, "v1"],
      toml: TOML,
      dataDir: (name) => (name === SMALL && small !== null ? `${small.folder}/data` : undefined),
    });
    const kinds = (only ?? Object.keys(FAULTS)).filter((kind) => kind !== "disk full" || small);
    const run = new Rounds(made, kinds, small, say);
    made.load.start();
    for (let round = 1; round <= rounds; round++) await run.round(round);
    return await run.end(rounds, noDisk === null ? [] : [`disk full: ${noDisk}`]);
  } finally {
    await made?.stop();
    await small?.remove();
  }
}

class Rounds {
  readonly #made: MysqlCluster;
  readonly #kinds: readonly string[];
  readonly #small: SmallDisk | null;
  readonly #say: (line: string) => void;
  readonly #turns = new Map<string, number>();
  readonly #recoveries = new Map<string, number[]>();
  #proved = 0;

  constructor(
    made: MysqlCluster,
    kinds: readonly string[],
    small: SmallDisk | null,
    say: (line: string) => void,
  ) {
    this.#made = made;
    this.#kinds = kinds;
    this.#small = small;
    this.#say = say;
  }

  async round(round: number): Promise<void> {
    const kind = this.#draw(round);
    try {
      await this.#one(kind, round);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const said = await this.#made.lastWords(20);
      throw new Error(`Round ${round}, ${kind}: ${text}\n${said}`, { cause: error });
    }
  }

  /** All kinds come equally often, in an order that changes. */
  #draw(round: number): string {
    const lap = Math.floor((round - 1) / this.#kinds.length);
    const at = (round - 1) % this.#kinds.length;
    const steps = [1, 5, 7, 11].filter((step) => isCoprime(step, this.#kinds.length));
    return this.#kinds[(at * steps[lap % steps.length]! + lap) % this.#kinds.length]!;
  }

  async #one(kind: string, round: number): Promise<void> {
    const made = this.#made;
    const { load, cluster, sourceProxy } = made;
    const turn = this.#turns.get(kind) ?? 0;
    this.#turns.set(kind, turn + 1);
    await made.commitsFlow(5 + ((round * 7) % 60), RECOVERY_MS, "commits before the fault");
    const leader = await cluster.leader();
    const node = cluster.node(SMALL);
    const disk = this.#small === null ? null : { node, small: this.#small };
    const ofSource = kind === "source connection";
    const proves = turn % 2 === 1 && !ofSource;
    // With and without the proof the same variants come.
    const which = ofSource ? turn : turn >> 1;
    if (proves) sourceProxy.faults.refuse = true;
    const began = performance.now();
    const fault = await FAULTS[kind]!({ made, leader, turn: which, disk } as FaultContext);
    await sleep(ACKS_UNDER_WAY_MS);
    if (proves) await this.#prove(fault);
    else await this.#recover(kind, fault, began);
    await this.#settle();
    this.#say(
      `round ${round}: ${kind}: ${fault.what}${proves ? ", proved" : ""}; ${load.committed} commits`,
    );
  }

  /** With the source out of reach, whoever leads next has all that the source saw acknowledged. */
  async #prove(fault: Fault): Promise<void> {
    const { source, cluster, sourceProxy } = this.#made;
    // Also what a leader that was not hit still had from the source.
    sourceProxy.cut();
    await sleep(ACKS_UNDER_WAY_MS);
    const acknowledged = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
    await sleep(fault.holdMs);
    await fault.heal();
    let stored = GtidSet.parse("");
    const has = async (): Promise<boolean> => {
      const leader = await cluster.leader();
      if (!(await leader.ready())) return false;
      stored = GtidSet.parse((await leader.status()).stream.executed);
      return stored.containsSet(acknowledged);
    };
    await waitFor(has, {
      deadlineMs: RECOVERY_MS,
      what: "a leader with all that was acknowledged",
    }).catch((error: Error) => {
      throw new Error(`${error.message}; lost: ${acknowledged.subtract(stored)}`);
    });
    this.#proved++;
    sourceProxy.heal();
  }

  async #recover(kind: string, fault: Fault, began: number): Promise<void> {
    const { load } = this.#made;
    const held = sleep(fault.holdMs);
    if (fault.quorumStays) {
      // Behind an election too: what comes at once may have been acknowledged before.
      await sleep(ELECTION_MS);
      await this.#made.commitsFlow(3, RECOVERY_MS, `commits after "${fault.what}"`);
      await held;
      await fault.heal();
    } else {
      // On a busy machine what a quorum had before comes through late. It ends before a leader without
      // a quorum would step down: one that acknowledges by itself is not quiet by then.
      const committed = await this.#quiet(ELECTION_MS);
      await held;
      assert.equal(load.committed, committed, "a commit came through without a quorum");
      await fault.heal();
    }
    await this.#made.commitsFlow(3, RECOVERY_MS, `commits after the end of "${fault.what}"`);
    const list = this.#recoveries.get(kind) ?? [];
    list.push(load.longestSilence(began).ms);
    this.#recoveries.set(kind, list);
  }

  /** Commits so far, once none has come for a while. */
  async #quiet(deadlineMs: number): Promise<number> {
    const { load } = this.#made;
    let committed = -1;
    let sinceMs = 0;
    const isQuiet = async (): Promise<boolean> => {
      if (load.committed !== committed) sinceMs = performance.now();
      committed = load.committed;
      return performance.now() - sinceMs >= QUIET_MS;
    };
    await waitFor(isQuiet, { deadlineMs, what: "commits to stop without a quorum" });
    return committed;
  }

  /** All nodes and replicas have what the source has now, and none has an error. */
  async #settle(): Promise<void> {
    const made = this.#made;
    await made.commitsFlow(1, RECOVERY_MS, "commits after the healing");
    const wanted = GtidSet.parse(await made.source.value("SELECT @@GLOBAL.gtid_executed"));
    for (const node of made.cluster.nodes) {
      const has = async (): Promise<boolean> =>
        GtidSet.parse((await node.status()).stream.executed).containsSet(wanted) && node.ready();
      await waitFor(has, { deadlineMs: CATCH_UP_MS, what: `${node.name} to catch up` });
    }
    for (const replica of made.replicas) {
      await waitForReplica(made.source, replica, CATCH_UP_MS);
      const { error } = await replicaState(replica);
      assert.ok(error === "" || /reconnect|connecting/i.test(error), `replica: ${error}`);
    }
    assert.equal(await made.counter("no_tx"), 0, "a commit went on without an ACK");
  }

  async end(rounds: number, skipped: readonly string[]): Promise<ClusterReport> {
    const { load } = this.#made;
    await load.stop();
    await this.#made.check();
    assert.equal(load.failure, null);
    const kinds: Record<string, KindReport> = {};
    for (const [kind, count] of this.#turns) {
      const list = this.#recoveries.get(kind) ?? [];
      kinds[kind] = {
        rounds: count,
        silenceMsP50: percentile(list, 50),
        silenceMsP99: percentile(list, 99),
      };
    }
    const { committed: commits, acknowledged } = load;
    const proved = this.#proved;
    return { rounds, kinds, skipped, commits, acknowledged: acknowledged.size, lost: 0, proved };
  }
}

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(
    sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? 0,
  );
}

function isCoprime(a: number, b: number): boolean {
  return b === 0 ? a === 1 : isCoprime(b, a % b);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
