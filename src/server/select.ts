/**
 * SELECT without tables: system variables, user variables, literals and a few functions. Columns
 * are named by the expression's text or its alias and have the types of a 9.7 server. There are
 * no operators and no tables; FROM anything but DUAL is error 1146.
 */

import { printable } from "../base/logger.ts";
import { GtidSet, GtidSyntaxError } from "../gtid/gtid-set.ts";
import { uuidFromBytes } from "../gtid/sid.ts";
import { COLLATION_BINARY } from "../mysql/capabilities.ts";
import { MysqlError, malformedGtidText, syntaxError, unknownVariable } from "../mysql/errors.ts";
import {
  bigIntColumn,
  type Column,
  type Row,
  textColumn,
  userVariableColumn,
} from "../mysql/result-set.ts";
import type { SqlCursor } from "./sql.ts";
import type { StatementContext } from "./statements.ts";
import { systemVariable } from "./variables.ts";

const MAX_ITEMS = 256;
const MAX_DEPTH = 16;
const TYPE_DATETIME = 12;
/** Without a time-out in the call: a client that wants more asks again. */
const MAX_WAIT_MS = 24 * 60 * 60 * 1000;
/** Functions that may be called without parentheses. */
const BARE_FUNCTIONS: ReadonlySet<string> = new Set([
  "CURRENT_USER",
  "CURRENT_TIMESTAMP",
  "LOCALTIME",
  "LOCALTIMESTAMP",
]);

export type Expression =
  | { readonly kind: "literal"; readonly value: string | null; readonly number: boolean }
  | { readonly kind: "system"; readonly name: string }
  | { readonly kind: "user"; readonly name: string }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] };

export interface Evaluated {
  readonly value: string | null;
  column(name: string): Column;
}

