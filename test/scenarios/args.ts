/** Reading the arguments of a directive. What cannot be read ends the file: it is wrong itself. */
import { type Arg, BadFile, type Directive } from "./datadriven.ts";

const YES = ["1", "t", "T", "TRUE", "true", "True"];
const NO = ["0", "f", "F", "FALSE", "false", "False"];

export function toNumber(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new BadFile(`a whole number is expected, not "${text}"`);
  }
  return value;
}

export function toBoolean(text: string): boolean {
  if (YES.includes(text)) return true;
  if (NO.includes(text)) return false;
  throw new BadFile(`true or false is expected, not "${text}"`);
}

/** Every value with its key, in order; bare keys have none. */
export function* keyedValues(args: readonly Arg[]): Generator<readonly [string, string]> {
  for (const { key, values } of args) for (const value of values) yield [key, value];
}

/** The bare numbers among the arguments. */
export function numbers(args: readonly Arg[]): number[] {
  return args.filter((arg) => arg.values.length === 0).map((arg) => toNumber(arg.key));
}

export function firstNumber(directive: Directive): number {
  const first = directive.args[0];
  if (first === undefined || first.values.length > 0) {
    throw new BadFile(`${directive.command} begins with a number`);
  }
  return toNumber(first.key);
}

/** The one value of `key=value`. */
export function required(directive: Directive, key: string): string {
  const arg = directive.args.find((one) => one.key === key);
  if (arg?.values.length !== 1) throw new BadFile(`${directive.command} needs ${key}=…`);
  return arg.values[0]!;
}
