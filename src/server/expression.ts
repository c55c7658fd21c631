/**
 * Expressions: what they look like, and their parser, by MySQL's precedence of operators (manual,
 * "Operator Precedence"), lowest first:
 *
 *   OR ||   XOR   AND &&   NOT   comparisons, IS, LIKE, IN, BETWEEN   + -   * / DIV % MOD   - + !
 *
 * There are no subqueries. Depth is bounded here, the number of nodes by that of the tokens.
 */
import { printable } from "../base/logger.ts";
import { syntaxError } from "../mysql/errors.ts";
import { type CastType, parseCastType } from "./cast-type.ts";
import type { SqlCursor } from "./sql.ts";
import { literalNumber, NULL, text, type Value } from "./value.ts";

const MAX_DEPTH = 32;
const MAX_ARGUMENTS = 256;

/** Functions that may be called without parentheses. */
const BARE_FUNCTIONS: ReadonlySet<string> = new Set([
  "CURRENT_USER",
  "CURRENT_TIMESTAMP",
  "LOCALTIME",
  "LOCALTIMESTAMP",
  "UTC_TIMESTAMP",
]);

/** No column can have these names unquoted. */
const RESERVED: ReadonlySet<string> = new Set(
  `AND AS BETWEEN BY CASE DISTINCT DIV ELSE FROM GROUP HAVING IN INTO IS JOIN LIKE LIMIT MOD NOT ON OR
   ORDER SELECT SET TABLE THEN UNION WHEN WHERE XOR`.split(/\s+/),
);
/** Reserved, and functions when a parenthesis follows. */
const FUNCTION_WORDS: ReadonlySet<string> = new Set(["MOD"]);

export type Operator =
  | "OR"
  | "XOR"
  | "AND"
  | "NOT"
  | "="
  | "<=>"
  | "<>"
  | "<"
  | "<="
  | ">"
  | ">="
  | "LIKE"
  | "IN"
  | "BETWEEN"
  | "IS NULL"
  | "IS TRUE"
  | "IS FALSE"
  | "+"
  | "-"
  | "*"
  | "/"
  | "DIV"
  | "%"
  | "NEGATE";

export type Expression =
  | { readonly kind: "literal"; readonly value: Value }
  /** A `?` of a prepared statement. */
  | { readonly kind: "parameter"; readonly index: number }
  | { readonly kind: "system"; readonly name: string }
  | { readonly kind: "user"; readonly name: string }
  | { readonly kind: "column"; readonly name: string }
  | { readonly kind: "count" }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: "operator"; readonly name: Operator; readonly args: readonly Expression[] }
  | { readonly kind: "cast"; readonly type: CastType; readonly arg: Expression }
  /** Pairs of condition and value; `otherwise` for none of them. */
  | {
      readonly kind: "case";
      readonly branches: readonly (readonly [Expression, Expression])[];
      readonly otherwise: Expression;
    };

export function parseExpression(cursor: SqlCursor, depth = 0): Expression {
  if (depth > MAX_DEPTH) cursor.fail();
  const args = [parseXor(cursor, depth)];
  while (cursor.accept("OR") || cursor.acceptSymbol("||")) args.push(parseXor(cursor, depth));
  return args.length === 1 ? args[0]! : operator("OR", ...args);
}

function operator(name: Operator, ...args: readonly Expression[]): Expression {
  return { kind: "operator", name, args };
}

function parseXor(cursor: SqlCursor, depth: number): Expression {
  let left = parseAnd(cursor, depth);
  while (cursor.accept("XOR")) left = operator("XOR", left, parseAnd(cursor, depth));
  return left;
}

function parseAnd(cursor: SqlCursor, depth: number): Expression {
  const args = [parseNot(cursor, depth)];
  while (cursor.accept("AND") || cursor.acceptSymbol("&&")) args.push(parseNot(cursor, depth));
  return args.length === 1 ? args[0]! : operator("AND", ...args);
}

function parseNot(cursor: SqlCursor, depth: number): Expression {
  if (depth > MAX_DEPTH) cursor.fail();
  if (cursor.accept("NOT")) return operator("NOT", parseNot(cursor, depth + 1));
  return parseComparison(cursor, depth);
}

