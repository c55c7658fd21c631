/**
 * The functions that replicas and tools call (manual, "Built-In Function and Operator Reference").
 * What is not in the table is error 1305, a wrong number of arguments 1582.
 */
import { printable } from "../base/logger.ts";
import { uuidFromBytes } from "../gtid/sid.ts";
import { COLLATION_BINARY } from "../mysql/capabilities.ts";
import { MysqlError } from "../mysql/errors.ts";
import { TYPE_DATETIME } from "../mysql/result-set.ts";
import { calculate } from "./arithmetic.ts";
import { type Evaluated, evaluated, ofLength, type Scope, whole } from "./evaluated.ts";
import type { Expression } from "./expression.ts";
import { containsInTurns, gtidText, subtractInTurns } from "./gtid-text.ts";
import { waitForSet } from "./gtid-wait.ts";
import {
  bool,
  compare,
  int,
  NULL,
  numberOf,
  text,
  textOf,
  truthOf,
  type Value,
  wholeOf,
} from "./value.ts";

/** Without a time-out in the call: a client that wants more asks again. */
const MAX_WAIT_MS = 24 * 60 * 60 * 1000;
/** Of one text that is made; `max_allowed_packet` of a server. */
const MAX_TEXT_LENGTH = 16 * 1024 * 1024;

export type Evaluate = (expression: Expression, scope: Scope) => Promise<Evaluated>;

type Plain = (values: readonly Value[], scope: Scope) => Evaluated | Promise<Evaluated>;
/** Evaluates what it needs. */
type Lazy = (
  args: readonly Expression[],
  evaluateOne: (expression: Expression) => Promise<Evaluated>,
) => Promise<Evaluated>;

interface Arity {
  readonly least: number;
  readonly most: number;
}
type Entry = Arity & ({ readonly plain: Plain } | { readonly lazy: Lazy });

const MANY = 256;

function plain(least: number, most: number, run: Plain): Entry {
  return { least, most, plain: run };
}

function lazy(least: number, most: number, run: Lazy): Entry {
  return { least, most, lazy: run };
}

const user: Plain = (_, { context }) => ofLength(`${context.account}@${context.host}`, 1152);
const database: Plain = (_, { context }) =>
  ofLength(context.database === "" ? null : context.database, 256);
const now: Plain = (_, { context }) => dateTime(context.platform.clock.wall());
const lower: Plain = mapText((value) => value.toLowerCase());
const upper: Plain = mapText((value) => value.toUpperCase());
const characters: Plain = mapNumber((value) => [...value].length);

const TABLE: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ["VERSION", plain(0, 0, (_, { context }) => ofLength(context.version, 60))],
  ["DATABASE", plain(0, 0, database)],
  ["SCHEMA", plain(0, 0, database)],
  ["USER", plain(0, 0, user)],
  ["SESSION_USER", plain(0, 0, user)],
  ["SYSTEM_USER", plain(0, 0, user)],
  ["CURRENT_USER", plain(0, 0, (_, { context }) => ofLength(`${context.account}@%`, 1152))],
  ["CONNECTION_ID", plain(0, 0, (_, { context }) => whole(int(context.connectionId), 0xa1))],
  ["UNIX_TIMESTAMP", plain(0, 0, (_, { context }) => seconds(context.platform.clock.wall()))],
  ["NOW", plain(0, 0, now)],
  ["SYSDATE", plain(0, 0, now)],
  ["UTC_TIMESTAMP", plain(0, 0, now)],
  ["CURRENT_TIMESTAMP", plain(0, 0, now)],
  ["LOCALTIME", plain(0, 0, now)],
  ["LOCALTIMESTAMP", plain(0, 0, now)],
  [
    "UUID",
    plain(0, 0, (_, { context }) => ofLength(randomUuid(context.platform.random.bytes(16)), 144)),
  ],
  ["GTID_SUBSET", plain(2, 2, gtidSubset)],
  ["GTID_SUBTRACT", plain(2, 2, gtidSubtract)],
  ["WAIT_FOR_EXECUTED_GTID_SET", plain(1, 2, waitForExecuted)],
  ["CONCAT", plain(1, MANY, concat)],
  ["CONCAT_WS", plain(2, MANY, concatWithSeparator)],
  ["LOWER", plain(1, 1, lower)],
  ["LCASE", plain(1, 1, lower)],
  ["UPPER", plain(1, 1, upper)],
  ["UCASE", plain(1, 1, upper)],
  ["LENGTH", plain(1, 1, mapNumber(utf8Length))],
  ["CHAR_LENGTH", plain(1, 1, characters)],
  ["CHARACTER_LENGTH", plain(1, 1, characters)],
  [
    "LEFT",
    plain(
      2,
      2,
      part((all, count) => all.slice(0, Math.max(0, count))),
    ),
  ],
  [
    "RIGHT",
    plain(
      2,
      2,
      part((all, count) => all.slice(Math.max(0, all.length - count))),
    ),
  ],
  ["SUBSTRING_INDEX", plain(3, 3, substringIndex)],
  ["MOD", plain(2, 2, ([a = NULL, b = NULL]) => evaluated(calculate("%", a, b)))],
  ["IF", lazy(3, 3, ifThen)],
  ["IFNULL", lazy(2, 2, firstOfAll)],
  ["COALESCE", lazy(1, MANY, firstOfAll)],
  ["NULLIF", lazy(2, 2, nullIf)],
  ["ISNULL", plain(1, 1, ([a = NULL]) => evaluated(bool(a.kind === "null")))],
]);

