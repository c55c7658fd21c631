/**
 * `npm run soak -- abuse`: every attack against three nodes with a real source and a replica under load, one
 * after the other, or all at once. Attackers and honest clients are processes of their own. Beside each attack
 * stand the calm stretches before and after it: what the machine does by itself is no fault of a node.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { NodeProcess } from "../../demo/node-process.ts";
import { replicaState } from "../../demo/replica.ts";
import { toHex } from "../../src/base/bytes.ts";
import { createVerifiers } from "../../src/mysql/auth/verifier.ts";
import type { AbuseNode, AbuseTarget, Attack } from "./abuse-attack.ts";
import { ATTACKS, attackNamed } from "./abuse-attacks.ts";
import { AbuseProcess } from "./abuse-processes.ts";
import {
  faultsOf,
  hasGrown,
  hasGrownInAll,
  type Memory,
  mostHandles,
  openHandles,
  type Stretch,
  Watch,
} from "./abuse-watch.ts";
import { ACCOUNT } from "./local-node.ts";
import { MysqlCluster } from "./mysql-cluster.ts";
import { thisPlatform } from "./this-platform.ts";
import { waitFor } from "./wait-for.ts";

export interface AbuseOptions {
  /** All when empty. */
  readonly only: readonly string[];
  /** All at once for so long, instead of one after the other. */
  readonly minutes: number | null;
  /** Of one attack; a calm stretch is as long. */
  readonly seconds: number;
  readonly say: (line: string) => void;
}

const GUEST = { user: "guest", password: "guest-password" } as const;
const PER_SECOND = 100;
const WARM_SECONDS = 20;
const NODE_ARGS: readonly string[] = [
  "--max-semi-space-size=1",
  "--expose-gc",
  `--import=${import.meta.dirname}/gc-on-signal.ts`,
];
/** Memory that an attack leaves behind is seen to grow, or not to. */
const MOST_TURNS = 3;
const PRLIMIT = "/usr/bin/prlimit";
/** Segments end every few seconds, so that handles are needed. */
const TOML = '[storage]\nsegment_bytes = "128KiB"\nretention_bytes = "64MiB"';

interface Place {
  readonly pids: readonly number[];
  readonly term: number;
  readonly leader: string;
}

interface Played {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly said: readonly string[];
  readonly peak: Memory;
}

interface Calm {
  readonly stretch: Stretch;
  readonly held: Memory;
}

export async function abuseRounds(options: AbuseOptions): Promise<string> {
  const attacks = options.only.length > 0 ? options.only.map(attackNamed) : ATTACKS;
  const made = await MysqlCluster.start({
    replicas: ["v1"],
    toml: TOML,
    load: { perSecond: PER_SECOND, traced: true },
    nodeArgs: NODE_ARGS,
  });
  const run = new Abuse(made, options);
  try {
    await run.begin();
    const faulty =
      options.minutes === null
        ? await run.oneByOne(attacks)
        : await run.together(attacks, options.minutes * 60);
    await run.end();
    if (faulty.length > 0) throw new Error(`Not met:\n  ${faulty.join("\n  ")}`);
    return `${attacks.length} attacks; ${made.load.committed} commits`;
  } catch (error) {
    const { message } = error as Error;
    if (message.startsWith("Not met")) throw error;
    throw new Error(`${message}\n${await made.lastWords(20)}`, { cause: error });
  } finally {
    await run.stop();
    await made.stop();
  }
}

class Abuse {
  readonly #made: MysqlCluster;
  readonly #options: AbuseOptions;
  readonly #watch: Watch;
  readonly #witnesses: AbuseProcess[] = [];
  readonly #attackers = new Set<AbuseProcess>();
  #place: Place | null = null;
  #last: Calm | null = null;

  constructor(made: MysqlCluster, options: AbuseOptions) {
    this.#made = made;
    this.#options = options;
    this.#watch = new Watch(made);
  }

