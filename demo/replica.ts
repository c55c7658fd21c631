/** A real MySQL as a replica: attaching it, waiting for it, comparing it with the source. */
import type { MysqlServer } from "./mysql/server.ts";

export interface ReplicateFrom {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Further clauses of CHANGE REPLICATION SOURCE TO, such as "SOURCE_SSL=0". */
  readonly clauses?: readonly string[];
}

/** Points a MySQL 8.0.23 or newer at a binlog server, by GTID unless the clauses say otherwise. */
export async function startReplica(replica: MysqlServer, from: ReplicateFrom): Promise<void> {
  const clauses = [
    `SOURCE_HOST='${from.host}'`,
    `SOURCE_PORT=${from.port}`,
    `SOURCE_USER='${from.user}'`,
    `SOURCE_PASSWORD='${from.password}'`,
    "SOURCE_CONNECT_RETRY=1",
    "SOURCE_RETRY_COUNT=0",
    ...(from.clauses ?? []),
  ];
  if (!clauses.some((clause) => clause.startsWith("SOURCE_LOG_FILE"))) {
    clauses.push("SOURCE_AUTO_POSITION=1");
  }
  await replica.exec(`CHANGE REPLICATION SOURCE TO ${clauses.join(", ")}; START REPLICA`);
}

export interface ReplicaState {
  readonly io: string;
  readonly sql: string;
  readonly error: string;
}

const STATUS_COLUMNS = { io: 10, sql: 11, ioError: 35, sqlError: 37 } as const;

export async function replicaState(replica: MysqlServer): Promise<ReplicaState> {
  const row = (await replica.query("SHOW REPLICA STATUS"))[0] ?? [];
  const { io, sql, ioError, sqlError } = STATUS_COLUMNS;
  const error = [row[ioError], row[sqlError]].filter((text) => text !== undefined && text !== "");
  return { io: row[io] ?? "", sql: row[sql] ?? "", error: error.join("; ") };
}

/** Resolves once the replica has executed all that the source has now; says what is missing if not. */
export async function waitForReplica(
  source: MysqlServer,
  replica: MysqlServer,
  deadlineMs: number,
): Promise<void> {
  const wanted = await source.value("SELECT @@GLOBAL.gtid_executed");
  const seconds = Math.ceil(deadlineMs / 1000);
  const sql = `SELECT WAIT_FOR_EXECUTED_GTID_SET('${wanted.replaceAll("\n", "")}', ${seconds})`;
  const answer = await replica.query(sql, deadlineMs + 10_000).then(
    (rows) => rows[0]?.[0] ?? "",
    (error: Error) => error.message,
  );
  if (answer === "0") return;
  const state = await replicaState(replica);
  const has = await replica.value("SELECT @@GLOBAL.gtid_executed");
  throw new Error(
    `Replica ${replica.port} did not catch up in ${seconds} s: it has "${has}", the source "${wanted}"; ` +
      `IO ${state.io}, SQL ${state.sql}, ${state.error || answer}`,
  );
}

/** The tables of all databases that are not the server's own. */
export async function userTables(server: MysqlServer): Promise<string[]> {
  const rows = await server.query(
    "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables " +
      "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN " +
      "('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 1",
  );
  return rows.map((row) => row[0]!);
}

/** One text that two servers have in common exactly if their user tables hold the same. */
export async function checksums(server: MysqlServer): Promise<string> {
  const lines: string[] = [];
  for (const table of await userTables(server)) {
    const [row] = await server.query(`CHECKSUM TABLE ${table}`);
    lines.push(`${table} ${row?.[1]}`);
  }
  return lines.join("\n");
}