export async function callFunction(
  name: string,
  args: readonly Expression[],
  scope: Scope,
  evaluate: Evaluate,
): Promise<Evaluated> {
  const entry = TABLE.get(name);
  if (entry === undefined) {
    throw new MysqlError(1305, "42000", `FUNCTION ${printable(name, 64)} does not exist`);
  }
  if (args.length < entry.least || args.length > entry.most) {
    throw new MysqlError(
      1582,
      "42000",
      `Incorrect parameter count in the call to native function '${printable(name, 64)}'`,
    );
  }
  if ("lazy" in entry) return entry.lazy(args, (one) => evaluate(one, scope));
  const values: Value[] = [];
  for (const arg of args) values.push((await evaluate(arg, scope)).value);
  return entry.plain(values, scope);
}

async function ifThen(
  [condition, then, otherwise]: readonly Expression[],
  evaluate: (expression: Expression) => Promise<Evaluated>,
): Promise<Evaluated> {
  const truth = truthOf((await evaluate(condition!)).value);
  return commonType(await evaluate(truth === true ? then! : otherwise!), [then!, otherwise!]);
}

async function firstOfAll(
  args: readonly Expression[],
  evaluate: (expression: Expression) => Promise<Evaluated>,
): Promise<Evaluated> {
  let last: Evaluated = evaluated(NULL);
  for (const arg of args) {
    const one = await evaluate(arg);
    if (one.value.kind !== "null") return commonType(one, args);
    last = one;
  }
  return last;
}

/** Where one of several values may be text, the result is text. Only literals are looked at. */
function commonType(one: Evaluated, among: readonly Expression[]): Evaluated {
  const someText = among.some((arg) => arg.kind === "literal" && arg.value.kind === "text");
  return someText && one.value.kind !== "text" ? evaluated(text(textOf(one.value))) : one;
}

async function nullIf(
  [first, second]: readonly Expression[],
  evaluate: (expression: Expression) => Promise<Evaluated>,
): Promise<Evaluated> {
  const one = await evaluate(first!);
  const same = compare(one.value, (await evaluate(second!)).value) === 0;
  return same ? { ...one, value: NULL } : one;
}

function concat(values: readonly Value[], scope: Scope): Evaluated {
  if (values.some(({ kind }) => kind === "null")) return ofLength(null, 0);
  return joined(values, "", scope);
}

/** NULLs are left out, but for the separator. */
function concatWithSeparator([separator, ...values]: readonly Value[], scope: Scope): Evaluated {
  const between = textOf(separator!);
  if (between === null) return ofLength(null, 0);
  return joined(
    values.filter(({ kind }) => kind !== "null"),
    between,
    scope,
  );
}

