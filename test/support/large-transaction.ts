/**
 * One transaction of many GiB passes while replicas are attached: constant memory, heartbeats flow,
 * the next small commit is acknowledged at once, the replica ends equal.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { NodeProcess } from "../../demo/node-process.ts";
import { checksums, startReplica, waitForReplica } from "../../demo/replica.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { cpuMs, peakRssMiB } from "../bench/measure.ts";
import { ACCOUNT, createSourceUser } from "./local-node.ts";
import { sourceToml } from "./source-toml.ts";
import { waitFor } from "./wait-for.ts";

export interface LargeReport {
  readonly transactionBytes: number;
  readonly nodePeakRssMiB: number;
  readonly commitSeconds: number;
  readonly nextCommitMs: number;
  readonly nodeCpuSeconds: number;
}

/** Null and a reason when there is not enough space. */
export async function freeSpaceFor(bytes: number): Promise<string | null> {
  const { bavail, bsize } = await statfs(os.tmpdir());
  const free = bavail * bsize;
  return free >= bytes
    ? null
    : `needs ${Math.ceil(bytes / 1e9)} GB free, there are ${Math.floor(free / 1e9)}`;
}

export async function largeTransaction(
  rows: number,
  rowBytes: number,
  say: (line: string) => void,
): Promise<LargeReport> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-large-"));
  const servers: MysqlServer[] = [];
  let node: NodeProcess | null = null;
  const args = [
    "--max-allowed-packet=1G",
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=0",
    "--max-binlog-cache-size=18446744073709547520",
    "--innodb-buffer-pool-size=256M",
  ];
  try {
    const source = await MysqlServer.start({
      folder: path.join(folder, "source"),
      serverId: 1,
      args,
    });
    servers.push(source);
    await createSourceUser(source);
    await source.exec(SCHEMA);
    await source.waitForAcks();
    const toml = await sourceToml(folder, source);
    node = await NodeProcess.create({ folder: path.join(folder, "node"), toml, account: ACCOUNT });
    await node.start();
    const replica = await MysqlServer.start({
      folder: path.join(folder, "replica"),
      serverId: 2,
      args: [...args, "--skip-log-bin"],
    });
    servers.push(replica);
    const from = { host: "127.0.0.1", port: node.mysqlPort, ...ACCOUNT };
    await startReplica(replica, {
      ...from,
      clauses: ["SOURCE_HEARTBEAT_PERIOD=1", "SOURCE_SSL=0"],
    });
    await waitForReplica(source, replica, 60_000);
    await source.exec(
      "CREATE TABLE shop.large (id BIGINT PRIMARY KEY AUTO_INCREMENT, data LONGBLOB)",
    );
    say(`A transaction of ${rows} rows of ${rowBytes} bytes`);
    const before = (await node.status()).stream.visibleBytes;
    const shell = source.openShell();
    await shell.query("BEGIN");
    for (let i = 0; i < rows; i++) {
      await shell.query(
        `INSERT INTO shop.large (data) VALUES (REPEAT('${i % 10}', ${rowBytes}))`,
        600_000,
      );
    }
    const began = performance.now();
    await shell.query("COMMIT", 3_600_000);
    const commitSeconds = (performance.now() - began) / 1000;
    const small = performance.now();
    await shell.query("INSERT INTO shop.orders (region) VALUES ('next')", 60_000);
    const nextCommitMs = performance.now() - small;
    say(
      `Committed after ${Math.round(commitSeconds)} s, node at ${Math.round(peakRssMiB(node.pid))} MiB`,
    );
    const bytes = (await node.status()).stream.visibleBytes - before;
    await waitFor(async () => (await replica.query("SHOW REPLICA STATUS"))[0]![10] === "Yes", {
      deadlineMs: 30_000,
      what: "the receiver to run",
    });
    const uuid = await replica.value("SELECT @@server_uuid");
    const caughtUp = async (): Promise<boolean> => {
      const response = await node!.fetch("/v1/replicas");
      const { items } = (await response.json()) as { items: { uuid: string; lagBytes: number }[] };
      return items.find((item) => item.uuid === uuid)?.lagBytes === 0;
    };
    await waitFor(caughtUp, { deadlineMs: 3_600_000, what: "all bytes to be sent", pollMs: 100 });
    say(`Sent to the replica ${Math.round((performance.now() - small) / 1000)} s after the commit`);
    await waitForReplica(source, replica, 3_600_000);
    assert.equal(await checksums(replica), await checksums(source));
    const report = {
      transactionBytes: bytes,
      nodePeakRssMiB: Math.round(peakRssMiB(node.pid)),
      commitSeconds: Math.round(commitSeconds * 10) / 10,
      nextCommitMs: Math.round(nextCommitMs),
      nodeCpuSeconds: Math.round(cpuMs(node.pid) / 100) / 10,
    };
    await shell.close();
    return report;
  } finally {
    await node?.stop();
    for (const server of servers) await server.remove();
    await rm(folder, { recursive: true, force: true });
  }
}
