/**
 * Known clients follow a node, under one workload, and end with rows equal to the source's. What they
 * need comes from npm and from Debian into the cache when this runs; what neither has is named as skipped.
 * docs/14-clients.md says which of them was seen to work how.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { cacheRoot } from "../../demo/mysql/install.ts";
import { MysqlServer } from "../../demo/mysql/server.ts";
import type { MysqlShell } from "../../demo/mysql/shell.ts";
import { differenceOf, rawFiles } from "../../demo/mysqlbinlog.ts";
import { startReplica } from "../../demo/replica.ts";
import { everyday, SCHEMA } from "../../demo/workload.ts";
import { connectorJ } from "./connector-j.ts";
import { LocalNode, SOURCE_USER, sourceSettings, testAccounts } from "./local-node.ts";
import { mariadb } from "./mariadb.ts";
import { waitFor } from "./wait-for.ts";
import type { FollowerJob } from "./zongji-follower.ts";

const run = promisify(execFile);
const FOLLOWS_MS = 30_000;
const ROUNDS = 300;
const TABLES = {
  orders: ["id", "region", "amount", "note"],
  typed: ["id", "big", "tiny", "real8", "state", "word", "extra"],
} as const;

/** Fixed, so that a run tells of what the page tells of. */
const NPM = {
  "@powersync/mysql-zongji": "0.6.2",
  "@vlasky/zongji": "0.9.0",
  "@rodrigogs/zongji": "0.4.14",
  mariadb: "3.5.4",
} as const;
const ZONGJIS = ["@powersync/mysql-zongji", "@vlasky/zongji", "@rodrigogs/zongji"] as const;

const NOT_TO_BE_HAD: Readonly<Record<string, string>> = {
  "mysql-binlog-connector-java (Debezium, Maxwell, Flink CDC)": "neither npm nor Debian has it",
  "go-mysql (syncer, canal; gh-ost, ClickPipes)": "neither npm nor Debian has it",
  "canal (Alibaba)": "neither npm nor Debian has it",
  "python-mysql-replication": "neither npm nor Debian has it",
  Orchestrator: "neither npm nor Debian has it",
  ProxySQL: "neither npm nor Debian has it",
};

export interface ClientReport {
  readonly client: string;
  /** "equal: …", "skipped: …" or "failed: …". */
  readonly outcome: string;
}

/** Client → whether it ended with what the source has. Rejects when one did not. */
export async function clientRounds(
  say: (line: string) => void,
  only: readonly string[] | null = null,
): Promise<readonly ClientReport[]> {
  const modules = await npmClients();
  const source = await MysqlServer.start({
    serverId: 1,
    // Older clients, and MariaDB, do not know the collation that 9.7 has by itself.
    args: ["--collation-server=utf8mb4_general_ci"],
  });
  const accounts = new Map(
    [...testAccounts()].map(([name, account]) => [name, { ...account, metadata: true }]),
  );
  const reports: ClientReport[] = [];
  const servers: MysqlServer[] = [source];
  let node: LocalNode | null = null;
  try {
    const shell = await prepared(source);
    node = await LocalNode.start({ source: sourceSettings(source), settings: { accounts } });
    await node.caughtUp(source);
    const started = { node, source, servers, modules };
    const running: [client: string, ends: () => Promise<string>][] = [];
    for (const [client, start] of Object.entries(CLIENTS)) {
      if (only !== null && !only.includes(client)) continue;
      say(`starting ${client}`);
      const outcome = await start(started).catch((error: Error) => `failed: ${error.message}`);
      if (typeof outcome === "string") reports.push({ client, outcome });
      else running.push([client, outcome]);
    }
    await workload(shell, source);
    await node.caughtUp(source);
    for (const [client, ends] of running) {
      const outcome = await ends().catch((error: Error) => `failed: ${error.message}`);
      reports.push({ client, outcome });
      say(`${client}: ${outcome}`);
    }
  } finally {
    await node?.stop();
    for (const server of servers) await server.remove();
  }
  for (const [client, why] of Object.entries(NOT_TO_BE_HAD))
    reports.push({ client, outcome: `skipped: ${why}` });
  const failed = reports.filter(({ outcome }) => outcome.startsWith("failed"));
  if (failed.length > 0) throw new Error(JSON.stringify(reports, null, 1));
  return reports;
}

