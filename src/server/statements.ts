/**
 * The SQL surface: what replicas, mysqlbinlog, mysql, mysqladmin and change-data-capture clients
 * send besides the dump, answered from one table. There is no SQL engine behind it, nothing is
 * evaluated that is not listed, and nothing here changes a file or another account's connection.
 * An unknown statement is error 1064 and the connection lives.
 */
import type { Logger } from "../base/logger.ts";
import { MysqlError, missingPrivilege } from "../mysql/errors.ts";
import type { Column } from "../mysql/result-set.ts";
import type { Platform } from "../platform/platform.ts";
import type { FileFormats } from "./file-formats.ts";
import { runSelect, type SelectResult } from "./select.ts";
import { runSet } from "./set.ts";
import { runShow } from "./show.ts";
import { SqlCursor } from "./sql.ts";
import type { BinlogStream } from "./stream.ts";
import { describeTable, type SourceTables } from "./tables.ts";
import type { UserVariables } from "./user-variables.ts";
import type { Value } from "./value.ts";
import type { VariableContext } from "./variables.ts";
import type { Work } from "./work.ts";

/** A row of SHOW PROCESSLIST. */
export interface ProcessInfo {
  readonly id: number;
  readonly user: string;
  readonly address: string;
  readonly database: string;
  readonly command: string;
  readonly seconds: number;
  readonly state: string;
  readonly info: string | null;
}

/** A row of SHOW REPLICAS. */
export interface RegisteredReplica {
  readonly serverId: number;
  readonly uuid: string;
  readonly host: string;
  readonly port: number;
}

/** What statements see of the server and of their own session. */
export interface StatementContext {
  readonly platform: Pick<Platform, "clock" | "random">;
  readonly logger: Logger;
  readonly stream: BinlogStream;
  readonly formats: FileFormats;
  readonly version: string;
  readonly serverId: number;
  readonly connectionId: number;
  readonly account: string;
  readonly host: string;
  readonly database: string;
  readonly user: UserVariables;
  /** What this statement has cost so far. */
  readonly work: Work;
  /** For the `?` of a prepared statement; null in a plain query, which has none. */
  readonly parameters: readonly Value[] | null;
  /** Only the columns are asked for: nothing may wait, or change anything. */
  readonly describing: boolean;
  /** Null when there is no source to ask, or the account is not allowed to. */
  readonly tables: SourceTables | null;
  useDatabase(name: string): void;
  variables(): Promise<VariableContext>;
  /** Of SHOW STATUS: name and value. */
  status(): Iterable<readonly [name: string, value: string]>;
  processes(): readonly ProcessInfo[];
  registered(): readonly RegisteredReplica[];
  /** Column → value of the syncer's state, or null to show no row. */
  replicaStatus(): ReadonlyMap<string, string> | null;
  /** Closes a connection of the same account; throws 1094 for any other. */
  kill(connectionId: number): void;
  /** Resolves true once `condition` holds, false when the time is over or the client is gone. */
  waitUntil(condition: () => boolean, ms: number): Promise<boolean>;
}

/** Null: the answer is OK. */
export type StatementResult = SelectResult | null;

type Handler = (
  cursor: SqlCursor,
  context: StatementContext,
) => StatementResult | Promise<StatementResult>;

const TABLE: readonly (readonly [words: readonly string[], handler: Handler])[] = [
  [["SELECT"], runSelect],
  [["SHOW"], runShow],
  [["SET"], runSet],
  [["USE"], use],
  [["KILL"], kill],
  [["BEGIN"], nothing],
  [["START", "TRANSACTION"], nothing],
  [["COMMIT"], nothing],
  [["ROLLBACK"], nothing],
  // Nobody has locked any.
  [["UNLOCK", "TABLES"], end],
  [["UNLOCK", "TABLE"], end],
  [["DESC"], describeTable],
  [["DESCRIBE"], describeTable],
  [["PURGE"], refusal(missingPrivilege("SUPER or BINLOG_ADMIN"))],
  [["FLUSH"], refusal(missingPrivilege("RELOAD"))],
  [["RESET"], refusal(missingPrivilege("RELOAD"))],
];

/** What can be run to see its columns: nothing of it has an effect while `describing`. */
const DESCRIBED: ReadonlySet<Handler> = new Set<Handler>([
  runSelect,
  runShow,
  runSet,
  describeTable,
]);
/** Statements that a server does not take in the prepared protocol, by their first words. */
const NOT_PREPARED: ReadonlySet<string> = new Set(["USE", "BEGIN", "START", "ROLLBACK", "UNLOCK"]);

/** Throws the MysqlError that answers it. */
export async function runStatement(
  sql: string,
  context: StatementContext,
): Promise<StatementResult> {
  const cursor = new SqlCursor(sql);
  cursor.allowsParameters = context.parameters !== null;
  if (cursor.isEmpty) return emptyQuery();
  return handlerOf(cursor)(cursor, context);
}

/** What a statement is called by is taken. */
function handlerOf(cursor: SqlCursor): Handler {
  for (const [words, handler] of TABLE) {
    if (cursor.accept(...words)) return handler;
  }
  return cursor.fail();
}

/** How a prepared statement looks: `context` must be a describing one. Throws as `runStatement`. */
export async function describeStatement(
  sql: string,
  context: StatementContext,
): Promise<{ readonly columns: readonly Column[]; readonly parameters: number }> {
  const cursor = new SqlCursor(sql);
  cursor.allowsParameters = true;
  if (cursor.isEmpty) throw new MysqlError(1065, "42000", "Query was empty");
  if (NOT_PREPARED.has(cursor.word())) {
    throw new MysqlError(
      1295,
      "HY000",
      "This command is not supported in the prepared statement protocol yet",
    );
  }
  const handler = handlerOf(cursor);
  // Others have no result, and do something.
  if (!DESCRIBED.has(handler)) return { columns: [], parameters: 0 };
  const result = await handler(cursor, context);
  return { columns: result?.columns ?? [], parameters: cursor.parameters };
}

/** Comments alone: nothing to do, as a server answers a client's `/* ping *\/`. */
function emptyQuery(): StatementResult {
  return null;
}

function use(cursor: SqlCursor, context: StatementContext): null {
  const name = cursor.name();
  cursor.expectEnd();
  context.useDatabase(name);
  return null;
}

function kill(cursor: SqlCursor, context: StatementContext): null {
  if (!cursor.accept("CONNECTION")) cursor.accept("QUERY");
  const id = cursor.integer();
  cursor.expectEnd();
  context.kill(id);
  return null;
}

function end(cursor: SqlCursor): null {
  cursor.expectEnd();
  return null;
}

/** Transaction control of clients that do it by habit. */
function nothing(cursor: SqlCursor): null {
  while (!cursor.atEnd) cursor.take();
  return null;
}

function refusal(error: MysqlError): Handler {
  return () => {
    throw error;
  };
}
