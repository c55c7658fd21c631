/**
 * SIGKILL of the node under load, again and again, with semi-sync on: no commit that the source
 * saw acknowledged may be missing, no waiting commit may be released before it is durable here, and
 * replicas come back by themselves and end equal. Run by the e2e test (a few rounds) and by soak.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Load } from "../../demo/load.ts";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { NodeProcess } from "../../demo/node-process.ts";
import { checksums, startReplica, waitForReplica } from "../../demo/replica.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { ACCOUNT, createSourceUser } from "./local-node.ts";
import { sourceToml } from "./source-toml.ts";
import { waitFor } from "./wait-for.ts";

export interface KillReport {
  readonly rounds: number;
  readonly commits: number;
  readonly acknowledged: number;
  readonly slowestRecoveryMs: number;
}

export async function killRounds(rounds: number, say: (line: string) => void): Promise<KillReport> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-kill-"));
  const servers: MysqlServer[] = [];
  let node: NodeProcess | null = null;
  let load: Load | null = null;
  try {
    const source = await MysqlServer.start({ serverId: 1 });
    servers.push(source);
    await createSourceUser(source);
    await source.exec(SCHEMA);
    await source.waitForAcks();
    const toml = `${await sourceToml(folder, source)}[storage]
segment_bytes = "16MiB"`;
    node = await NodeProcess.create({ folder: path.join(folder, "node"), toml, account: ACCOUNT });
    await node.start();
    const replicas: MysqlServer[] = [];
    for (const serverId of [2, 3]) {
      const replica = await MysqlServer.start({ serverId });
      servers.push(replica);
      replicas.push(replica);
      await startReplica(replica, { host: "127.0.0.1", port: node.mysqlPort, ...ACCOUNT });
    }
    load = new Load(source);
    load.start();
    let slowest = 0;
    for (let round = 1; round <= rounds; round++) {
      const before = load.committed;
      await waitFor(() => load!.committed >= before + 5 + ((round * 7) % 60), {
        deadlineMs: 60_000,
        what: "commits",
        pollMs: 1,
      });
      const began = performance.now();
      await node.kill();
      const acknowledged = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
      await node.start();
      // What the source had released when the node was dead must be on its disk.
      const stored = GtidSet.parse((await node.status()).stream.executed);
      const lost = acknowledged.subtract(stored);
      assert.ok(lost.isEmpty, `round ${round}: acknowledged and lost: ${lost}`);
      const after = load.committed;
      await waitFor(() => load!.committed > after, {
        deadlineMs: 60_000,
        what: `commits to go on after kill ${round}`,
      });
      slowest = Math.max(slowest, performance.now() - began);
      if (round % 20 === 0) say(`${round} kills, ${load.committed} commits`);
    }
    await load.stop();
    for (const replica of replicas) {
      await waitForReplica(source, replica, 60_000).catch(async (error: Error) => {
        const errors = (await replica.errorLog())
          .split("\n")
          .filter((line) => line.includes("ERROR"));
        throw new Error(`${error.message}: ${errors.slice(0, 3).join("; ")}`);
      });
    }
    const wanted = await checksums(source);
    for (const replica of replicas) assert.equal(await checksums(replica), wanted);
    const [row] = await source.query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_no_tx'");
    assert.equal(row![1], "0", "a commit went on without an ACK");
    assert.equal(load.failure, null);
    const { committed: commits, acknowledged } = load;
    return {
      rounds,
      commits,
      acknowledged: acknowledged.size,
      slowestRecoveryMs: Math.round(slowest),
    };
  } finally {
    // The load waits for an ACK that a dead node cannot give: its server goes first.
    await node?.stop();
    for (const server of servers) await server.remove();
    await load?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