const COMPARISONS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["=", "="],
  ["<=>", "<=>"],
  ["<>", "<>"],
  ["!=", "<>"],
  ["<", "<"],
  ["<=", "<="],
  [">", ">"],
  [">=", ">="],
]);

function parseComparison(cursor: SqlCursor, depth: number): Expression {
  let left = parseSum(cursor, depth);
  for (;;) {
    const token = cursor.peek();
    const symbol = token?.kind === "symbol" ? COMPARISONS.get(token.text) : undefined;
    if (symbol !== undefined) {
      cursor.take();
      left = operator(symbol, left, parseSum(cursor, depth));
    } else if (cursor.accept("IS")) left = parseIs(cursor, left);
    else {
      const negated = cursor.word() === "NOT";
      if (!["LIKE", "IN", "BETWEEN"].includes(cursor.word(negated ? 1 : 0))) return left;
      if (negated) cursor.take();
      const test = parseTest(cursor, left, depth);
      left = negated ? operator("NOT", test) : test;
    }
  }
}

function parseIs(cursor: SqlCursor, left: Expression): Expression {
  const negated = cursor.accept("NOT");
  let test: Expression;
  if (cursor.accept("NULL") || cursor.accept("UNKNOWN")) test = operator("IS NULL", left);
  else if (cursor.accept("TRUE")) test = operator("IS TRUE", left);
  else if (cursor.accept("FALSE")) test = operator("IS FALSE", left);
  else return cursor.fail();
  return negated ? operator("NOT", test) : test;
}

function parseTest(cursor: SqlCursor, left: Expression, depth: number): Expression {
  if (cursor.accept("LIKE")) return operator("LIKE", left, parseSum(cursor, depth));
  if (cursor.accept("BETWEEN")) {
    const low = parseSum(cursor, depth);
    if (!cursor.accept("AND")) cursor.fail();
    return operator("BETWEEN", left, low, parseSum(cursor, depth));
  }
  cursor.accept("IN");
  cursor.expectSymbol("(");
  const args = parseArguments(cursor, depth);
  if (args.length === 0) cursor.fail();
  return operator("IN", left, ...args);
}

function parseSum(cursor: SqlCursor, depth: number): Expression {
  let left = parseProduct(cursor, depth);
  for (;;) {
    if (cursor.acceptSymbol("+")) left = operator("+", left, parseProduct(cursor, depth));
    else if (cursor.acceptSymbol("-")) left = operator("-", left, parseProduct(cursor, depth));
    else return left;
  }
}

function parseProduct(cursor: SqlCursor, depth: number): Expression {
  let left = parseUnary(cursor, depth);
  for (;;) {
    let name: Operator;
    if (cursor.acceptSymbol("*")) name = "*";
    else if (cursor.acceptSymbol("/")) name = "/";
    else if (cursor.acceptSymbol("%") || cursor.accept("MOD")) name = "%";
    else if (cursor.accept("DIV")) name = "DIV";
    else return left;
    left = operator(name, left, parseUnary(cursor, depth));
  }
}

function parseUnary(cursor: SqlCursor, depth: number): Expression {
  if (depth > MAX_DEPTH) cursor.fail();
  if (cursor.acceptSymbol("-")) return operator("NEGATE", parseUnary(cursor, depth + 1));
  if (cursor.acceptSymbol("+")) return parseUnary(cursor, depth + 1);
  if (cursor.acceptSymbol("!")) return operator("NOT", parseUnary(cursor, depth + 1));
  return parsePrimary(cursor, depth);
}

function parsePrimary(cursor: SqlCursor, depth: number): Expression {
  if (cursor.acceptSymbol("@@")) return { kind: "system", name: variableName(cursor) };
  if (cursor.acceptSymbol("@")) return { kind: "user", name: userName(cursor) };
  if (cursor.acceptSymbol("(")) {
    const inner = parseExpression(cursor, depth + 1);
    cursor.expectSymbol(")");
    return inner;
  }
  if (cursor.symbol("?")) return { kind: "parameter", index: cursor.parameter() };
  const token = cursor.peek();
  if (token?.kind === "number") {
    return { kind: "literal", value: literalNumber(cursor.take().text) };
  }
  if (token?.kind === "string") return { kind: "literal", value: text(strings(cursor)) };
  if (token?.kind === "quoted") return { kind: "column", name: dotted(cursor) };
  return parseWord(cursor, depth);
}