/** A session that writes what all of them understand. */
async function prepared(source: MysqlServer): Promise<MysqlShell> {
  const shell = source.openShell();
  const { user, password } = SOURCE_USER;
  await shell.query(
    `SET NAMES utf8mb4 COLLATE utf8mb4_general_ci;
     SET sql_log_bin = 0;
     CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';
     GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO '${user}'@'%';
     SET sql_log_bin = 1;
     ${SCHEMA};
     CREATE TABLE shop.typed (id INT PRIMARY KEY, big BIGINT UNSIGNED, tiny TINYINT, real8 DOUBLE,
       state ENUM('new', 'paid', 'ünpaid'), word VARCHAR(40))`,
  );
  return shell;
}

async function workload(shell: MysqlShell, source: MysqlServer): Promise<void> {
  for (let n = 1; n <= ROUNDS; n++) {
    await shell.query(everyday(n));
    await shell.query(
      `INSERT INTO shop.typed (id, big, tiny, real8, state, word)
         VALUES (${n}, ${n} * 1000000007, ${(n % 255) - 127}, ${n} / 8, ${1 + (n % 3)}, 'wörd 😀 ${n}');
       UPDATE shop.typed SET word = CONCAT(word, '!'), state = NULL WHERE id = ${n >> 1};
       DELETE FROM shop.typed WHERE id = ${n - 40}`,
    );
    if (n === ROUNDS / 3) await shell.query("ALTER TABLE shop.typed ADD COLUMN extra INT");
    if (n > ROUNDS / 3) await shell.query(`UPDATE shop.typed SET extra = ${n} WHERE id = ${n}`);
    if (n % 100 === 0) await source.exec("FLUSH BINARY LOGS");
  }
  await shell.query("INSERT INTO shop.orders (region) VALUES ('end')");
}

interface Started {
  readonly node: LocalNode;
  readonly source: MysqlServer;
  /** Removed in the end. */
  readonly servers: MysqlServer[];
  readonly modules: string;
}

/** Starts it; then tells how it ended, once all is written. A text: it was not started. */
type Start = (started: Started) => Promise<string | (() => Promise<string>)>;

const CLIENTS: Readonly<Record<string, Start>> = {
  ...Object.fromEntries(ZONGJIS.map((name, at) => [name, zongji(name, 5_100 + at)])),
  "MariaDB 10.11 as a replica, by file": async ({ node, source, servers }) => {
    const replica = await MysqlServer.start({ serverId: 21, flavour: await mariadb() });
    servers.push(replica);
    const { host, port, user, password } = node.endpoint;
    await replica.exec(
      `CHANGE MASTER TO MASTER_HOST = '${host}', MASTER_PORT = ${port}, MASTER_USER = '${user}',
         MASTER_PASSWORD = '${password}', MASTER_LOG_FILE = 'binlog.000001', MASTER_LOG_POS = 4,
         MASTER_USE_GTID = no;
       START SLAVE`,
    );
    return () => hasRows(replica, source);
  },
  "MySQL 9.7 as a replica": async ({ node, source, servers }) => {
    const replica = await MysqlServer.start({ serverId: 22 });
    servers.push(replica);
    await startReplica(replica, node.endpoint);
    return () => hasRows(replica, source);
  },
  "mysqlbinlog --raw":
    async ({ node, source }) =>
    async () => {
      const names = node.node.files().map(({ name }) => name);
      const theirs = await rawFiles(
        { host: source.host, port: source.port, ...SOURCE_USER },
        names,
      );
      const different = differenceOf(await rawFiles(node.endpoint, names), theirs);
      return different === null ? `equal: ${names.length} files` : `failed: ${different}`;
    },
  "mariadb (npm), SQL":
    async ({ node, source, modules }) =>
    async () => {
      const main = path.join(modules, "node_modules/mariadb/promise.js");
      const { default: connector } = await import(main);
      const ask = async (server: object): Promise<string> => {
        const connection = await connector.createConnection(server);
        try {
          const rows = [];
          for (const sql of METADATA) rows.push(await connection.query({ sql, rowsAsArray: true }));
          return JSON.stringify(rows, (_key, value) =>
            typeof value === "bigint" ? String(value) : value,
          );
        } finally {
          await connection.end();
        }
      };
      const theirs = {
        host: source.host,
        port: source.port,
        ...SOURCE_USER,
        allowPublicKeyRetrieval: true,
      };
      const [real, answer] = [await ask(theirs), await ask(node.endpoint)];
      return real === answer ? `equal: ${METADATA.length} answers` : `failed: ${real} | ${answer}`;
    },
  "MariaDB Connector/J 2.7, SQL": ({ node, source }) =>
    connectorJ(METADATA, { host: source.host, port: source.port, ...SOURCE_USER }, node.endpoint),
};

