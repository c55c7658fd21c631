/**
 * A fourth node joins a cluster that holds much and works: how long it takes to catch up, and what that
 * costs the commits that go on. Then it becomes a voter, another goes, and one is replaced.
 */
import type { NodeProcess } from "../../demo/node-process.ts";
import { MysqlCluster } from "./mysql-cluster.ts";
import { waitFor } from "./wait-for.ts";

const FILL_SESSIONS = 4;
const PROBE_PAUSE_MS = 5;
const DEADLINE_MS = 1_800_000;

export interface JoinFigures {
  readonly logBytes: number;
  readonly caughtUpMs: number;
  /** Of a commit beside the catch-up. */
  readonly commitMsP50: number;
  readonly commitMsP99: number;
  readonly commitMsMax: number;
  readonly commits: number;
  /** Before and after: one term means that nobody was elected meanwhile. */
  readonly terms: readonly [number, number];
  readonly electionMs: number;
}

export async function joinUnderLoad(
  gib: number,
  say: (line: string) => void,
): Promise<JoinFigures> {
  const made = await MysqlCluster.start({ toml: "" });
  const { source, cluster } = made;
  try {
    const count = Math.ceil((gib * 1024) / FILL_SESSIONS);
    say(`Filling the source with ${count * FILL_SESSIONS} MiB`);
    await source.exec("SET GLOBAL max_allowed_packet = 67108864");
    await source.exec("CREATE TABLE shop.fill (id BIGINT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)");
    await source.exec("CREATE TABLE shop.probe (id BIGINT PRIMARY KEY AUTO_INCREMENT, v INT)");
    const fillers = Array.from({ length: FILL_SESSIONS }, () => source.openShell());
    const fill = async (shell: (typeof fillers)[number]): Promise<void> => {
      for (let i = 0; i < count; i++)
        await shell.query("INSERT INTO shop.fill (v) VALUES (REPEAT('x', 1048576))", DEADLINE_MS);
      await shell.close();
    };
    await Promise.all(fillers.map(fill));
    made.load.start();
    const leader = await cluster.leader();
    const before = (await leader.status()).raft.term;
    const logBytes = (await leader.status()).stream.visibleBytes;
    const latencies: number[] = [];
    const stop = { wanted: false };
    const probing = probe(made, latencies, stop);
    const began = performance.now();
    const fresh = await cluster.add("v4", "join");
    say(`v4 joins behind ${Math.round(logBytes / 1e6)} MB`);
    await cluster.start();
    await caughtUp(fresh, leader);
    const caughtUpMs = Math.round(performance.now() - began);
    say(`v4 has caught up after ${caughtUpMs} ms`);
    await act(leader, "POST", "/v1/members/v4/promote");
    const other = made.followers(leader)[0]!;
    await act(leader, "DELETE", `/v1/members/${other.name}`);
    const spare = await cluster.add("v5", "join");
    await cluster.start();
    await caughtUp(spare, leader);
    await act(leader, "POST", "/v1/members/v4/replace", { with: "v5" });
    stop.wanted = true;
    await probing;
    await made.load.stop();
    const after = (await leader.status()).raft.term;
    const sorted = latencies.sort((a, b) => a - b);
    const at = (p: number): number =>
      Math.round(sorted[Math.floor(((sorted.length - 1) * p) / 100)]! * 10) / 10;
    return {
      logBytes,
      caughtUpMs,
      commitMsP50: at(50),
      commitMsP99: at(99),
      commitMsMax: at(100),
      commits: sorted.length,
      terms: [before, after],
      electionMs: 1000,
    };
  } finally {
    await made.stop();
  }
}

async function probe(
  made: MysqlCluster,
  latencies: number[],
  stop: { wanted: boolean },
): Promise<void> {
  const shell = made.source.openShell();
  while (!stop.wanted) {
    const began = performance.now();
    await shell.query("INSERT INTO shop.probe (v) VALUES (1)", DEADLINE_MS);
    latencies.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, PROBE_PAUSE_MS));
  }
  await shell.close();
}

async function caughtUp(node: NodeProcess, leader: NodeProcess): Promise<void> {
  await waitFor(
    async () => {
      const [own, theirs] = [await node.status(), await leader.status()];
      return own.raft.applied > 0 && own.raft.applied + 200 > theirs.raft.commit;
    },
    { deadlineMs: DEADLINE_MS, what: `${node.name} to catch up`, pollMs: 100 },
  );
}

async function act(
  node: NodeProcess,
  method: string,
  route: string,
  body: unknown = {},
): Promise<void> {
  const response = await node.fetch(route, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok)
    throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`);
}
