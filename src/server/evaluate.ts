/**
 * What an expression comes to, within the budget of its statement (work.ts). Conditions, IF,
 * COALESCE and their like evaluate no more than they need, as a server does.
 */
import { printable } from "../base/logger.ts";
import { MysqlError, unknownVariable } from "../mysql/errors.ts";
import { bigIntColumn, userVariableColumn } from "../mysql/result-set.ts";
import { type ArithmeticOperator, calculate, negate } from "./arithmetic.ts";
import type { CastType } from "./cast-type.ts";
import { type Evaluated, evaluated, literal, ofLength, type Scope, whole } from "./evaluated.ts";
import type { Expression, Operator } from "./expression.ts";
import { callFunction } from "./functions.ts";
import { gtidText } from "./gtid-text.ts";
import { isLike } from "./sql.ts";
import {
  bool,
  compare,
  decimal,
  divideRounded,
  double,
  INT_MAX,
  INT_MIN,
  int,
  NULL,
  numberOf,
  text,
  textOf,
  truthOf,
  UNSIGNED_MAX,
  type Value,
  wholeOf,
} from "./value.ts";
import { gtidVariable, systemVariable, withNewlines } from "./variables.ts";

const NODE_UNITS = 10;

export async function evaluate(expression: Expression, scope: Scope): Promise<Evaluated> {
  const { work } = scope.context;
  work.spend(NODE_UNITS);
  await work.pause();
  switch (expression.kind) {
    case "literal":
      return literal(expression.value);
    case "parameter":
      return literal(scope.parameters[expression.index] ?? NULL);
    case "user":
      return userVariable(scope.context.user.valueOf(expression.name));
    case "system":
      return systemValue(expression.name, scope);
    case "column":
      return columnValue(expression.name, scope);
    case "count":
      return whole(int(scope.rowCount), 0x81);
    case "call":
      return callFunction(expression.name, expression.args, scope, evaluate);
    case "operator":
      return evaluated(await operate(expression.name, expression.args, scope));
    case "cast":
      return cast(expression.type, (await evaluate(expression.arg, scope)).value, scope);
    case "case":
      for (const [when, then] of expression.branches) {
        if (truthOf((await evaluate(when, scope)).value)) return evaluate(then, scope);
      }
      return evaluate(expression.otherwise, scope);
  }
}

function userVariable(value: Value): Evaluated {
  const isText = value.kind === "text" || value.kind === "null";
  return isText ? { value, column: userVariableColumn } : evaluated(value);
}

async function systemValue(name: string, { context, gtids }: Scope): Promise<Evaluated> {
  const variables = await context.variables();
  const set = gtidVariable(name, variables.stream);
  if (set !== null) {
    // The set goes on growing; a text is of one moment.
    const still = set.clone();
    const shown = withNewlines(await gtidText(still, context.work));
    gtids.remember(shown, still);
    return ofLength(shown);
  }
  const found = systemVariable(name, variables);
  if (found === null) throw unknownVariable(printable(name, 64));
  if (found.kind === "text") return ofLength(found.value);
  if (found.kind === "number") return whole(int(BigInt(found.value)), 0xa0);
  const value = bool(found.value);
  return { value, column: (column) => bigIntColumn(column, 1, 0x80) };
}

function columnValue(name: string, { columns, clause }: Scope): Evaluated {
  const found = columns?.get(name.toUpperCase());
  if (found !== undefined) return ofLength(found);
  throw new MysqlError(1054, "42S22", `Unknown column '${printable(name, 64)}' in '${clause}'`);
}

async function operate(name: Operator, args: readonly Expression[], scope: Scope): Promise<Value> {
  if (name === "AND" || name === "OR") return junction(name, args, scope);
  const values: Value[] = [];
  for (const arg of args) {
    const { value } = await evaluate(arg, scope);
    if (value.kind === "text") scope.context.work.spendText(value.value.length);
    values.push(value);
  }
  const [a = NULL, b = NULL, c = NULL] = values;
  switch (name) {
    case "NOT":
      return not(truthOf(a));
    case "XOR": {
      const [x, y] = [truthOf(a), truthOf(b)];
      return bool(x === null || y === null ? null : x !== y);
    }
    case "IS NULL":
      return bool(a.kind === "null");
    case "IS TRUE":
      return bool(truthOf(a) === true);
    case "IS FALSE":
      return bool(truthOf(a) === false);
    case "<=>":
      return bool(a.kind === "null" || b.kind === "null" ? a.kind === b.kind : compare(a, b) === 0);
    case "BETWEEN":
      return between(a, b, c);
    case "IN":
      return within(a, values.slice(1));
    case "LIKE":
      return like(a, b, scope);
    case "NEGATE":
      return negate(a);
    case "=":
    case "<>":
    case "<":
    case "<=":
    case ">":
    case ">=":
      return compared(name, compare(a, b));
    default:
      return calculate(name satisfies ArithmeticOperator, a, b);
  }
}