  async begin(): Promise<void> {
    const { load, cluster } = this.#made;
    load.start();
    await this.#made.commitsFlow(20, 30_000, "commits before the attacks");
    const { sha2 } = createVerifiers((await thisPlatform()).crypto, GUEST.password, {
      native: false,
    });
    const response = await (await cluster.leader()).fetch(`/v1/accounts/${GUEST.user}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sha2: toHex(sha2), native: null }),
    });
    if (!response.ok) throw new Error(`PUT /v1/accounts: ${await response.text()}`);
    const target = JSON.stringify(await this.#target());
    for (const what of ["delays", "works"]) {
      const taken = (line: string): void => this.#watch.take(line);
      this.#witnesses.push(new AbuseProcess("abuse-witness.ts", [what, target], taken));
    }
    await sleep(WARM_SECONDS * 1000);
    this.#place = await this.#placeNow();
    this.#options.say(`leader ${this.#place.leader} in term ${this.#place.term}`);
  }

  async #target(): Promise<AbuseTarget> {
    const { cluster, replicas } = this.#made;
    const nodes = await Promise.all(
      cluster.nodes.map(async (node): Promise<AbuseNode> => {
        const { raft } = await node.status();
        const token = (await readFile(`${node.dataDir}/admin-token`, "utf8")).trim();
        const { name, mysqlPort, adminPort } = node;
        return { name, raftId: raft.id, mysqlPort, adminPort, peerPort: node.peerPort!, token };
      }),
    );
    const { clusterId, raft, stream } = await cluster.nodes[0]!.status();
    return {
      nodes,
      secret: (await readFile(cluster.secretFile, "utf8")).trim(),
      clusterId,
      term: raft.term,
      lastIndex: raft.lastIndex,
      account: ACCOUNT,
      guest: GUEST,
      replicaUuid: await replicas[0]!.value("SELECT @@server_uuid"),
      executed: stream.executed,
    };
  }

  async #placeNow(): Promise<Place> {
    const { cluster } = this.#made;
    const leader = await cluster.leader();
    const { raft } = await leader.status();
    return { pids: cluster.nodes.map((node) => node.pid), term: raft.term, leader: leader.name };
  }

  /** What no attack may change. Whatever it has become is what holds for the next. */
  async #moved(): Promise<string[]> {
    const { cluster } = this.#made;
    const ended = cluster.nodes.filter((node) => !node.running);
    if (ended.length > 0) {
      const said = await ended[0]!.said();
      throw new Error(`${ended.map(({ name }) => name).join(", ")} ended: ${said.slice(-2000)}`);
    }
    const [was, is] = [this.#place!, await this.#placeNow()];
    this.#place = is;
    if (is.leader === was.leader && is.term === was.term) return [];
    return [`an election: ${was.leader} in ${was.term}, then ${is.leader} in ${is.term}`];
  }

  async oneByOne(attacks: readonly Attack[]): Promise<string[]> {
    const { seconds, say } = this.#options;
    const faulty: string[] = [];
    for (const attack of attacks) {
      const faults = await this.#play([attack], seconds);
      for (const fault of faults) say(`  NOT MET: ${fault}`);
      faulty.push(...faults.map((fault) => `${attack.name}: ${fault}`));
    }
    return faulty;
  }

