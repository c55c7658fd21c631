/**
 * SELECT without tables: variables, literals, operators and functions (expression.ts,
 * functions.ts). Columns are named by the expression's text or its alias. FROM anything but DUAL
 * is about a table, and there are none (tables.ts); that comes before any other error but those of
 * the syntax.
 */
import { MysqlError } from "../mysql/errors.ts";
import type { Column, Row } from "../mysql/result-set.ts";
import { evaluate } from "./evaluate.ts";
import type { Evaluated, Scope } from "./evaluated.ts";
import { type Expression, parseExpression } from "./expression.ts";
import { ParsedGtids } from "./gtid-text.ts";
import type { SqlCursor } from "./sql.ts";
import type { StatementContext } from "./statements.ts";
import { missingTable, selectOfTable } from "./tables.ts";
import { textOf, truthOf, wholeOf } from "./value.ts";

const MAX_ITEMS = 256;
/** What may stand behind the list of items. */
const CLAUSES: ReadonlySet<string> = new Set(["FROM", "WHERE", "LIMIT"]);

export interface SelectResult {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

interface Item {
  /** Null: `*`. */
  readonly expression: Expression | null;
  readonly name: string;
}

interface Select {
  readonly items: readonly Item[];
  readonly where: Expression | null;
  readonly limit: { readonly offset: Expression | number; readonly count: Expression | number };
}

/** For expressions that no row stands behind. */
export function fieldScope(context: StatementContext): Scope {
  return {
    context,
    gtids: new ParsedGtids(context.work),
    clause: "field list",
    columns: null,
    parameters: context.parameters ?? [],
    rowCount: 1,
    describing: context.describing,
  };
}

/** The word SELECT was taken. */
export async function runSelect(
  cursor: SqlCursor,
  context: StatementContext,
): Promise<SelectResult> {
  const ofTable = await selectOfTable(cursor, context);
  if (ofTable !== null) return ofTable;
  const select = parse(cursor, context);
  if (select.items.some(({ expression }) => expression === null)) {
    throw new MysqlError(1096, "HY000", "No tables used");
  }
  const scope = fieldScope(context);
  const matches = await holds(select.where, scope);
  const counts = select.items.some(({ expression }) => countsRows(expression!));
  const inItems: Scope = { ...scope, rowCount: matches ? 1 : 0 };
  const values: Evaluated[] = [];
  for (const { expression } of select.items) values.push(await evaluate(expression!, inItems));
  const offset = await limitValue(select.limit.offset, scope);
  const count = await limitValue(select.limit.count, scope);
  const shown = (matches || counts) && offset === 0n && count > 0n;
  return {
    columns: values.map((value, i) => value.column(select.items[i]!.name)),
    rows: shown ? [values.map(({ value }) => textOf(value))] : [],
  };
}

async function holds(where: Expression | null, scope: Scope): Promise<boolean> {
  if (where === null) return true;
  const { value } = await evaluate(where, { ...scope, clause: "where clause" });
  return truthOf(value) === true;
}

async function limitValue(value: Expression | number, scope: Scope): Promise<bigint> {
  return typeof value === "number" ? BigInt(value) : wholeOf((await evaluate(value, scope)).value);
}

function countsRows(expression: Expression): boolean {
  switch (expression.kind) {
    case "count":
      return true;
    case "call":
    case "operator":
      return expression.args.some(countsRows);
    case "cast":
      return countsRows(expression.arg);
    default:
      return false;
  }
}

function parse(cursor: SqlCursor, context: StatementContext): Select {
  while (cursor.acceptAny(["DISTINCT", "ALL", "SQL_NO_CACHE", "HIGH_PRIORITY"]));
  const items = parseItems(cursor, context);
  if (cursor.accept("FROM") && !cursor.accept("DUAL")) missingTable(cursor, context);
  const where = cursor.accept("WHERE") ? parseExpression(cursor) : null;
  const limit = parseLimit(cursor);
  cursor.expectEnd();
  return { items, where, limit };
}

/** What a list of items says that we cannot read does not matter when it is of a table. */
function parseItems(cursor: SqlCursor, context: StatementContext): Item[] {
  const items: Item[] = [];
  try {
    do {
      if (items.length >= MAX_ITEMS) cursor.fail();
      items.push(parseItem(cursor));
    } while (cursor.acceptSymbol(","));
    return items;
  } catch (error) {
    if (cursor.skipTo("FROM") && cursor.word() !== "DUAL") {
      const kind = cursor.peek()?.kind;
      if (kind === "word" || kind === "quoted") missingTable(cursor, context);
    }
    throw error;
  }
}

function parseItem(cursor: SqlCursor): Item {
  while (cursor.acceptSymbol("+"));
  const start = cursor.offset;
  if (cursor.acceptSymbol("*")) return { expression: null, name: "*" };
  if (cursor.symbol(".", 1) && cursor.symbol("*", 2)) {
    for (let i = 0; i < 3; i++) cursor.take();
    return { expression: null, name: "*" };
  }
  const first = cursor.peek();
  const expression = parseExpression(cursor);
  const lone = expression.kind === "literal" && first?.kind === "string";
  const text = lone ? first.text : cursor.since(start);
  return { expression, name: alias(cursor) ?? text };
}

function alias(cursor: SqlCursor): string | null {
  if (cursor.accept("AS")) {
    return cursor.peek()?.kind === "string" ? cursor.string() : cursor.name();
  }
  const kind = cursor.peek()?.kind;
  if (kind === "quoted" || kind === "string") return cursor.take().text;
  if (kind === "word" && !CLAUSES.has(cursor.word())) return cursor.name();
  return null;
}

/** LIMIT count, LIMIT offset, count, or LIMIT count OFFSET offset. */
function parseLimit(cursor: SqlCursor): Select["limit"] {
  if (!cursor.accept("LIMIT")) return { offset: 0, count: 1 };
  const first = parseBound(cursor);
  if (cursor.acceptSymbol(",")) return { offset: first, count: parseBound(cursor) };
  if (cursor.accept("OFFSET")) return { offset: parseBound(cursor), count: first };
  return { offset: 0, count: first };
}

function parseBound(cursor: SqlCursor): Expression | number {
  return cursor.symbol("?") ? parseExpression(cursor) : cursor.integer();
}
