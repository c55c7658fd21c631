/**
 * Tokens of a SQL statement, and a cursor over them. There is no SQL engine: the few statements
 * that replicas and tools send are recognised token by token (statements.ts and beside it).
 *
 * Comments are left out; `/*!50002 GLOBAL *\/` counts as its content. Strings and quoted names are
 * unescaped. The number of tokens is bounded, whatever the statement's length.
 */
import { printable } from "../base/logger.ts";
import { type MysqlError, syntaxError } from "../mysql/errors.ts";

export type TokenKind = "word" | "number" | "string" | "quoted" | "symbol";

export interface Token {
  readonly kind: TokenKind;
  /** Unescaped; words as they were written. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const MAX_TOKENS = 2048;
/** A server shows that much of the statement behind the place of an error. */
const NEAR_MAX = 80;
const BLANK = /\s/;
const WORD_START = /[A-Za-z_$\u0080-\uffff]/;
const WORD = /[A-Za-z0-9_$\u0080-\uffff]/;
const DIGIT = /[0-9]/;
const NUMBER = /[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?/y;

export class SqlCursor {
  readonly #sql: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  /** `?` of a prepared statement that were taken so far. */
  parameters = 0;
  /** False in a plain query, where a `?` is a syntax error. */
  allowsParameters = false;

  constructor(sql: string, tokens: readonly Token[] = tokenize(sql)) {
    this.#sql = sql;
    this.#tokens = tokens;
  }

  /** Another one at the same place, to look ahead with. */
  fork(): SqlCursor {
    const fork = new SqlCursor(this.#sql, this.#tokens);
    fork.#at = this.#at;
    return fork;
  }

  get atEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  get isEmpty(): boolean {
    return this.#tokens.length === 0;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  take(): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) this.fail();
    this.#at++;
    return token;
  }

  /** The next word in upper case, without taking it; empty when it is not a word. */
  word(ahead = 0): string {
    const token = this.peek(ahead);
    return token?.kind === "word" ? token.text.toUpperCase() : "";
  }

  /** Takes the words if they all come next. */
  accept(...words: readonly string[]): boolean {
    if (!words.every((word, i) => this.word(i) === word)) return false;
    this.#at += words.length;
    return true;
  }

  acceptAny(words: readonly string[]): boolean {
    return words.some((word) => this.accept(word));
  }

  symbol(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token?.kind === "symbol" && token.text === text;
  }

  acceptSymbol(text: string): boolean {
    if (!this.symbol(text)) return false;
    this.#at++;
    return true;
  }

  expectSymbol(text: string): void {
    if (!this.acceptSymbol(text)) this.fail();
  }

  /** A name, quoted or not. */
  name(): string {
    const token = this.peek();
    if (token?.kind !== "word" && token?.kind !== "quoted") this.fail();
    return this.take().text;
  }

  string(): string {
    if (this.peek()?.kind !== "string") this.fail();
    return this.take().text;
  }

  /** A whole number that is small enough to count with. */
  integer(): number {
    const token = this.peek();
    if (token?.kind !== "number" || !/^[0-9]{1,15}$/.test(token.text)) this.fail();
    return Number(this.take().text);
  }

  /** Goes behind the next such word outside of parentheses; false, and to nowhere, without one. */
  skipTo(word: string): boolean {
    let depth = 0;
    for (let ahead = 0; this.peek(ahead) !== undefined; ahead++) {
      if (this.symbol("(", ahead)) depth++;
      else if (this.symbol(")", ahead)) depth--;
      else if (depth <= 0 && this.word(ahead) === word) {
        this.#at += ahead + 1;
        return true;
      }
    }
    return false;
  }

  /** Takes a `?` and gives its number. */
  parameter(): number {
    if (!this.allowsParameters) this.fail();
    this.expectSymbol("?");
    return this.parameters++;
  }

  expectEnd(): void {
    if (!this.atEnd) this.fail();
  }

  /** Place in the text of the next token. */
  get offset(): number {
    return this.peek()?.start ?? this.#sql.length;
  }

  /** The text from `start` up to the end of the last token taken. */
  since(start: number): string {
    return this.#sql.slice(start, this.#tokens[this.#at - 1]?.end ?? start);
  }

  /** The text that is not taken yet. */
  get rest(): string {
    return this.#sql.slice(this.#tokens[this.#at - 1]?.end ?? 0).trimEnd();
  }

  error(): MysqlError {
    return syntaxError(printable(this.#sql.slice(this.offset).trimEnd(), NEAR_MAX));
  }

  fail(): never {
    throw this.error();
  }
}

function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let insideVersion = false;
  while (at < sql.length) {
    const skipped = skipBlank(sql, at);
    if (skipped > at) {
      at = skipped;
      continue;
    }
    const version = /^\/\*M?!(\d{5,6})?/.exec(sql.slice(at, at + 10));
    if (version !== null) {
      insideVersion = true;
      at += version[0].length;
      continue;
    }
    if (insideVersion && sql.startsWith("*/", at)) {
      insideVersion = false;
      at += 2;
      continue;
    }
    const token = readToken(sql, at);
    if (token === null || tokens.length >= MAX_TOKENS) {
      throw syntaxError(printable(sql.slice(at), NEAR_MAX));
    }
    tokens.push(token);
    at = token.end;
  }
  while (tokens.at(-1)?.text === ";" && tokens.at(-1)?.kind === "symbol") tokens.pop();
  return tokens;
}

/** Blanks and comments. */
function skipBlank(sql: string, from: number): number {
  let at = from;
  while (at < sql.length && BLANK.test(sql[at]!)) at++;
  const dashes = sql.startsWith("--", at) && (at + 2 === sql.length || BLANK.test(sql[at + 2]!));
  if (dashes || sql[at] === "#") {
    const end = sql.indexOf("\n", at);
    return end < 0 ? sql.length : end + 1;
  }
  if (sql.startsWith("/*", at) && sql[at + 2] !== "!" && !sql.startsWith("/*M!", at)) {
    const end = sql.indexOf("*/", at + 2);
    return end < 0 ? sql.length : end + 2;
  }
  return at;
}

function readToken(sql: string, start: number): Token | null {
  const char = sql[start]!;
  if (char === "'" || char === '"') return readQuoted(sql, start, char, "string");
  if (char === "`") return readQuoted(sql, start, char, "quoted");
  let end = start;
  if (DIGIT.test(char)) {
    NUMBER.lastIndex = start;
    end += NUMBER.exec(sql)?.[0].length ?? 1;
    if (end < sql.length && WORD_START.test(sql[end]!)) return wordToken(sql, start);
    return { kind: "number", text: sql.slice(start, end), start, end };
  }
  if (WORD_START.test(char)) return wordToken(sql, start);
  for (const symbol of SYMBOLS) {
    if (sql.startsWith(symbol, start)) {
      return { kind: "symbol", text: symbol, start, end: start + symbol.length };
    }
  }
  return { kind: "symbol", text: char, start, end: start + 1 };
}

function wordToken(sql: string, start: number): Token {
  let end = start;
  while (end < sql.length && WORD.test(sql[end]!)) end++;
  return { kind: "word", text: sql.slice(start, end), start, end };
}

/** Longer ones come first. */
const SYMBOLS = ["<=>", "@@", ":=", "<=", ">=", "<>", "!=", "||", "&&"];

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["0", "\0"],
  ["b", "\b"],
  ["Z", "\x1a"],
  // In a LIKE pattern these keep their backslash.
  ["%", "\\%"],
  ["_", "\\_"],
]);

function readQuoted(sql: string, start: number, quote: string, kind: TokenKind): Token | null {
  const parts: string[] = [];
  let from = start + 1;
  for (let at = from; at < sql.length; at++) {
    const char = sql[at];
    if (char === "\\" && kind === "string") {
      const next = sql[at + 1] ?? "";
      parts.push(sql.slice(from, at), ESCAPES.get(next) ?? next);
      from = ++at + 1;
    } else if (char === quote) {
      parts.push(sql.slice(from, at));
      if (sql[at + 1] !== quote) return { kind, text: parts.join(""), start, end: at + 1 };
      parts.push(quote);
      from = ++at + 1;
    }
  }
  return null;
}

/** SQL's LIKE, case-blind: % any run, _ one character, \ takes the next as it is. Linear in both. */
export function isLike(text: string, pattern: string): boolean {
  const s = text.toLowerCase();
  const p = pattern.toLowerCase();
  let at = 0;
  let in_ = 0;
  let starAt = -1;
  let resume = 0;
  while (at < s.length) {
    const escaped = p[in_] === "\\" && in_ + 1 < p.length;
    const wanted = escaped ? p[in_ + 1] : p[in_];
    if (!escaped && wanted === "%") {
      starAt = in_++;
      resume = at;
    } else if (in_ < p.length && ((!escaped && wanted === "_") || wanted === s[at])) {
      in_ += escaped ? 2 : 1;
      at++;
    } else if (starAt >= 0) {
      in_ = starAt + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (p[in_] === "%") in_++;
  return in_ === p.length;
}
