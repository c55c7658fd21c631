/**
 * + - * / DIV % and the sign, with MySQL's result types (manual, "Arithmetic Operators"): whole
 * numbers stay whole and do not wrap, a quotient has four more decimal places, text makes a double
 * of all, and dividing by zero is NULL.
 */
import {
  asDecimal,
  type Decimal,
  decimal,
  divideRounded,
  double,
  INT_MAX,
  INT_MIN,
  int,
  NULL,
  numberOf,
  outOfRange,
  scaled,
  UNSIGNED_MAX,
  type Value,
} from "./value.ts";

export type ArithmeticOperator = "+" | "-" | "*" | "/" | "DIV" | "%";

/** `div_precision_increment`. */
const QUOTIENT_PLACES = 4;

export function calculate(operator: ArithmeticOperator, a: Value, b: Value): Value {
  if (a.kind === "null" || b.kind === "null") return NULL;
  if (a.kind === "int" && b.kind === "int" && operator !== "/") {
    return whole(operator, a.value, b.value);
  }
  const [exactA, exactB] = [asDecimal(a), asDecimal(b)];
  if (exactA !== null && exactB !== null) return exact(operator, exactA, exactB);
  return inexact(operator, numberOf(a), numberOf(b));
}

function whole(operator: ArithmeticOperator, a: bigint, b: bigint): Value {
  switch (operator) {
    case "+":
      return inRange(a + b);
    case "-":
      return inRange(a - b);
    case "*":
      return inRange(a * b);
    case "%":
      return b === 0n ? NULL : int(a % b);
    default:
      return b === 0n ? NULL : inRange(a / b);
  }
}

function inRange(value: bigint): Value {
  if (value < INT_MIN || value > UNSIGNED_MAX) throw outOfRange("BIGINT");
  return int(value);
}

function exact(operator: ArithmeticOperator, a: Decimal, b: Decimal): Value {
  const scale = Math.max(a.scale, b.scale);
  const [x, y] = [scaled(a, scale), scaled(b, scale)];
  switch (operator) {
    case "+":
      return decimal(x + y, scale);
    case "-":
      return decimal(x - y, scale);
    case "*":
      return decimal(a.digits * b.digits, a.scale + b.scale);
    case "/": {
      if (y === 0n) return NULL;
      const places = a.scale + QUOTIENT_PLACES;
      return decimal(divideRounded(x * 10n ** BigInt(places), y), places);
    }
    case "DIV":
      return y === 0n ? NULL : inRange(x / y);
    case "%":
      return y === 0n ? NULL : decimal(x % y, scale);
  }
}

function inexact(operator: ArithmeticOperator, a: number, b: number): Value {
  switch (operator) {
    case "+":
      return finite(a + b);
    case "-":
      return finite(a - b);
    case "*":
      return finite(a * b);
    case "/":
      return b === 0 ? NULL : finite(a / b);
    case "DIV": {
      if (b === 0) return NULL;
      const quotient = Math.trunc(a / b);
      if (Math.abs(quotient) > Number(INT_MAX)) throw outOfRange("BIGINT");
      return int(BigInt(quotient));
    }
    case "%":
      return b === 0 ? NULL : double(a % b);
  }
}

function finite(value: number): Value {
  if (!Number.isFinite(value)) throw outOfRange("DOUBLE");
  return double(value);
}

export function negate(value: Value): Value {
  switch (value.kind) {
    case "null":
      return NULL;
    case "int":
      return -value.value >= INT_MIN ? int(-value.value) : decimal(-value.value, 0);
    case "decimal":
      return decimal(-value.digits, value.scale);
    default:
      return double(-numberOf(value) || 0);
  }
}
