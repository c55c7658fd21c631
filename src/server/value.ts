/**
 * Values of expressions, with MySQL's types and its rules for turning one into another (manual,
 * "Type Conversion in Expression Evaluation"): 64-bit integers, exact decimals, doubles and text.
 * Text compares as utf8mb4_0900_ai_ci does: without case and accents. Order of punctuation is not
 * that of the collation.
 */
import { MysqlError } from "../mysql/errors.ts";

export type Value =
  | { readonly kind: "null" }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "decimal"; readonly digits: bigint; readonly scale: number }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "text"; readonly value: string };

export type Decimal = Extract<Value, { kind: "decimal" }>;

export const NULL: Value = { kind: "null" };
export const INT_MIN: bigint = -(2n ** 63n);
export const INT_MAX: bigint = 2n ** 63n - 1n;
export const UNSIGNED_MAX: bigint = 2n ** 64n - 1n;
const MAX_DECIMAL_DIGITS = 65;
const MAX_SCALE = 30;

export function int(value: bigint | number): Value {
  return { kind: "int", value: BigInt(value) };
}

export function text(value: string | null): Value {
  return value === null ? NULL : { kind: "text", value };
}

export function bool(value: boolean | null): Value {
  return value === null ? NULL : int(value ? 1 : 0);
}

export function double(value: number): Value {
  return Number.isFinite(value) ? { kind: "double", value } : NULL;
}

export function decimal(digits: bigint, scale: number): Value {
  let rounded = digits;
  let places = scale;
  if (places > MAX_SCALE) {
    rounded = divideRounded(rounded, 10n ** BigInt(places - MAX_SCALE));
    places = MAX_SCALE;
  }
  if (absolute(rounded) >= 10n ** BigInt(MAX_DECIMAL_DIGITS)) throw outOfRange("DECIMAL");
  return { kind: "decimal", digits: rounded, scale: places };
}

export function outOfRange(type: "BIGINT" | "BIGINT UNSIGNED" | "DECIMAL" | "DOUBLE"): MysqlError {
  return new MysqlError(1690, "22003", `${type} value is out of range in the expression`);
}

/** Half goes away from zero. */
export function divideRounded(dividend: bigint, divisor: bigint): bigint {
  const negative = dividend < 0n !== divisor < 0n;
  const [a, b] = [absolute(dividend), absolute(divisor)];
  const quotient = (2n * a + b) / (2n * b);
  return negative ? -quotient : quotient;
}

export function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** A number as it is written in a statement, without a sign. */
export function literalNumber(written: string): Value {
  if (/[eE]/.test(written)) return double(Number(written));
  const [whole = "", fraction] = written.split(".");
  if (fraction !== undefined) return decimal(BigInt(whole + fraction), fraction.length);
  const value = BigInt(whole);
  return value <= UNSIGNED_MAX ? int(value) : decimal(value, 0);
}

/** Null for NULL. */
export function textOf(value: Value): string | null {
  switch (value.kind) {
    case "null":
      return null;
    case "int":
      return String(value.value);
    case "decimal":
      return decimalText(value);
    case "double":
      return doubleText(value.value);
    case "text":
      return value.value;
  }
}

function decimalText({ digits, scale }: Decimal): string {
  const plain = String(absolute(digits)).padStart(scale + 1, "0");
  const sign = digits < 0n ? "-" : "";
  if (scale === 0) return sign + plain;
  return `${sign}${plain.slice(0, -scale)}.${plain.slice(-scale)}`;
}

/** From 10^15 on a server writes exponents. */
function doubleText(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e15) return value.toExponential().replace("e+", "e");
  return String(value);
}

const NUMBER_PREFIX = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/;

/** Text counts as the number that it begins with, or as 0. Never for NULL. */
export function numberOf(value: Value): number {
  switch (value.kind) {
    case "null":
      return 0;
    case "int":
      return Number(value.value);
    case "decimal":
      return Number(decimalText(value));
    case "double":
      return value.value;
    case "text": {
      const prefix = NUMBER_PREFIX.exec(value.value.slice(0, 512));
      return prefix === null ? 0 : Number(prefix[0]);
    }
  }
}

/** Null for a value that is no exact number. */
export function asDecimal(value: Value): Decimal | null {
  if (value.kind === "decimal") return value;
  return value.kind === "int" ? { kind: "decimal", digits: value.value, scale: 0 } : null;
}

/** The nearest whole number. */
export function wholeOf(value: Value): bigint {
  switch (value.kind) {
    case "int":
      return value.value;
    case "decimal":
      return divideRounded(value.digits, 10n ** BigInt(value.scale));
    case "text": {
      const prefix = /^\s*[+-]?\d{1,64}/.exec(value.value.slice(0, 512));
      return prefix === null ? 0n : BigInt(prefix[0].trim().replace(/^\+/, ""));
    }
    default: {
      const number = numberOf(value);
      return BigInt(Math.sign(number) * Math.round(Math.abs(number)));
    }
  }
}

/** Null for NULL. */
export function truthOf(value: Value): boolean | null {
  if (value.kind === "null") return null;
  return value.kind === "int" ? value.value !== 0n : numberOf(value) !== 0;
}

/** Below, at or above 0; null when one of them is NULL. */
export function compare(a: Value, b: Value): number | null {
  if (a.kind === "null" || b.kind === "null") return null;
  if (a.kind === "text" && b.kind === "text") return order(folded(a.value), folded(b.value));
  const [exactA, exactB] = [asDecimal(a), asDecimal(b)];
  if (exactA !== null && exactB !== null) {
    const scale = Math.max(exactA.scale, exactB.scale);
    return order(scaled(exactA, scale), scaled(exactB, scale));
  }
  return order(numberOf(a), numberOf(b));
}

export function scaled({ digits, scale }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(to - scale);
}

function order<T extends string | number | bigint>(a: T, b: T): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The text without case and accents. */
export function folded(value: string): string {
  if (/^[\0-\x7f]*$/.test(value)) return value.toLowerCase();
  return value
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .toLowerCase();
}
