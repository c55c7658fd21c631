/** A node with a large log, killed: how long until it serves again. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { NodeProcess } from "../../demo/node-process.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { connect } from "../../src/mysql/client.ts";
import { ACCOUNT, createSourceUser } from "./local-node.ts";
import { sourceToml } from "./source-toml.ts";
import { waitFor } from "./wait-for.ts";

export async function startAfterKill(
  bytes: number,
  say: (line: string) => void,
): Promise<{ logBytes: number; servingMs: number }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-start-"));
  const source = await MysqlServer.start({
    folder: path.join(folder, "source"),
    serverId: 1,
    args: ["--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0", "--max-allowed-packet=64M"],
  });
  let node: NodeProcess | null = null;
  try {
    await createSourceUser(source);
    await source.exec(
      "CREATE DATABASE b; CREATE TABLE b.t (id BIGINT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)",
    );
    const toml = await sourceToml(folder, source);
    node = await NodeProcess.create({ folder: path.join(folder, "node"), toml, account: ACCOUNT });
    await node.start();
    const client = await connect(
      {
        host: "127.0.0.1",
        port: source.port,
        user: "root",
        password: "",
        tls: { mode: "disabled" },
        queryTimeoutMs: 3_600_000,
      },
      nodePlatform(),
    );
    // Rows are thrown away again and again: only the log grows.
    await client.execute(
      `CREATE PROCEDURE b.fill(n INT) BEGIN DECLARE i INT DEFAULT 0;
       WHILE i < n DO INSERT INTO b.t (v) VALUES (REPEAT('x', 1000000)); SET i = i + 1; END WHILE; TRUNCATE b.t; END`,
    );
    const stored = async (): Promise<number> => (await node!.status()).stream.visibleBytes;
    while ((await stored()) < bytes) {
      await client.execute("CALL b.fill(500)");
      const have = await stored();
      await source.exec("FLUSH BINARY LOGS; PURGE BINARY LOGS BEFORE NOW() - INTERVAL 60 SECOND");
      say(`${(have / 1e9).toFixed(1)} GB of log`);
    }
    client.close();
    const logBytes = await stored();
    const pid = node.pid;
    await node.kill();
    await waitFor(() => node!.pid !== pid, { deadlineMs: 5_000, what: "the process to be gone" });
    const began = performance.now();
    await node.start();
    return { logBytes, servingMs: Math.round(performance.now() - began) };
  } finally {
    await node?.stop();
    await source.remove();
    await rm(folder, { recursive: true, force: true });
  }
}