function not(truth: boolean | null): Value {
  return bool(truth === null ? null : !truth);
}

/** Stops at the first that decides. */
async function junction(
  name: "AND" | "OR",
  args: readonly Expression[],
  scope: Scope,
): Promise<Value> {
  const decides = name === "OR";
  let unknown = false;
  for (const arg of args) {
    const truth = truthOf((await evaluate(arg, scope)).value);
    if (truth === decides) return bool(decides);
    if (truth === null) unknown = true;
  }
  return bool(unknown ? null : !decides);
}

function compared(name: "=" | "<>" | "<" | "<=" | ">" | ">=", order: number | null): Value {
  if (order === null) return NULL;
  switch (name) {
    case "=":
      return bool(order === 0);
    case "<>":
      return bool(order !== 0);
    case "<":
      return bool(order < 0);
    case "<=":
      return bool(order <= 0);
    case ">":
      return bool(order > 0);
    case ">=":
      return bool(order >= 0);
  }
}

function between(value: Value, low: Value, high: Value): Value {
  const [above, below] = [compare(value, low), compare(value, high)];
  if ((above !== null && above < 0) || (below !== null && below > 0)) return bool(false);
  return bool(above === null || below === null ? null : true);
}

function within(value: Value, list: readonly Value[]): Value {
  let unknown = value.kind === "null";
  for (const one of list) {
    const order = compare(value, one);
    if (order === 0) return bool(true);
    if (order === null) unknown = true;
  }
  return bool(unknown ? null : false);
}

function like(value: Value, pattern: Value, { context }: Scope): Value {
  const [subject, wanted] = [textOf(value), textOf(pattern)];
  if (subject === null || wanted === null) return NULL;
  // At worst each place of the text is tried with all of the pattern.
  context.work.spend((subject.length * Math.min(subject.length, wanted.length)) / 4);
  return bool(isLike(subject, wanted));
}

function cast(type: CastType, value: Value, { context }: Scope): Evaluated {
  if (value.kind === "null") return evaluated(NULL);
  switch (type.name) {
    case "SIGNED": {
      const given = wholeOf(value);
      const inRange =
        given < INT_MIN ? INT_MIN : given > INT_MAX ? BigInt.asIntN(64, given) : given;
      return evaluated(int(inRange));
    }
    case "UNSIGNED": {
      const given = wholeOf(value);
      return evaluated(int(given > UNSIGNED_MAX ? UNSIGNED_MAX : BigInt.asUintN(64, given)));
    }
    case "DOUBLE":
      return evaluated(double(numberOf(value)));
    case "DECIMAL":
      return evaluated(toDecimal(value, type.digits, type.scale));
    default: {
      const whole = textOf(value)!;
      context.work.spendText(whole.length);
      return evaluated(
        text(type.length === null ? whole : [...whole].slice(0, type.length).join("")),
      );
    }
  }
}

function toDecimal(value: Value, digits: number, scale: number): Value {
  const given = value.kind === "decimal" ? value : fromNumber(value);
  const shift = scale - given.scale;
  const power = 10n ** BigInt(Math.abs(shift));
  const moved = shift >= 0 ? given.digits * power : divideRounded(given.digits, power);
  const most = 10n ** BigInt(digits) - 1n;
  return decimal(moved > most ? most : moved < -most ? -most : moved, scale);
}

function fromNumber(value: Value): { readonly digits: bigint; readonly scale: number } {
  if (value.kind === "int") return { digits: value.value, scale: 0 };
  const match = /^\s*([+-]?)(\d{0,65})(?:\.(\d{0,30}))?/.exec((textOf(value) ?? "").slice(0, 256));
  const [, sign = "", front = "", fraction = ""] = match ?? [];
  const digits = BigInt(`${front}${fraction}` || "0");
  return { digits: sign === "-" ? -digits : digits, scale: fraction.length };
}
