/**
 * The demo: a real MySQL source, a cluster over three regions and a real replica in each, all processes on
 * this machine; what goes from one region to another takes as long as it would. Each region has a voter and a
 * learner, which the region's replica follows. A workload runs, a table shows what flows, the leader is killed
 * with SIGKILL, another region takes over, the killed node comes back, and the leader goes home to the source.
 * At the end it is checked that everything is equal and that no acknowledged commit was lost.
 *
 *   npm run demo                              until Ctrl-C
 *   npm run demo -- --seconds 60 --json       ends with one JSON line; exit 0 only if all held
 *   npm run demo -- --runtime bun             nodes on Bun; or node, deno; or mixed, a voter on each
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { type Check, runChecks } from "./checks.ts";
import { ClusterProcesses } from "./cluster-processes.ts";
import { Load } from "./load.ts";
import { findMysql } from "./mysql/install.ts";
import { MysqlServer } from "./mysql/server.ts";
import { PeerNetwork } from "./network/peer-network.ts";
import { lineBetween, REGIONS, regionOf, SOURCE, SOURCE_REGION } from "./network/regions.ts";
import type { NodeProcess } from "./node-process.ts";
import { startReplica } from "./replica.ts";
import { OWN_RUNTIME, prepareRuntimes, RUNTIMES, type Runtime } from "./runtimes.ts";
import { LiveTable } from "./table.ts";
import { SCHEMA } from "./workload.ts";

const ACCOUNT = { user: "repl", password: "demo-replica" } as const;
const PULLER = { user: "binraft", password: "demo-source" } as const;
const VOTERS: readonly string[] = REGIONS.map((region) => `${region}-1`);
const LEARNERS: readonly string[] = REGIONS.map((region) => `${region}-2`);
const RECOVERY_DEADLINE_MS = 300_000;
/** The standard of cluster.election_ms, which distances make longer: nobody else leads sooner. */
const ELECTION_MS = 1000;
/** For its minute the demo has less patience than the standard. */
const COOLDOWN_S = 5;
const POLL_MS = 5;

export interface DemoResult {
  readonly ok: boolean;
  readonly checks: readonly Check[];
  readonly figures: Readonly<Record<string, number | string>>;
}

export interface DemoOptions {
  /** Null runs until a signal. */
  readonly seconds: number | null;
  readonly json: boolean;
  /** What each node runs on. */
  readonly runtime: (name: string) => Runtime;
}

/** By what --runtime says. */
const RUNTIME_CHOICES: Readonly<Record<string, (name: string) => Runtime>> = {
  node: () => "node",
  bun: () => "bun",
  deno: () => "deno",
  mixed: (name) => RUNTIMES[VOTERS.indexOf(name)] ?? "node",
};

class Demo {
  readonly #folder: string;
  readonly #say: (line: string) => void;
  readonly #onTerminal: boolean;
  readonly #servers: MysqlServer[] = [];
  #cluster: ClusterProcesses | null = null;
  #network: PeerNetwork | null = null;
  #load: Load | null = null;

  constructor(folder: string, say: (line: string) => void, onTerminal: boolean) {
    this.#folder = folder;
    this.#say = say;
    this.#onTerminal = onTerminal;
  }

  async #server(serverId: number, args: readonly string[]): Promise<MysqlServer> {
    const folder = path.join(this.#folder, `mysql-${serverId}`);
    const server = await MysqlServer.start({ folder, serverId, args });
    this.#servers.push(server);
    return server;
  }

