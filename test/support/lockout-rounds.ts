/**
 * SIGKILL of the leader while accounts are made and dropped, or binlog_checksum is changed, beside the
 * commits: what waits for an ACK holds a lock, so nobody new can log in at the source. Beside each such
 * round one with a plain kill, for comparison.
 */
import type { NodeProcess } from "../../demo/node-process.ts";
import { percentile } from "./cluster-rounds.ts";
import { MysqlCluster } from "./mysql-cluster.ts";
import { waitFor } from "./wait-for.ts";

export interface LockoutReport {
  readonly rounds: number;
  readonly plainMsP50: number;
  readonly lockedMsP50: number;
  readonly lockedMsMax: number;
  /** Rounds in which a login that began behind the kill waited for the commits to go on. */
  readonly lockedOut: number;
  readonly commits: number;
  readonly acknowledged: number;
  readonly lost: number;
}

const DEADLINE_MS = 30_000;
const KINDS: readonly (readonly [what: string, statements: readonly string[]])[] = [
  [
    "CREATE USER",
    [
      "CREATE USER passing@'%' IDENTIFIED BY 'x'",
      "GRANT SELECT ON shop.* TO passing@'%'",
      "DROP USER passing@'%'",
    ],
  ],
  // Each begins a new file: not more than a few.
  [
    "SET GLOBAL binlog_checksum",
    ["SET GLOBAL binlog_checksum = NONE", "SET GLOBAL binlog_checksum = CRC32", "DO SLEEP(0.05)"],
  ],
];
/** So long nobody logs in where nothing is locked. */
const LOGIN_MS = 500;

export async function lockoutRounds(
  rounds: number,
  say: (line: string) => void,
  /** Without: to see that the rounds do what they say. */
  keep = true,
): Promise<LockoutReport> {
  const made = await MysqlCluster.start({
    replicas: ["v1"],
    toml: `keep_connection = ${keep}\n[storage]\nsegment_bytes = "16MiB"`,
  });
  const locking = new Locking(made);
  try {
    made.load.start();
    const plain: number[] = [];
    const locked: number[] = [];
    let lockedOut = 0;
    for (let round = 1; round <= rounds; round++) {
      plain.push(await killOnce(made, round, keep, async () => {}));
      const [what, statements] = KINDS[(round - 1) % KINDS.length]!;
      locking.start(statements);
      let loginMs = 0;
      locked.push(
        await killOnce(made, round, keep, async () => {
          loginMs = await timeToLogIn(made);
        }),
      );
      await locking.stop();
      if (loginMs > LOGIN_MS) lockedOut++;
      say(
        `round ${round}: commits waited ${plain.at(-1)} ms after a plain kill, ${locked.at(-1)} ms beside ` +
          `${what}, where a login took ${loginMs} ms`,
      );
    }
    await made.load.stop();
    await made.check();
    return {
      rounds,
      plainMsP50: percentile(plain, 50),
      lockedMsP50: percentile(locked, 50),
      lockedMsMax: Math.max(...locked),
      lockedOut,
      commits: made.load.committed,
      acknowledged: made.load.acknowledged.size,
      lost: 0,
    };
  } catch (error) {
    const sessions = (await made.source.query("SHOW PROCESSLIST")).map((row) => row.join(" | "));
    const said = `${sessions.join("\n")}\n${await made.lastWords(20)}`;
    throw new Error(`${(error as Error).message}\n${said}`, { cause: error });
  } finally {
    await made.stop();
  }
}

/** Resolves with how long commits waited. */
async function killOnce(
  made: MysqlCluster,
  round: number,
  keep: boolean,
  meanwhile: () => Promise<void>,
): Promise<number> {
  const { cluster, load } = made;
  await made.commitsFlow(10 + ((round * 7) % 30), DEADLINE_MS, "commits before the kill");
  const leader = await cluster.leader();
  if (keep) await keepConnections(made.followers(leader));
  const { electionMs } = await leader.cluster();
  const killed = performance.now();
  await leader.kill();
  const done = meanwhile();
  done.catch(() => {});
  await waitFor(() => load.longestSilence(killed).ms > electionMs / 2, {
    deadlineMs: DEADLINE_MS,
    what: "commits to wait and go on after the kill",
  });
  const tookMs = Math.round(load.longestSilence(killed).endedMs - killed);
  await done;
  await leader.start();
  return tookMs;
}

/** Also those that were just started. */
async function keepConnections(nodes: readonly NodeProcess[]): Promise<void> {
  const isReady = async (node: NodeProcess): Promise<boolean> =>
    (await node.status()).syncer.kept.state === "ready";
  for (const node of nodes)
    await waitFor(() => isReady(node), {
      deadlineMs: DEADLINE_MS,
      what: `${node.name} to keep a connection`,
    });
}

async function timeToLogIn({ source }: MysqlCluster): Promise<number> {
  const began = performance.now();
  const shell = source.openShell();
  await shell.query("SELECT 1", DEADLINE_MS);
  const tookMs = Math.round(performance.now() - began);
  await shell.close();
  return tookMs;
}

/** Statements that hold what each login needs, one after another, in a session of their own. */
class Locking {
  readonly #made: MysqlCluster;
  #run: Promise<void> | null = null;
  #stopped = false;

  constructor(made: MysqlCluster) {
    this.#made = made;
  }

  start(statements: readonly string[]): void {
    this.#stopped = false;
    this.#run = this.#loop(statements);
    // Whoever stops it hears of it.
    this.#run.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#run;
  }

  async #loop(statements: readonly string[]): Promise<void> {
    const shell = this.#made.source.openShell();
    while (!this.#stopped) for (const sql of statements) await shell.query(sql, DEADLINE_MS);
    await shell.close();
  }
}