/** Strings side by side are one. */
function strings(cursor: SqlCursor): string {
  let all = "";
  while (cursor.peek()?.kind === "string") all += cursor.take().text;
  return all;
}

function parseWord(cursor: SqlCursor, depth: number): Expression {
  const word = cursor.word();
  if (word === "NULL" || word === "TRUE" || word === "FALSE") {
    cursor.take();
    if (word === "NULL") return { kind: "literal", value: NULL };
    return { kind: "literal", value: { kind: "int", value: word === "TRUE" ? 1n : 0n } };
  }
  const called = cursor.symbol("(", 1);
  if (word === "CASE") return parseCase(cursor, depth);
  if (called && word === "CAST") return parseCast(cursor, depth);
  if (called && word === "CONVERT") return parseConvert(cursor, depth);
  if (called && (!RESERVED.has(word) || FUNCTION_WORDS.has(word)) && word !== "") {
    cursor.take();
    cursor.take();
    if (word === "COUNT" && cursor.acceptSymbol("*")) {
      cursor.expectSymbol(")");
      return { kind: "count" };
    }
    const args = parseArguments(cursor, depth);
    // Of the grammar, and no function: a wrong number of arguments is an error of the syntax.
    if (word === "IF" && args.length !== 3) cursor.fail();
    return { kind: "call", name: word, args };
  }
  if (BARE_FUNCTIONS.has(word)) {
    cursor.take();
    return { kind: "call", name: word, args: [] };
  }
  // `$$`, the probe of the mysql client, is no name.
  if (
    word === "" ||
    RESERVED.has(word) ||
    !/^[A-Za-z0-9_\u0080-\uffff][\w\u0080-\uffff]*$/.test(word)
  ) {
    throw syntaxError(printable(cursor.rest.trimStart(), 80));
  }
  return { kind: "column", name: dotted(cursor) };
}

function dotted(cursor: SqlCursor): string {
  let name = cursor.name();
  while (cursor.symbol(".") && !cursor.symbol("*", 1)) {
    cursor.take();
    name += `.${cursor.name()}`;
  }
  return name;
}

/** Up to and with the closing parenthesis. */
function parseArguments(cursor: SqlCursor, depth: number): Expression[] {
  const args: Expression[] = [];
  while (!cursor.acceptSymbol(")")) {
    if (args.length > 0) cursor.expectSymbol(",");
    if (args.length >= MAX_ARGUMENTS) cursor.fail();
    args.push(parseExpression(cursor, depth + 1));
  }
  return args;
}

/** CASE [value] WHEN … THEN … [ELSE …] END. */
function parseCase(cursor: SqlCursor, depth: number): Expression {
  cursor.take();
  const value = cursor.word() === "WHEN" ? null : parseExpression(cursor, depth + 1);
  const branches: [Expression, Expression][] = [];
  while (cursor.accept("WHEN")) {
    const when = parseExpression(cursor, depth + 1);
    if (!cursor.accept("THEN")) cursor.fail();
    const then = parseExpression(cursor, depth + 1);
    branches.push([value === null ? when : operator("=", value, when), then]);
  }
  if (branches.length === 0) cursor.fail();
  const otherwise: Expression = cursor.accept("ELSE")
    ? parseExpression(cursor, depth + 1)
    : { kind: "literal", value: NULL };
  if (!cursor.accept("END")) cursor.fail();
  return { kind: "case", branches, otherwise };
}

function parseCast(cursor: SqlCursor, depth: number): Expression {
  cursor.take();
  cursor.take();
  const arg = parseExpression(cursor, depth + 1);
  if (!cursor.accept("AS")) cursor.fail();
  const type = parseCastType(cursor);
  cursor.expectSymbol(")");
  return { kind: "cast", type, arg };
}

/** CONVERT(x, type), or CONVERT(x USING charset): all text is Unicode here. */
function parseConvert(cursor: SqlCursor, depth: number): Expression {
  cursor.take();
  cursor.take();
  const arg = parseExpression(cursor, depth + 1);
  let type: CastType = { name: "CHAR", length: null };
  if (cursor.accept("USING")) cursor.name();
  else {
    cursor.expectSymbol(",");
    type = parseCastType(cursor);
  }
  cursor.expectSymbol(")");
  return { kind: "cast", type, arg };
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