function joined(values: readonly Value[], separator: string, { context }: Scope): Evaluated {
  const texts = values.map((value) => textOf(value)!);
  const length = texts.reduce((sum, one) => sum + one.length + separator.length, 0);
  if (length > MAX_TEXT_LENGTH) {
    throw new MysqlError(
      1301,
      "HY000",
      `Result of concat() was larger than max_allowed_packet (${MAX_TEXT_LENGTH}) - truncated`,
    );
  }
  context.work.spendText(length);
  return evaluated(text(texts.join(separator)));
}

function mapText(map: (value: string) => string): Plain {
  return ([value = NULL], { context }) => {
    const given = textOf(value);
    context.work.spendText(given?.length ?? 0);
    return given === null ? ofLength(null) : evaluated(text(map(given)));
  };
}

function mapNumber(map: (value: string) => number): Plain {
  return ([value = NULL], { context }) => {
    const given = textOf(value);
    context.work.spendText(given?.length ?? 0);
    return whole(given === null ? NULL : int(map(given)), 0x80);
  };
}

function part(cut: (all: string[], count: number) => string[]): Plain {
  return ([value = NULL, count = NULL], { context }) => {
    const given = textOf(value);
    if (given === null || count.kind === "null") return ofLength(null);
    context.work.spend(given.length);
    const wanted = Math.max(0, Number(BigInt.asIntN(32, wholeOf(count))));
    return evaluated(text(cut([...given], wanted).join("")));
  };
}

function utf8Length(value: string): number {
  let length = 0;
  for (const char of value) {
    const code = char.codePointAt(0)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}

/** What stands before the n-th delimiter, or behind the n-th from the right. */
function substringIndex(
  [value = NULL, by = NULL, count = NULL]: readonly Value[],
  { context }: Scope,
): Evaluated {
  const [given, delimiter] = [textOf(value), textOf(by)];
  if (given === null || delimiter === null || count.kind === "null") return ofLength(null);
  context.work.spend(given.length);
  const wanted = Number(BigInt.asIntN(32, wholeOf(count)));
  if (delimiter === "" || wanted === 0) return evaluated(text(""));
  const pieces = given.split(delimiter);
  const kept = wanted > 0 ? pieces.slice(0, wanted) : pieces.slice(wanted);
  return evaluated(text(kept.join(delimiter)));
}

async function gtidSubset(values: readonly Value[], scope: Scope): Promise<Evaluated> {
  const [first, second] = values.map(textOf);
  if (first == null || second == null) return whole(NULL, 0x80);
  const [a, b] = [await scope.gtids.parse(first), await scope.gtids.parse(second)];
  return whole(bool(await containsInTurns(b, a, scope.context.work)));
}

async function gtidSubtract(values: readonly Value[], scope: Scope): Promise<Evaluated> {
  const [first, second] = values.map(textOf);
  if (first == null || second == null) return ofLength(null, 1800);
  const [a, b] = [await scope.gtids.parse(first), await scope.gtids.parse(second)];
  const { work } = scope.context;
  const rest = await subtractInTurns(a, b, work);
  const shown = await gtidText(rest, work);
  scope.gtids.remember(shown, rest);
  return ofLength(shown, 1800);
}

/** 0 when the set is executed, 1 when the time is over. */
async function waitForExecuted(values: readonly Value[], scope: Scope): Promise<Evaluated> {
  const [set = NULL, timeout = int(0)] = values;
  const given = textOf(set);
  const wanted = numberOf(timeout);
  if (given === null || timeout.kind === "null" || !(wanted >= 0)) {
    if (scope.describing) return whole(NULL, 0x80);
    throw new MysqlError(1210, "HY000", "Incorrect arguments to WAIT_FOR_EXECUTED_GTID_SET");
  }
  if (scope.describing) return whole(int(0), 0x80);
  const parsed = await scope.gtids.parse(given);
  const waitMs = wanted === 0 ? MAX_WAIT_MS : Math.min(MAX_WAIT_MS, wanted * 1000);
  const done = await waitForSet(parsed, waitMs, scope.context);
  return whole(int(done ? 0 : 1), 0x80);
}

function seconds(wallMs: number): Evaluated {
  return whole(int(Math.floor(wallMs / 1000)));
}

function dateTime(wallMs: number): Evaluated {
  return {
    value: text(dateTimeText(wallMs)),
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