  /** With all the handles that nodes may have: together attacks would leave none, which is another attack. */
  together(attacks: readonly Attack[], seconds: number): Promise<string[]> {
    const played = attacks.filter((one) => one.shutsOut !== true);
    return this.#play(
      played.map(({ name, says, covers, run }) => ({ name, says, covers, run })),
      seconds,
    );
  }

  /** What holds without an attack, and what is held at its end. */
  async #calm(): Promise<Calm> {
    const beganMs = Date.now();
    await sleep(this.#options.seconds * 1000);
    const stretch = this.#watch.between(beganMs, Date.now());
    return { stretch, held: await this.#watch.heldMemory() };
  }

  async #play(attacks: readonly Attack[], seconds: number): Promise<string[]> {
    const { say } = this.#options;
    const before = this.#last ?? (await this.#calm());
    const { beganMs, endedMs, said, peak } = await this.#attack(attacks, seconds);
    const next = await this.#calm();
    this.#last = next;
    const attack = this.#watch.between(beganMs, endedMs);
    const calm = calmer(before.stretch, next.stretch);
    for (const [at, { name }] of attacks.entries()) say(`${name}: ${said[at]}`);
    const mib = `MiB ${told(before.held)}, at most ${told(peak)}, then ${told(next.held)}`;
    say(`  ${described(calm, attack)}; ${mib}`);
    const worksCount = attacks.every((one) => one.shutsOut !== true);
    const faults = [...(await this.#moved()), ...faultsOf(calm, attack, worksCount)];
    // Half an hour of attacks is not played again.
    if (attacks.length === 1 && hasGrown(before.held, next.held))
      faults.push(...(await this.#again(attacks, seconds)));
    if (attacks.length > 1 && hasGrownInAll(before.held, next.held)) faults.push(`kept: ${mib}`);
    return faults;
  }

  /** What is kept for good, such as compiled code, tables that grew and gaps between pieces, has an end. */
  async #again(attacks: readonly Attack[], seconds: number): Promise<string[]> {
    const held = [told(this.#last!.held)];
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const first = this.#last!;
      await this.#attack(attacks, seconds);
      const second = await this.#calm();
      this.#last = second;
      held.push(told(second.held));
      if (hasGrownInAll(first.held, second.held)) continue;
      this.#options.say(`  played again: ${held.join(", then ")} MiB`);
      return [];
    }
    return [`memory grows each time: ${held.join(", then ")} MiB`];
  }

  async #attack(attacks: readonly Attack[], seconds: number): Promise<Played> {
    const unbound = await this.#bindHandles(attacks);
    const target = JSON.stringify(await this.#target());
    const beganMs = Date.now();
    const attackers = attacks.map(
      ({ name }) => new AbuseProcess("abuse-client.ts", [name, target]),
    );
    for (const attacker of attackers) this.#attackers.add(attacker);
    let peak = await this.#watch.memory();
    for (let left = seconds; left > 0; left--) {
      await sleep(1_000);
      peak = larger(peak, await this.#watch.memory().catch(() => peak));
    }
    const endedMs = Date.now();
    const said = await Promise.all(attackers.map((attacker) => attacker.end()));
    this.#attackers.clear();
    unbound();
    await sleep(1_000);
    return { beganMs, endedMs, said, peak };
  }

  /** Takes the handles of the nodes away that an attack does not leave them. Gives them back by what it returns. */
  async #bindHandles(attacks: readonly Attack[]): Promise<() => void> {
    const left = Math.min(...attacks.map((one) => one.handlesLeft ?? Number.POSITIVE_INFINITY));
    if (left === Number.POSITIVE_INFINITY) return () => {};
    if (!existsSync(PRLIMIT)) {
      this.#options.say("handles are not bounded: there is no prlimit");
      return () => {};
    }
    const bound: NodeProcess[] = this.#made.cluster.nodes;
    for (const { pid } of bound) limitHandles(pid, String((await openHandles(pid)) + left));
    const hard = await mostHandles(bound[0]!.pid);
    return () => {
      for (const { pid } of bound) limitHandles(pid, hard);
    };
  }

  async end(): Promise<void> {
    const { load, replicas } = this.#made;
    await load.stop();
    const { error } = await replicaState(replicas[0]!);
    if (error !== "") throw new Error(`The replica says: ${error}`);
    const isEqual = async (): Promise<boolean> => {
      await this.#made.check();
      return true;
    };
    await waitFor(isEqual, {
      deadlineMs: 30_000,
      what: "everything to be equal",
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#witnesses, ...this.#attackers].map((one) => one.end()));
  }
}

/** The soft limit; the hard one stays. */
function limitHandles(pid: number, most: string): void {
  spawnSync(PRLIMIT, [`--pid=${pid}`, `--nofile=${most}:`]);
}

/** What the machine does at its worst without an attack. */
function calmer(a: Stretch, b: Stretch): Stretch {
  return {
    ...a,
    delayP50Ms: Math.max(a.delayP50Ms, b.delayP50Ms),
    delayP99Ms: Math.max(a.delayP99Ms, b.delayP99Ms),
    silenceMs: Math.max(a.silenceMs, b.silenceMs),
  };
}

function described(calm: Stretch, attack: Stretch): string {
  const works = Object.entries(attack.works).map(
    ([kind, { ok, failed, maxMs }]) => `${ok} ${kind}s (${failed.length} failed, ${maxMs} ms)`,
  );
  return (
    `delay p50 ${calm.delayP50Ms} → ${attack.delayP50Ms} ms, p99 ${calm.delayP99Ms} → ${attack.delayP99Ms} ms; ` +
    `silence ${calm.silenceMs} → ${attack.silenceMs} ms; ${attack.commitsPerSecond} commits/s; ${works.join(", ")}`
  );
}

function told(memory: Memory): string {
  return Object.values(memory).join("/");
}

function larger(a: Memory, b: Memory): Memory {
  return Object.fromEntries(Object.entries(a).map(([n, mib]) => [n, Math.max(mib, b[n] ?? 0)]));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
