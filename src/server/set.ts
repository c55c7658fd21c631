/**
 * SET, with several assignments (manual, "SET Syntax for Variable Assignment"). User variables are
 * remembered for the session; session variables are accepted and change nothing here, as nothing
 * depends on them; global ones are nobody's to change. A list is applied wholly or not at all.
 */
import { printable } from "../base/logger.ts";
import { missingPrivilege, unknownVariable } from "../mysql/errors.ts";
import { evaluate } from "./evaluate.ts";
import type { Scope } from "./evaluated.ts";
import { parseExpression, userName, variableName } from "./expression.ts";
import { fieldScope } from "./select.ts";
import type { SqlCursor } from "./sql.ts";
import type { StatementContext } from "./statements.ts";
import type { Value } from "./value.ts";
import { isSettable } from "./variables.ts";

const MAX_ASSIGNMENTS = 64;

/** The word SET was taken. */
export async function runSet(cursor: SqlCursor, context: StatementContext): Promise<null> {
  if (setTransaction(cursor)) return null;
  const scope = fieldScope(context);
  const assigned: [name: string, value: Value][] = [];
  do {
    if (assigned.length >= MAX_ASSIGNMENTS) cursor.fail();
    const user = await assignment(cursor, scope);
    if (user !== null) assigned.push(user);
  } while (cursor.acceptSymbol(","));
  cursor.expectEnd();
  if (context.describing) return null;
  for (const [name, value] of assigned) context.user.set(name, value);
  return null;
}

/** SET [SESSION] TRANSACTION …: whatever it says, there are no transactions here. */
function setTransaction(cursor: SqlCursor): boolean {
  const scoped = ["SESSION", "LOCAL"].includes(cursor.word());
  if (cursor.word(scoped ? 1 : 0) !== "TRANSACTION") return false;
  while (!cursor.atEnd) cursor.take();
  return true;
}

/** The user variable that it sets, or null for any other. */
async function assignment(cursor: SqlCursor, scope: Scope): Promise<[string, Value] | null> {
  if (cursor.accept("NAMES") || cursor.accept("CHARACTER", "SET") || cursor.accept("CHARSET")) {
    skipValue(cursor);
    if (cursor.accept("COLLATE")) skipValue(cursor);
    return null;
  }
  if (cursor.acceptSymbol("@")) {
    const name = userName(cursor);
    equals(cursor);
    return [name, (await evaluate(parseExpression(cursor), scope)).value];
  }
  const global = ["GLOBAL", "PERSIST", "PERSIST_ONLY"];
  let name: string;
  if (cursor.acceptSymbol("@@")) {
    if (global.includes(cursor.word()) && cursor.symbol(".", 1)) throw noRight();
    name = variableName(cursor);
  } else {
    if (cursor.acceptAny(global)) throw noRight();
    cursor.acceptAny(["SESSION", "LOCAL"]);
    name = cursor.name();
  }
  equals(cursor);
  if (!isSettable(name)) throw unknownVariable(printable(name, 64));
  await sessionValue(cursor, scope);
  return null;
}

function noRight(): Error {
  return missingPrivilege("SUPER or SYSTEM_VARIABLES_ADMIN");
}

function equals(cursor: SqlCursor): void {
  if (!cursor.acceptSymbol("=")) cursor.expectSymbol(":=");
}

/** Its value is not kept: a word such as ON or DEFAULT, or an expression. */
async function sessionValue(cursor: SqlCursor, scope: Scope): Promise<void> {
  const call = cursor.symbol("(", 1);
  if (cursor.peek()?.kind === "word" && !call) cursor.take();
  else await evaluate(parseExpression(cursor), scope);
}

function skipValue(cursor: SqlCursor): void {
  const kind = cursor.peek()?.kind;
  if (kind !== "word" && kind !== "string" && kind !== "quoted") cursor.fail();
  cursor.take();
}
