/**
 * Questions about tables that may go on to the source, for accounts that are allowed them: the SHOW
 * statements about tables, and plain SELECTs of one INFORMATION_SCHEMA table.
 *
 *   SELECT  [DISTINCT] items FROM information_schema.t [[AS] a] [WHERE condition] [ORDER BY …] [LIMIT …]
 *   item    * | column | literal, with or without an alias
 *   condition  comparisons, LIKE, IN, BETWEEN and IS NULL over columns and literals; AND, OR, NOT, ( )
 *
 * No functions (DATABASE() is the session's name of one), no subqueries, no joins, no INTO, no locks.
 * What goes to the source is written anew from what was understood here, never a client's text. Literals
 * are written for a session without sql_mode.
 */
import type { SqlCursor } from "./sql.ts";
import { NULL, textOf, type Value } from "./value.ts";

const MAX_ITEMS = 256;
const MAX_DEPTH = 32;
const MAX_NAME = 64;

const INFORMATION_SCHEMA = "information_schema";
/** About tables, their columns and what they are written in; nothing about sessions or accounts. */
const VIEWS: ReadonlySet<string> = new Set([
  "CHARACTER_SETS",
  "CHECK_CONSTRAINTS",
  "COLLATIONS",
  "COLLATION_CHARACTER_SET_APPLICABILITY",
  "COLUMNS",
  "ENGINES",
  "KEY_COLUMN_USAGE",
  "PARTITIONS",
  "REFERENTIAL_CONSTRAINTS",
  "SCHEMATA",
  "STATISTICS",
  "TABLES",
  "TABLE_CONSTRAINTS",
]);

const COMPARISONS = ["=", "<=>", "<>", "!=", "<=", ">=", "<", ">"];
/** What stands behind an item or a table, and is no alias. */
const CLAUSES = [
  "FROM",
  "WHERE",
  "ORDER",
  "LIMIT",
  "GROUP",
  "HAVING",
  "JOIN",
  "INTO",
  "UNION",
  "FOR",
];

/** Names a table that is read; null for a view that is not among them. */
export interface TableName {
  readonly database: string;
  readonly table: string;
}

/** Whether a SELECT whose word was taken is of this schema. */
export function isInformationSchema(name: string): boolean {
  return name.toLowerCase() === INFORMATION_SCHEMA;
}

export function isReadable({ database, table }: TableName): boolean {
  return isInformationSchema(database) && VIEWS.has(table.toUpperCase());
}

export function quotedTable({ database, table }: TableName): string {
  return `${quoted(database)}.${quoted(table)}`;
}

/** An identifier. */
export function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

function literalText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''").replaceAll("\0", "\\0")}'`;
}

/** One that a server could have given. */
export function plainName(cursor: SqlCursor): string {
  const name = cursor.peek()?.text ?? "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is kept out.
  if (name === "" || name.length > MAX_NAME || /[\0-\x1f\x7f]/.test(name)) cursor.fail();
  return cursor.name();
}

/** What is read of the statement, and the database that the session uses; "" when none. */
export interface Asked {
  readonly cursor: SqlCursor;
  readonly database: string;
  /** For each `?`; of one that is not here NULL. */
  readonly parameters: readonly Value[];
}

/** LIKE or WHERE at the end of a SHOW statement, or nothing. */
export function showFilter(asked: Asked): string {
  const { cursor } = asked;
  let filter = "";
  if (cursor.accept("LIKE")) filter = ` LIKE ${literalText(cursor.string())}`;
  else if (cursor.accept("WHERE")) filter = ` WHERE ${condition(asked, 0)}`;
  cursor.expectEnd();
  return filter;
}

export interface TableSelect {
  readonly sql: string;
  /** Whether it may be read is for the caller. */
  readonly from: TableName;
  /** Of its columns; null when they are not known without asking. */
  readonly names: readonly string[] | null;
}

/** The word SELECT was taken. */
export function tableSelect(asked: Asked): TableSelect {
  const { cursor } = asked;
  const names: (string | null)[] = [];
  let sql = cursor.accept("DISTINCT") ? "SELECT DISTINCT " : "SELECT ";
  cursor.accept("SQL_NO_CACHE");
  sql += list(cursor, () => {
    const { text, name } = item(cursor);
    names.push(name);
    return text;
  });
  if (!cursor.accept("FROM")) cursor.fail();
  const first = plainName(cursor);
  const from = cursor.acceptSymbol(".")
    ? { database: first, table: plainName(cursor) }
    : { database: asked.database, table: first };
  sql += ` FROM ${quotedTable(from)}${alias(cursor)}`;
  if (cursor.accept("WHERE")) sql += ` WHERE ${condition(asked, 0)}`;
  if (cursor.accept("ORDER", "BY")) sql += ` ORDER BY ${list(cursor, () => order(cursor))}`;
  if (cursor.accept("LIMIT")) sql += ` LIMIT ${limit(cursor)}`;
  cursor.expectEnd();
  const known = names.filter((name) => name !== null);
  return { sql, from, names: known.length === names.length ? known : null };
}

