/**
 * Statements about tables. There are none here: an account that is allowed table metadata is told what
 * the source says (table-questions.ts), any other gets the answer of a server that lacks the table:
 * 1146, or 1046 where no database is chosen, and empty lists.
 */
import { printable } from "../base/logger.ts";
import { databaseDenied, MysqlError, noDatabaseSelected } from "../mysql/errors.ts";
import {
  type Column,
  type Row,
  TYPE_DATETIME,
  TYPE_DOUBLE,
  TYPE_LONG,
  TYPE_LONGLONG,
  textColumn,
} from "../mysql/result-set.ts";
import type { SqlCursor } from "./sql.ts";
import type { StatementContext } from "./statements.ts";
import {
  type Asked,
  isInformationSchema,
  isReadable,
  plainName,
  quoted,
  quotedTable,
  showFilter,
  type TableName,
  tableSelect,
} from "./table-questions.ts";

/** What the source says of its tables; rejects with the MysqlError that answers the client. */
export interface SourceTables {
  read(sql: string): Promise<TableAnswer>;
}

export interface TableAnswer {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

/** Their tables say how the server is run, and by whom. */
const OF_THE_SERVER: ReadonlySet<string> = new Set(["mysql", "performance_schema", "sys"]);

/** A name, with its database or without. */
export function tableName(cursor: SqlCursor): { database: string | null; table: string } {
  const first = cursor.name();
  if (!cursor.acceptSymbol(".")) return { database: null, table: first };
  return { database: first, table: cursor.name() };
}

/** The name of a table comes next. */
export function missingTable(cursor: SqlCursor, context: StatementContext): never {
  const { database, table } = tableName(cursor);
  throw noSuchTable(database, table, context);
}

export function noSuchTable(
  database: string | null,
  table: string,
  context: StatementContext,
): MysqlError {
  const chosen = database ?? context.database;
  if (chosen === "") return noDatabaseSelected();
  return new MysqlError(
    1146,
    "42S02",
    `Table '${printable(chosen, 64)}.${printable(table, 64)}' doesn't exist`,
  );
}

/** DESC t [column or pattern]. */
export async function describeTable(
  cursor: SqlCursor,
  context: StatementContext,
): Promise<TableAnswer> {
  if (context.tables === null) return missingTable(cursor, context);
  const table = readableName(cursor, context);
  let filter = "";
  if (!cursor.atEnd) {
    const isPattern = cursor.peek()?.kind === "string";
    filter = isPattern ? ` ${showPattern(cursor.string())}` : ` ${quoted(plainName(cursor))}`;
  }
  cursor.expectEnd();
  return ask(context, `DESCRIBE ${quotedTable(table)}${filter}`);
}

function showPattern(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

/** SHOW CREATE TABLE t, SHOW CREATE VIEW t. */
export function showCreate(kind: "TABLE" | "VIEW") {
  return async (cursor: SqlCursor, context: StatementContext): Promise<TableAnswer> => {
    if (context.tables === null) return missingTable(cursor, context);
    const table = readableName(cursor, context);
    cursor.expectEnd();
    return ask(context, `SHOW CREATE ${kind} ${quotedTable(table)}`);
  };
}

/** SHOW CREATE DATABASE d. */
export async function showCreateDatabase(
  cursor: SqlCursor,
  context: StatementContext,
): Promise<TableAnswer> {
  const ifNotExists = cursor.accept("IF", "NOT", "EXISTS") ? "IF NOT EXISTS " : "";
  const database = plainName(cursor);
  cursor.expectEnd();
  if (context.tables === null) {
    throw new MysqlError(1049, "42000", `Unknown database '${printable(database, 64)}'`);
  }
  mustBeOfUsers(database, context);
  return ask(context, `SHOW CREATE DATABASE ${ifNotExists}${quoted(database)}`);
}

/** SHOW [FULL] COLUMNS and SHOW INDEX: FROM t [FROM d] or FROM d.t, then what they like. */
export function showOfTable(kind: "COLUMNS" | "FULL COLUMNS" | "INDEX") {
  return async (cursor: SqlCursor, context: StatementContext): Promise<TableAnswer> => {
    if (!cursor.acceptAny(["FROM", "IN"])) cursor.fail();
    const { database, table } = tableName(cursor);
    const named = cursor.acceptAny(["FROM", "IN"]) ? cursor.name() : database;
    if (context.tables === null) throw noSuchTable(named, table, context);
    const from = chosenTable(named, table, context);
    const filter = showFilter(asked(cursor, context));
    return ask(context, `SHOW ${kind} FROM ${quotedTable(from)}${filter}`);
  };
}

/** SHOW [FULL] TABLES and SHOW TABLE STATUS: [FROM d], then what they like. */
export function showTables(
  kind: "TABLES" | "FULL TABLES" | "TABLE STATUS",
  without: (cursor: SqlCursor) => TableAnswer,
) {
  return async (cursor: SqlCursor, context: StatementContext): Promise<TableAnswer> => {
    if (context.tables === null) return without(cursor);
    const database = cursor.acceptAny(["FROM", "IN"]) ? plainName(cursor) : context.database;
    if (database === "") throw noDatabaseSelected();
    mustBeOfUsers(database, context);
    const filter = showFilter(asked(cursor, context));
    return ask(context, `SHOW ${kind} FROM ${quoted(database)}${filter}`);
  };
}

/** SHOW DATABASES, then what they like. */
export function showDatabases(without: (cursor: SqlCursor) => TableAnswer) {
  return async (cursor: SqlCursor, context: StatementContext): Promise<TableAnswer> => {
    if (context.tables === null) return without(cursor);
    return ask(context, `SHOW DATABASES${showFilter(asked(cursor, context))}`);
  };
}

/** The word SELECT was taken. Null when it is not of a table, or the account may not read any. */
export async function selectOfTable(
  cursor: SqlCursor,
  context: StatementContext,
): Promise<TableAnswer | null> {
  if (context.tables === null) return null;
  const ahead = cursor.fork();
  if (!ahead.skipTo("FROM") || ahead.word() === "DUAL") return null;
  const { database, table } = tableName(ahead);
  const chosen = { database: database ?? context.database, table };
  if (chosen.database === "") throw noDatabaseSelected();
  if (!isInformationSchema(chosen.database)) throw mayNotSelect(chosen, context);
  // As before: a server without that table.
  if (!isReadable(chosen)) throw noSuchTable(chosen.database, table, context);
  const { sql, from, names } = understood(cursor, context);
  // The same table, or it was not the one that was looked at.
  if (!isReadable(from)) throw mayNotSelect(from, context);
  if (context.describing && names !== null)
    return { columns: names.map((name) => textColumn(name)), rows: [] };
  const isPrepared = context.parameters !== null;
  return isPrepared && names !== null ? inBinary(await read(context, sql)) : ask(context, sql);
}

/** A column of any other type goes as text, which is how its value is here. */
const BINARY_TYPES: ReadonlySet<number> = new Set([
  TYPE_LONG,
  TYPE_LONGLONG,
  TYPE_DOUBLE,
  TYPE_DATETIME,
]);

function inBinary({ columns, rows }: TableAnswer): TableAnswer {
  const sent = columns.map((column) =>
    BINARY_TYPES.has(column.type) ? column : textColumn(column.name),
  );
  return { columns: sent, rows };
}

function asked(cursor: SqlCursor, { database, parameters }: StatementContext): Asked {
  return { cursor, database, parameters: parameters ?? [] };
}

function understood(cursor: SqlCursor, context: StatementContext): ReturnType<typeof tableSelect> {
  try {
    return tableSelect(asked(cursor, context));
  } catch (error) {
    if (!(error instanceof MysqlError) || error.errno !== 1064) throw error;
    throw new MysqlError(
      1235,
      "42000",
      "binraft passes on plain SELECTs of one INFORMATION_SCHEMA table: columns, WHERE with comparisons, ORDER BY " +
        `and LIMIT; it does not take what begins at '${printable(cursor.rest.trimStart(), 80)}'`,
    );
  }
}

function mayNotSelect({ table }: TableName, { account, host }: StatementContext): MysqlError {
  return new MysqlError(
    1142,
    "42000",
    `SELECT command denied to user '${account}'@'${host}' for table '${printable(table, 64)}'`,
  );
}

function readableName(cursor: SqlCursor, context: StatementContext): TableName {
  const first = plainName(cursor);
  if (!cursor.acceptSymbol(".")) return chosenTable(null, first, context);
  return chosenTable(first, plainName(cursor), context);
}

function chosenTable(named: string | null, table: string, context: StatementContext): TableName {
  const database = named ?? context.database;
  if (database === "") throw noDatabaseSelected();
  mustBeOfUsers(database, context);
  return { database, table };
}

function mustBeOfUsers(database: string, { account, host }: StatementContext): void {
  if (OF_THE_SERVER.has(database.toLowerCase())) throw databaseDenied(account, host, database);
}

async function ask(context: StatementContext, sql: string): Promise<TableAnswer> {
  if (context.describing || context.parameters !== null) {
    throw new MysqlError(
      1295,
      "HY000",
      "This command is not supported in the prepared statement protocol yet",
    );
  }
  return read(context, sql);
}

async function read(context: StatementContext, sql: string): Promise<TableAnswer> {
  const answer = await context.tables!.read(sql);
  for (const row of answer.rows)
    for (const value of row) context.work.spendText(value?.length ?? 0);
  return answer;
}