const METADATA: readonly string[] = [
  "SELECT @@global.binlog_format, @@global.binlog_row_image, @@global.binlog_row_metadata",
  "SHOW FULL TABLES FROM shop",
  "SHOW CREATE TABLE shop.typed",
  "SHOW FULL COLUMNS FROM shop.orders",
  "SHOW INDEX FROM shop.traced",
  "SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' " +
    "ORDER BY TABLE_NAME, ORDINAL_POSITION",
];

/** Its statements and its stream go to the node. */
function zongji(name: (typeof ZONGJIS)[number], serverId: number): Start {
  return async ({ node, source, modules }) => {
    const folder = path.join(modules, "node_modules", name);
    const { main } = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
    const job: FollowerJob = {
      main: path.join(folder, main ?? "index.js"),
      server: node.endpoint,
      file: "binlog.000001",
      position: 4,
      serverId,
      tables: TABLES,
    };
    const script = path.join(import.meta.dirname, "zongji-follower.ts");
    const child = spawn(process.execPath, [script, JSON.stringify(job)]);
    let said = "";
    let wrong = "";
    let isOver = false;
    child.stdout.on("data", (part) => {
      said += part;
    });
    child.stderr.on("data", (part) => {
      wrong = `${wrong}${part}`.slice(-2_000);
    });
    child.once("close", () => {
      isOver = true;
    });
    const over = (condition: () => boolean, what: string): Promise<unknown> =>
      waitFor(() => isOver || condition(), { deadlineMs: FOLLOWS_MS, what });
    try {
      await over(() => said.includes("ready\n"), `${name} to be ready`);
      if (isOver) return `failed: ${wrong}`;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
    return async () => {
      try {
        await over(() => false, `${name} to end`);
      } finally {
        child.kill("SIGKILL");
      }
      const line = said.split("\n").find((text) => text.startsWith("["));
      if (line === undefined) return `failed: ${wrong}`;
      const theirs = new Map(JSON.parse(line) as [string, unknown[][]][]);
      let count = 0;
      for (const table of Object.keys(TABLES) as (keyof typeof TABLES)[]) {
        const wanted = (await rowsOf(source, table)).map(plain).sort();
        const got = (theirs.get(table) ?? []).map(plain).sort();
        const at = wanted.findIndex((row, i) => row !== got[i]);
        if (at >= 0 || wanted.length !== got.length)
          return `failed: ${table} has ${got.length} rows of ${wanted.length}; ${got[at]} for ${wanted[at]}`;
        count += wanted.length;
      }
      return `equal: ${count} rows`;
    };
  };
}

function rowsOf(server: MysqlServer, table: keyof typeof TABLES): Promise<string[][]> {
  return server.query(`SELECT ${TABLES[table].join()} FROM shop.${table} ORDER BY id`);
}

/** Numbers as numbers, whichever text they have. */
function plain(row: readonly unknown[]): string {
  return JSON.stringify(
    row.map((value) => {
      if (value === null || value === "NULL") return null;
      const text = String(value);
      return /^-?[0-9.]+$/.test(text) ? Number(text) : text;
    }),
  );
}

async function hasRows(replica: MysqlServer, source: MysqlServer): Promise<string> {
  let count = 0;
  for (const table of Object.keys(TABLES) as (keyof typeof TABLES)[]) {
    const wanted = JSON.stringify(await rowsOf(source, table));
    await waitFor(async () => JSON.stringify(await rowsOf(replica, table)) === wanted, {
      deadlineMs: FOLLOWS_MS,
      pollMs: 200,
      what: `${table} to be equal: ${JSON.stringify(await replica.query("SHOW SLAVE STATUS").catch(() => ""))}`,
    });
    count += JSON.parse(wanted).length;
  }
  return `equal: ${count} rows`;
}

async function npmClients(): Promise<string> {
  const dir = path.join(cacheRoot(), "clients");
  const wanted = JSON.stringify({ private: true, dependencies: NPM });
  const file = path.join(dir, "package.json");
  const marker = path.join(dir, "installed");
  const has = existsSync(marker) && (await readFile(marker, "utf8")) === wanted;
  if (has) return dir;
  await mkdir(dir, { recursive: true });
  await writeFile(file, wanted);
  await run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: dir });
  await writeFile(marker, wanted);
  return dir;
}
