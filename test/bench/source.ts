/** What every part of the bench needs: a source, rows in it, and how long a node takes to have them. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { MysqlServer } from "../../demo/mysql/server.ts";
import type { NodeProcess } from "../../demo/node-process.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { connect } from "../../src/mysql/client.ts";
import { createSourceUser, SOURCE_USER } from "../support/local-node.ts";
import { waitFor } from "../support/wait-for.ts";

const platform = nodePlatform();

export async function newSource(folder: string, serverId: number): Promise<MysqlServer> {
  const source = await MysqlServer.start({
    folder: path.join(folder, `mysql-${serverId}`),
    serverId,
    args: [
      "--sync-binlog=0",
      "--innodb-flush-log-at-trx-commit=0",
      "--max-binlog-size=1G",
      "--innodb-buffer-pool-size=512M",
      "--max-allowed-packet=64M",
    ],
  });
  await createSourceUser(source);
  await source.exec(
    "CREATE DATABASE bench; CREATE TABLE bench.t (id BIGINT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)",
  );
  return source;
}

/** Rows by a stored procedure, four sessions at once. */
export async function fill(
  source: MysqlServer,
  transactions: number,
  valueBytes: number,
): Promise<void> {
  const session = () =>
    connect(
      {
        host: "127.0.0.1",
        port: source.port,
        user: "root",
        password: "",
        tls: { mode: "disabled" },
        queryTimeoutMs: 3_600_000,
      },
      platform,
    );
  const first = await session();
  await first.execute("DROP PROCEDURE IF EXISTS bench.fill");
  await first.execute(
    `CREATE PROCEDURE bench.fill(n INT) BEGIN DECLARE i INT DEFAULT 0;
     WHILE i < n DO INSERT INTO bench.t (v) VALUES (REPEAT('x', ${valueBytes})); SET i = i + 1; END WHILE; END`,
  );
  const sessions = [first, await session(), await session(), await session()];
  await Promise.all(
    sessions.map((s) => s.execute(`CALL bench.fill(${Math.ceil(transactions / sessions.length)})`)),
  );
  for (const s of sessions) s.close();
}

/** The p50 of a small durable write into a file that was written before, as the log makes them. */
export async function durableWriteMs(root: string): Promise<number> {
  const disk = platform.disk(root);
  const made = await disk.open("probe", "create");
  await made.write(0, [new Uint8Array(2 * 1024 * 1024)]);
  await made.sync();
  await made.close();
  const file = await disk.open("probe", "durable");
  const times: number[] = [];
  for (let at = 0; at < 400 * 4096; at += 4096) {
    const began = performance.now();
    await file.write(at, [new Uint8Array(1024).fill(1)]);
    times.push(performance.now() - began);
  }
  await file.close();
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

/** Seconds from the first to the last byte pulled. */
export async function ingest(
  node: NodeProcess,
  source: MysqlServer,
): Promise<{ seconds: number; bytes: number }> {
  const wanted = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
  let began = 0;
  let bytes = 0;
  await waitFor(
    async () => {
      const status = await node.status();
      bytes = status.stream.visibleBytes;
      if (began === 0 && bytes > 1000) began = performance.now();
      return GtidSet.parse(status.stream.executed).containsSet(wanted);
    },
    // Each question costs the node a millisecond or two.
    { deadlineMs: 600_000, what: "the node to have all", pollMs: 100 },
  );
  return { seconds: (performance.now() - began) / 1000, bytes };
}

export const ratio = (ours: number, theirs: number): string => `${(ours / theirs).toFixed(2)} ×`;

/** The [source] section of a node of the bench; the password's file lies in `folder`. Without TLS. */
export async function benchToml(folder: string, source: MysqlServer): Promise<string> {
  const secret = path.join(folder, "source-password");
  await writeFile(secret, SOURCE_USER.password, { mode: 0o600 });
  return `[source]
url = "mysql://${SOURCE_USER.user}@127.0.0.1:${source.port}"
password_file = ${JSON.stringify(secret)}
tls = "disabled"
public_key_file = ${JSON.stringify(path.join(source.binlogDir, "public_key.pem"))}`;
}