function list(cursor: SqlCursor, one: () => string): string {
  const all: string[] = [];
  do {
    if (all.length >= MAX_ITEMS) cursor.fail();
    all.push(one());
  } while (cursor.acceptSymbol(","));
  return all.join(", ");
}

/** `name` is null for a star. */
function item(cursor: SqlCursor): { readonly text: string; readonly name: string | null } {
  if (cursor.acceptSymbol("*")) return { text: "*", name: null };
  if (cursor.symbol(".", 1) && cursor.symbol("*", 2)) {
    const table = quoted(plainName(cursor));
    cursor.expectSymbol(".");
    cursor.expectSymbol("*");
    return { text: `${table}.*`, name: null };
  }
  const own = cursor.peek()?.text ?? "";
  const last = (): string => cursor.peek(-1)?.text ?? own;
  const value = literal(cursor) ?? column(cursor);
  let name = last();
  const as = alias(cursor);
  if (as !== "") name = last();
  return { text: value + as, name };
}

function alias(cursor: SqlCursor): string {
  const kind = cursor.peek()?.kind;
  const isAlias = kind === "quoted" || (kind === "word" && !CLAUSES.includes(cursor.word()));
  if (!cursor.accept("AS") && !isAlias) return "";
  if (cursor.peek()?.kind !== "string") return ` AS ${quoted(plainName(cursor))}`;
  const text = cursor.string();
  return text === "" || text.length > MAX_NAME ? cursor.fail() : ` AS ${quoted(text)}`;
}

function column(cursor: SqlCursor): string {
  const names = [plainName(cursor)];
  while (names.length < 3 && cursor.acceptSymbol(".")) names.push(plainName(cursor));
  // A call.
  if (cursor.symbol("(")) cursor.fail();
  return names.map(quoted).join(".");
}

function literal(cursor: SqlCursor): string | null {
  const kind = cursor.peek()?.kind;
  if (kind === "string") return literalText(cursor.string());
  return kind === "number" ? cursor.take().text : null;
}

function order(cursor: SqlCursor): string {
  const by = cursor.peek()?.kind === "number" ? String(cursor.integer()) : column(cursor);
  if (cursor.accept("DESC")) return `${by} DESC`;
  cursor.accept("ASC");
  return by;
}

function limit(cursor: SqlCursor): string {
  const first = cursor.integer();
  if (cursor.acceptSymbol(",")) return `${first}, ${cursor.integer()}`;
  return cursor.accept("OFFSET") ? `${first} OFFSET ${cursor.integer()}` : String(first);
}

function condition(asked: Asked, depth: number): string {
  const { cursor } = asked;
  if (depth > MAX_DEPTH) cursor.fail();
  let text = conjunction(asked, depth);
  while (cursor.accept("OR")) text += ` OR ${conjunction(asked, depth)}`;
  return text;
}

function conjunction(asked: Asked, depth: number): string {
  let text = predicate(asked, depth);
  while (asked.cursor.accept("AND")) text += ` AND ${predicate(asked, depth)}`;
  return text;
}

function predicate(asked: Asked, depth: number): string {
  const { cursor } = asked;
  if (depth > MAX_DEPTH) cursor.fail();
  if (cursor.accept("NOT")) return `NOT ${predicate(asked, depth + 1)}`;
  if (cursor.acceptSymbol("(")) {
    const inside = condition(asked, depth + 1);
    cursor.expectSymbol(")");
    return `(${inside})`;
  }
  const left = operand(asked);
  if (cursor.accept("IS")) {
    const not = cursor.accept("NOT") ? "NOT " : "";
    if (!cursor.accept("NULL")) cursor.fail();
    return `${left} IS ${not}NULL`;
  }
  const not = cursor.accept("NOT") ? "NOT " : "";
  if (cursor.accept("LIKE")) return `${left} ${not}LIKE ${operand(asked)}`;
  if (cursor.accept("BETWEEN")) {
    const low = operand(asked);
    if (!cursor.accept("AND")) cursor.fail();
    return `${left} ${not}BETWEEN ${low} AND ${operand(asked)}`;
  }
  if (cursor.accept("IN")) {
    cursor.expectSymbol("(");
    const values = list(cursor, () => operand(asked));
    cursor.expectSymbol(")");
    return `${left} ${not}IN (${values})`;
  }
  const operator = COMPARISONS.find((one) => not === "" && cursor.acceptSymbol(one));
  return operator === undefined ? cursor.fail() : `${left} ${operator} ${operand(asked)}`;
}

function operand({ cursor, database, parameters }: Asked): string {
  if (cursor.symbol("?")) return bound(parameters[cursor.parameter()] ?? NULL);
  const isCall = cursor.symbol("(", 1) && cursor.symbol(")", 2);
  if (isCall && cursor.acceptAny(["DATABASE", "SCHEMA"])) {
    cursor.expectSymbol("(");
    cursor.expectSymbol(")");
    return database === "" ? "NULL" : literalText(database);
  }
  return literal(cursor) ?? column(cursor);
}

function bound(value: Value): string {
  const text = textOf(value);
  if (text === null) return "NULL";
  return value.kind === "text" ? literalText(text) : text;
}
