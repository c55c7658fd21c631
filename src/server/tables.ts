/**
 * Statements about tables. There are none here, so each is answered as by a server that lacks the
 * table: 1146, or 1046 where no database is chosen. This is the one place for somebody who answers
 * table metadata from elsewhere (SHOW CREATE TABLE, SHOW COLUMNS, SHOW INDEX, DESC,
 * INFORMATION_SCHEMA).
 */
import { printable } from "../base/logger.ts";
import { MysqlError, noDatabaseSelected } from "../mysql/errors.ts";
import type { SqlCursor } from "./sql.ts";
import type { StatementContext } from "./statements.ts";

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

/** SHOW CREATE TABLE t, DESC t [column]. */
export function describeTable(cursor: SqlCursor, context: StatementContext): never {
  return missingTable(cursor, context);
}

/** SHOW [FULL] COLUMNS and SHOW INDEX: FROM t [FROM d] or FROM d.t, then what they like. */
export function showOfTable(cursor: SqlCursor, context: StatementContext): never {
  if (!cursor.acceptAny(["FROM", "IN"])) cursor.fail();
  const { database, table } = tableName(cursor);
  const named = cursor.acceptAny(["FROM", "IN"]) ? cursor.name() : database;
  throw noSuchTable(named, table, context);
}