  async run(options: DemoOptions, ended: Promise<void>): Promise<DemoResult> {
    const say = this.#say;
    prepareRuntimes([...VOTERS, ...LEARNERS].map(options.runtime), say);
    const { version } = await findMysql({ onProgress: say });
    say(
      `MySQL ${version}: starting a source in ${SOURCE_REGION}; a voter, a learner and a replica in each of ` +
        REGIONS.join(", "),
    );
    const [source, ...replicas] = await Promise.all([
      this.#server(1, []),
      this.#server(2, ["--replica-parallel-workers=4"]),
      this.#server(3, []),
      this.#server(4, []),
    ]);
    await prepareSource(source);
    const cluster = await this.#startCluster(source, options.runtime);
    await untilLeaderIsHome(cluster);
    for (const [at, name] of LEARNERS.entries()) await follow(replicas[at]!, cluster.node(name));
    say(`${(await cluster.leader()).name} leads; ${LEARNERS.join(", ")} each have a replica`);
    const load = new Load(source);
    this.#load = load;
    load.start();
    const table = new LiveTable(cluster, load, { say, onTerminal: this.#onTerminal });
    table.start();

    const seconds = options.seconds;
    const half = seconds === null ? 15_000 : (seconds * 1000) / 2;
    await Promise.race([sleep(half), ended]);
    const gap = await this.#killLeader(cluster, load, table);
    await Promise.race([sleep(seconds === null ? 2 ** 31 - 1 : half), ended]);
    const home = await untilLeaderIsHome(cluster);
    await table.stop();
    await load.stop();
    say("Writes stopped: waiting for nodes and replicas, then checking");
    const { nodes } = cluster;
    const checks = await runChecks({
      source,
      nodes,
      replicas,
      load,
      account: ACCOUNT,
      puller: PULLER,
    });
    checks.push({ name: `leader in ${SOURCE_REGION} again`, ...home });
    const statuses = await Promise.all(nodes.map((node) => node.status()));
    const { stream } = statuses[0]!;
    const rss = Math.max(...statuses.map((status) => status.process.rssBytes));
    const { electionMs, rtts } = await nodes[0]!.cluster();
    const figures = {
      mysqlVersion: version,
      runtimes: [...new Set(statuses.map(({ node }) => node.runtime))].join(", "),
      nodes: nodes.length,
      seconds: Math.round(load.elapsedMs / 1000),
      transactions: load.committed,
      transactionsPerSecond: Math.round((load.committed * 1000) / Math.max(1, load.elapsedMs)),
      binlogBytes: stream.visibleBytes,
      binlogFiles: stream.files,
      ...gap,
      rttMs: rtts
        .filter(({ from, to }) => from !== to)
        .map(({ from, to, rttMs }) => `${from}-${to} ${Math.round(rttMs ?? 0)}`)
        .join(", "),
      electionMs,
      commitMsP50: load.percentile(50),
      commitMsP99: load.percentile(99),
      nodeRssMiB: Math.round(rss / 1_048_576),
    };
    return { ok: checks.every((check) => check.ok), checks, figures };
  }

  async #startCluster(
    source: MysqlServer,
    runtime: (name: string) => Runtime,
  ): Promise<ClusterProcesses> {
    let nodes: readonly NodeProcess[] = [];
    const pids = (): Map<string, number> => new Map(nodes.map(({ name, pid }) => [name, pid]));
    const network = new PeerNetwork(pids, lineBetween);
    this.#network = network;
    const toml = `[source]
url = "mysql://${PULLER.user}@${await network.advertise(SOURCE, source.port)}"
region = "${SOURCE_REGION}"
password_file = ${JSON.stringify(path.join(this.#folder, "source-password"))}
tls = "verify-ca"
tls_ca = ${JSON.stringify(path.join(source.binlogDir, "ca.pem"))}
`;
    await writeFile(path.join(this.#folder, "source-password"), PULLER.password, { mode: 0o600 });
    const cluster = await ClusterProcesses.create({
      folder: path.join(this.#folder, "cluster"),
      voters: VOTERS,
      learners: LEARNERS,
      cluster: `leader_cooldown_s = ${COOLDOWN_S}`,
      toml,
      account: ACCOUNT,
      region: regionOf,
      advertise: (name, port) => network.advertise(name, port),
      runtime,
    });
    this.#cluster = cluster;
    nodes = cluster.nodes;
    await cluster.start();
    return cluster;
  }

  /** How long nothing could be committed because nobody led; the killed node comes back after that. */
  async #killLeader(
    cluster: ClusterProcesses,
    load: Load,
    table: LiveTable,
  ): Promise<Record<string, number>> {
    const leader = await cluster.leader();
    table.mark(`SIGKILL to the leader ${leader.name} (pid ${leader.pid}) under load`);
    const killed = performance.now();
    await leader.kill();
    const serving = cluster.leader(RECOVERY_DEADLINE_MS).then((next) => ({
      name: next.name,
      ms: Math.round(performance.now() - killed),
    }));
    // The first few may have been acknowledged before the kill; those behind the silence were not.
    const resumed = await firstAfterSilence(load, killed);
    const next = await serving;
    table.mark(`commits resumed after ${resumed} ms: ${next.name} leads`);
    await leader.start();
    table.mark(`${leader.name} is back`);
    return {
      gapUntilServingMs: next.ms,
      gapUntilCommitMs: resumed,
      commitsResumedAfterMs: resumed,
    };
  }

  async close(): Promise<void> {
    // A commit that waits for an ACK ends with its server.
    await Promise.all(this.#servers.map((server) => server.remove()));
    await this.#load?.stop();
    await this.#cluster?.stop();
    await this.#network?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The leader is where the source is. */
async function untilLeaderIsHome(
  cluster: ClusterProcesses,
): Promise<{ readonly ok: boolean; readonly detail: string }> {
  const deadline = performance.now() + RECOVERY_DEADLINE_MS;
  for (;;) {
    const leader = await cluster.leader();
    const ok = regionOf(leader.name) === SOURCE_REGION;
    if (ok || performance.now() > deadline)
      return { ok, detail: `${leader.name} leads, the source is in ${SOURCE_REGION}` };
    await sleep(200);
  }
}

/** Milliseconds from then to the first commit after the longest silence since. */
async function firstAfterSilence(load: Load, sinceMs: number): Promise<number> {
  for (let patienceMs = 0; patienceMs < RECOVERY_DEADLINE_MS; patienceMs += POLL_MS) {
    await sleep(POLL_MS);
    const { ms, endedMs } = load.longestSilence(sinceMs);
    const isOver = ms > ELECTION_MS / 2 && performance.now() > endedMs;
    if (isOver) return Math.round(endedMs - sinceMs);
  }
  throw new Error(`No commit came through within ${RECOVERY_DEADLINE_MS} ms of the kill`);
}

async function follow(replica: MysqlServer, node: NodeProcess): Promise<void> {
  await startReplica(replica, { host: "127.0.0.1", port: node.mysqlPort, ...ACCOUNT });
}

async function prepareSource(source: MysqlServer): Promise<void> {
  const { user, password } = PULLER;
  await source.exec(
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';
     GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${user}'@'%'`,
  );
  await source.exec(SCHEMA);
  await source.waitForAcks();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

/** The first one ends the load, after which all is checked; the second one ends everything. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let seen = false;
    const onSignal = (): void => {
      if (seen) process.exit(130);
      seen = true;
      resolve();
    };
    // Not `once`: whoever listens must still be there when the others are told (children.ts).
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  });
}

/** Runs the demo; resolves with the exit code. */
export async function demo(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string" },
      json: { type: "boolean", default: false },
      runtime: { type: "string", default: OWN_RUNTIME },
    },
  });
  const runtime = RUNTIME_CHOICES[values.runtime];
  if (runtime === undefined) {
    const known = Object.keys(RUNTIME_CHOICES).join(", ");
    console.error(`Cannot run the demo on "${values.runtime}": give one of ${known}`);
    return 2;
  }
  const seconds = values.seconds === undefined ? null : Number(values.seconds);
  if (seconds !== null && !(seconds >= 2 && seconds <= 86_400)) {
    console.error(`Cannot run the demo for "${values.seconds}" seconds: give 2 to 86400`);
    return 2;
  }
  const options = { seconds, json: values.json, runtime };
  // With --json standard output is for the one line.
  const say = (line: string): void => (options.json ? console.error(line) : console.log(line));
  const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-demo-"));
  const run = new Demo(folder, say, (options.json ? process.stderr : process.stdout).isTTY);
  const ended = untilSignal();
  // Timers here do not hold the process; the demo itself does.
  const alive = setInterval(() => {}, 1000);
  try {
    const result = await run.run(options, ended);
    for (const check of result.checks)
      say(`${check.ok ? "ok  " : "FAIL"}  ${check.name}: ${check.detail}`);
    for (const [name, value] of Object.entries(result.figures)) say(`      ${name} ${value}`);
    if (options.json) console.log(JSON.stringify(result));
    return result.ok ? 0 : 1;
  } finally {
    await run.close();
    clearInterval(alive);
  }
}

if (import.meta.main) {
  const code = await demo(process.argv.slice(2)).catch((error: Error) => {
    console.error(`The demo failed: ${error.message}`);
    return 1;
  });
  // Explicitly, once all is written: nothing that is still open may hold the process.
  process.stdout.write("", () => process.exit(code));
}