export interface SelectResult {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

/** The word SELECT was taken. */
export async function runSelect(
  cursor: SqlCursor,
  context: StatementContext,
): Promise<SelectResult> {
  const items: { expression: Expression; name: string }[] = [];
  do {
    if (items.length >= MAX_ITEMS) cursor.fail();
    const start = cursor.offset;
    const expression = parseExpression(cursor);
    const text = cursor.since(start);
    items.push({ expression, name: alias(cursor) ?? text });
  } while (cursor.acceptSymbol(","));
  if (cursor.accept("FROM")) fromClause(cursor);
  const limit = limitClause(cursor);
  cursor.expectEnd();
  const values: Evaluated[] = [];
  for (const { expression } of items) values.push(await evaluate(expression, context));
  return {
    columns: values.map((value, i) => value.column(items[i]!.name)),
    rows: limit === 0 ? [] : [values.map(({ value }) => value)],
  };
}

function alias(cursor: SqlCursor): string | null {
  if (cursor.accept("AS")) {
    return cursor.peek()?.kind === "string" ? cursor.string() : cursor.name();
  }
  const kind = cursor.peek()?.kind;
  if (kind === "quoted" || kind === "string") return cursor.take().text;
  if (kind === "word" && !["FROM", "LIMIT"].includes(cursor.word())) return cursor.name();
  return null;
}

function fromClause(cursor: SqlCursor): void {
  if (cursor.accept("DUAL")) return;
  let table = cursor.name();
  if (cursor.acceptSymbol(".")) table += `.${cursor.name()}`;
  throw new MysqlError(1146, "42S02", `Table '${printable(table, 128)}' doesn't exist`);
}

/** LIMIT [offset,] count; an offset above 0 leaves nothing of the one row. */
function limitClause(cursor: SqlCursor): number {
  if (!cursor.accept("LIMIT")) return 1;
  const first = cursor.integer();
  if (cursor.acceptSymbol(",")) {
    const count = cursor.integer();
    return first > 0 ? 0 : count;
  }
  if (cursor.accept("OFFSET")) return cursor.integer() > 0 ? 0 : first;
  return first;
}

export function parseExpression(cursor: SqlCursor, depth = 0): Expression {
  if (depth > MAX_DEPTH) cursor.fail();
  if (cursor.acceptSymbol("@@")) return { kind: "system", name: variableName(cursor) };
  if (cursor.acceptSymbol("@")) return { kind: "user", name: userName(cursor) };
  const negative = cursor.symbol("-") && cursor.peek(1)?.kind === "number";
  if (negative) cursor.take();
  const token = cursor.take();
  if (token.kind === "number") {
    const value = negative ? `-${token.text}` : token.text;
    return { kind: "literal", value, number: true };
  }
  if (token.kind === "string") return { kind: "literal", value: token.text, number: false };
  const word = token.kind === "word" ? token.text.toUpperCase() : "";
  if (word === "NULL") return { kind: "literal", value: null, number: false };
  if (word === "TRUE" || word === "FALSE") {
    return { kind: "literal", value: word === "TRUE" ? "1" : "0", number: true };
  }
  if (BARE_FUNCTIONS.has(word) && !cursor.symbol("("))
    return { kind: "call", name: word, args: [] };
  if (word === "" || !cursor.acceptSymbol("(")) throw new UnknownName(cursor, token.text);
  const args: Expression[] = [];
  while (!cursor.acceptSymbol(")")) {
    if (args.length > 0) cursor.expectSymbol(",");
    if (args.length >= MAX_DEPTH) cursor.fail();
    args.push(parseExpression(cursor, depth + 1));
  }
  return { kind: "call", name: word, args };
}

/** A column name where there are no tables; `$$`, the probe of the mysql client, is one too. */
class UnknownName extends MysqlError {
  constructor(cursor: SqlCursor, name: string) {
    const known = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
    const message = known
      ? `Unknown column '${printable(name, 64)}' in 'field list'`
      : syntaxError(printable(name + cursor.rest, 80)).message;
    super(known ? 1054 : 1064, known ? "42S22" : "42000", message);
  }
}

/** Behind @@: the scope and the name. */
export function variableName(cursor: SqlCursor): string {
  const scoped = cursor.symbol(".", 1);
  if (scoped && ["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"].includes(cursor.word())) {
    cursor.take();
    cursor.take();
  }
  return cursor.name();
}

/** Behind @. Dots belong to the name. */
export function userName(cursor: SqlCursor): string {
  if (cursor.peek()?.kind === "string") return cursor.string();
  let name = cursor.name();
  while (cursor.symbol(".")) {
    cursor.take();
    name += `.${cursor.name()}`;
  }
  return name;
}

const text = (value: string | null, length?: number): Evaluated => ({
  value,
  column: (name) => textColumn(name, length),
});
const integer = (value: number | bigint | string, flags?: number): Evaluated => ({
  value: String(value),
  column: (name) => bigIntColumn(name, 21, flags),
});

export async function evaluate(
  expression: Expression,
  context: StatementContext,
): Promise<Evaluated> {
  switch (expression.kind) {
    case "literal": {
      const { value, number } = expression;
      if (!number || value === null) return text(value);
      return { value, column: (name) => bigIntColumn(name, value.length + 1) };
    }
    case "user":
      return { value: context.user.get(expression.name), column: userVariableColumn };
    case "system":
      return systemValue(expression.name, context);
    case "call":
      return call(expression.name, expression.args, context);
  }
}

async function systemValue(name: string, context: StatementContext): Promise<Evaluated> {
  const found = systemVariable(name, await context.variables());
  if (found === null) throw unknownVariable(printable(name, 64));
  if (found.kind === "text") return text(found.value);
  if (found.kind === "number") return integer(found.value, 0xa0);
  return { value: found.value ? "1" : "0", column: (column) => bigIntColumn(column, 1, 0x80) };
}

async function call(
  name: string,
  args: readonly Expression[],
  context: StatementContext,
): Promise<Evaluated> {
  const values: (string | null)[] = [];
  for (const arg of args) values.push((await evaluate(arg, context)).value);
  const { clock } = context.platform;
  switch (`${name}/${values.length}`) {
    case "VERSION/0":
      return text(context.version, 60);
    case "DATABASE/0":
    case "SCHEMA/0":
      return text(context.database === "" ? null : context.database, 256);
    case "USER/0":
    case "SESSION_USER/0":
    case "SYSTEM_USER/0":
      return text(`${context.account}@${context.host}`, 1152);
    case "CURRENT_USER/0":
      return text(`${context.account}@%`, 1152);
    case "CONNECTION_ID/0":
      return integer(context.connectionId, 0xa1);
    case "UNIX_TIMESTAMP/0":
      return integer(Math.floor(clock.wall() / 1000));
    case "NOW/0":
    case "SYSDATE/0":
    case "UTC_TIMESTAMP/0":
    case "CURRENT_TIMESTAMP/0":
    case "LOCALTIME/0":
    case "LOCALTIMESTAMP/0":
      return dateTime(clock.wall());
    case "UUID/0":
      return text(randomUuid(context.platform.random.bytes(16)), 144);
    case "GTID_SUBSET/2":
      return integer(gtids(values[1]).containsSet(gtids(values[0])) ? 1 : 0);
    case "GTID_SUBTRACT/2":
      return text(gtids(values[0]).subtract(gtids(values[1])).toString(), 1800);
    case "WAIT_FOR_EXECUTED_GTID_SET/1":
    case "WAIT_FOR_EXECUTED_GTID_SET/2":
      return waitForSet(gtids(values[0]), values[1] ?? "0", context);
    default:
      throw new MysqlError(1305, "42000", `FUNCTION ${printable(name, 64)} does not exist`);
  }
}

function gtids(value: string | null | undefined): GtidSet {
  try {
    return GtidSet.parse(value ?? "");
  } catch (error) {
    if (error instanceof GtidSyntaxError) throw malformedGtidText(error.message);
    throw error;
  }
}

/** 0 when the set is executed, 1 when the time is over. */
async function waitForSet(
  set: GtidSet,
  seconds: string,
  context: StatementContext,
): Promise<Evaluated> {
  const wanted = Number(seconds);
  if (!(wanted >= 0)) {
    throw new MysqlError(1210, "HY000", "Incorrect arguments to WAIT_FOR_EXECUTED_GTID_SET");
  }
  const waitMs = wanted === 0 ? MAX_WAIT_MS : Math.min(MAX_WAIT_MS, wanted * 1000);
  const done = await context.waitUntil(() => context.stream.executed.containsSet(set), waitMs);
  return integer(done ? 0 : 1, 0x80);
}

function dateTime(wallMs: number): Evaluated {
  const value = dateTimeText(wallMs);
  return {
    value,
    column: (name) => ({
      name,
      type: TYPE_DATETIME,
      charset: COLLATION_BINARY,
      length: 19,
      flags: 0x81,
      decimals: 0,
    }),
  };
}

/** Civil time from milliseconds since 1970, UTC; there is no ambient Date in the core. */
export function dateTimeText(wallMs: number): string {
  const seconds = Math.floor(wallMs / 1000);
  const days = Math.floor(seconds / 86_400);
  const rest = seconds - days * 86_400;
  // Days from a 1 March, in eras of 400 years.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1;
  const month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60].map(two).join(":");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)} ${time}`;
}

function randomUuid(bytes: Uint8Array): string {
  const copy = bytes.slice();
  copy[6] = (copy[6]! & 0x0f) | 0x40;
  copy[8] = (copy[8]! & 0x3f) | 0x80;
  return uuidFromBytes(copy);
}
