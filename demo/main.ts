/**
 * The demo: a real MySQL source, a binraft node and two real replicas on this machine. A workload
 * runs, a table shows what flows, the node is killed with SIGKILL and comes back. At the end it is
 * checked that everything is equal and that no acknowledged commit was lost.
 *
 *   npm run demo                              until Ctrl-C
 *   npm run demo -- --seconds 30 --json       ends with one JSON line; exit 0 only if all held
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { type Check, runChecks } from "./checks.ts";
import { Load } from "./load.ts";
import { findMysql } from "./mysql/install.ts";
import { MysqlServer } from "./mysql/server.ts";
import { NodeProcess } from "./node-process.ts";
import { startReplica } from "./replica.ts";
import { LiveTable } from "./table.ts";
import { SCHEMA } from "./workload.ts";

const ACCOUNT = { user: "repl", password: "demo-replica" } as const;
const PULLER = { user: "binraft", password: "demo-source" } as const;
const RECOVERY_DEADLINE_MS = 60_000;

export interface DemoResult {
  readonly ok: boolean;
  readonly checks: readonly Check[];
  readonly figures: Readonly<Record<string, number | string>>;
}

export interface DemoOptions {
  /** Null runs until a signal. */
  readonly seconds: number | null;
  readonly json: boolean;
}

class Demo {
  readonly #folder: string;
  readonly #say: (line: string) => void;
  readonly #servers: MysqlServer[] = [];
  #node: NodeProcess | null = null;
  #load: Load | null = null;

  constructor(folder: string, say: (line: string) => void) {
    this.#folder = folder;
    this.#say = say;
  }

  async #server(serverId: number, args: readonly string[]): Promise<MysqlServer> {
    const folder = path.join(this.#folder, `mysql-${serverId}`);
    const server = await MysqlServer.start({ folder, serverId, args });
    this.#servers.push(server);
    return server;
  }

  async run(options: DemoOptions, ended: Promise<void>): Promise<DemoResult> {
    const say = this.#say;
    const { version } = await findMysql({ onProgress: say });
    say(`MySQL ${version}: starting a source and two replicas`);
    const [source, ...replicas] = await Promise.all([
      this.#server(1, []),
      this.#server(2, ["--replica-parallel-workers=4"]),
      this.#server(3, []),
    ]);
    await prepareSource(source);
    const node = await this.#startNode(source);
    say(
      `binraft serves replicas on 127.0.0.1:${node.mysqlPort}, admin on http://127.0.0.1:${node.adminPort}`,
    );
    const endpoint = { host: "127.0.0.1", port: node.mysqlPort, ...ACCOUNT };
    for (const replica of replicas) await startReplica(replica, endpoint);
    const load = new Load(source);
    this.#load = load;
    load.start();
    const table = new LiveTable(node, replicas, load, say);
    table.start();

    const seconds = options.seconds;
    const half = seconds === null ? 15_000 : (seconds * 1000) / 2;
    await Promise.race([sleep(half), ended]);
    const gap = await this.#killNode(node, load, table);
    await Promise.race([sleep(seconds === null ? 2 ** 31 - 1 : half), ended]);
    await table.stop();
    await load.stop();
    say("Writes stopped: waiting for the replicas, then checking");
    const status = await node.status();
    const checks = await runChecks({
      source,
      node,
      replicas,
      load,
      account: ACCOUNT,
      puller: PULLER,
    });
    const figures = {
      mysqlVersion: version,
      seconds: Math.round(load.elapsedMs / 1000),
      transactions: load.committed,
      transactionsPerSecond: Math.round((load.committed * 1000) / Math.max(1, load.elapsedMs)),
      binlogBytes: status.stream.visibleBytes,
      binlogFiles: status.stream.files,
      ...gap,
      commitMsP50: load.percentile(50),
      commitMsP99: load.percentile(99),
      nodeRssMiB: Math.round(status.process.rssBytes / 1_048_576),
    };
    return { ok: checks.every((check) => check.ok), checks, figures };
  }

  async #startNode(source: MysqlServer): Promise<NodeProcess> {
    const folder = path.join(this.#folder, "binraft");
    const toml = `[source]
url = "mysql://${PULLER.user}@127.0.0.1:${source.port}"
password_file = ${JSON.stringify(path.join(this.#folder, "source-password"))}
tls = "verify-ca"
tls_ca = ${JSON.stringify(path.join(source.binlogDir, "ca.pem"))}
`;
    await writeFile(path.join(this.#folder, "source-password"), PULLER.password, { mode: 0o600 });
    const node = await NodeProcess.create({ folder, toml, account: ACCOUNT });
    this.#node = node;
    await node.start();
    return node;
  }

  /** How long nothing could be committed because the node was gone. */
  async #killNode(
    node: NodeProcess,
    load: Load,
    table: LiveTable,
  ): Promise<Record<string, number>> {
    this.#say(`SIGKILL to the node (pid ${node.pid}): commits on the source wait from now on`);
    table.mark("node killed");
    const killed = performance.now();
    await node.kill();
    await node.start();
    const serving = performance.now() - killed;
    const acked = load.committed;
    const deadline = performance.now() + RECOVERY_DEADLINE_MS;
    while (load.committed <= acked && performance.now() < deadline) await sleep(5);
    const resumed = performance.now() - killed;
    table.mark("node back");
    this.#say(
      `The node serves again ${Math.round(serving)} ms after the kill; commits went on after ${Math.round(resumed)} ms`,
    );
    return { gapUntilServingMs: Math.round(serving), gapUntilCommitMs: Math.round(resumed) };
  }

  async close(): Promise<void> {
    await this.#load?.stop();
    await this.#node?.stop();
    await Promise.all(this.#servers.map((server) => server.remove()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function prepareSource(source: MysqlServer): Promise<void> {
  const { user, password } = PULLER;
  await source.exec(
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';
     GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${user}'@'%'`,
  );
  await source.exec(SCHEMA);
  await source.installSemisync("source");
  // An hour: a commit rather waits than goes on unacknowledged without anybody noticing.
  await source.exec("SET GLOBAL rpl_semi_sync_source_timeout = 3600000");
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

/** Runs the demo; resolves with the exit code. */
export async function demo(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { seconds: { type: "string" }, json: { type: "boolean", default: false } },
  });
  const seconds = values.seconds === undefined ? null : Number(values.seconds);
  if (seconds !== null && !(seconds >= 2 && seconds <= 86_400)) {
    console.error(`Cannot run the demo for "${values.seconds}" seconds: give 2 to 86400`);
    return 2;
  }
  const options = { seconds, json: values.json };
  // With --json standard output is for the one line.
  const say = (line: string): void => (options.json ? console.error(line) : console.log(line));
  const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-demo-"));
  const run = new Demo(folder, say);
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
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
