/** The result of an expression, the column that it makes, and what it may look at on the way. */
import { COLLATION_BINARY } from "../mysql/capabilities.ts";
import {
  bigIntColumn,
  type Column,
  TYPE_DOUBLE,
  TYPE_NEWDECIMAL,
  TYPE_NULL,
  textColumn,
} from "../mysql/result-set.ts";
import type { ParsedGtids } from "./gtid-text.ts";
import type { StatementContext } from "./statements.ts";
import { INT_MAX, text, textOf, type Value } from "./value.ts";

export interface Evaluated {
  readonly value: Value;
  column(name: string): Column;
}

/** What an expression stands in. */
export interface Scope {
  readonly context: StatementContext;
  readonly gtids: ParsedGtids;
  /** As error 1054 names it. */
  readonly clause: "field list" | "where clause";
  /** Of a row, by the name in upper case; null where there are no columns. */
  readonly columns: ReadonlyMap<string, string | null> | null;
  readonly parameters: readonly Value[];
  /** What COUNT(*) gives. */
  readonly rowCount: number;
  /** Only the columns are asked for: nothing may wait. */
  readonly describing: boolean;
}

/** With the column that its type has. */
export function evaluated(value: Value): Evaluated {
  return { value, column: (name) => columnOf(name, value, 0) };
}

export function literal(value: Value): Evaluated {
  return { value, column: (name) => columnOf(name, value, 1) };
}

export function whole(value: Value, flags?: number): Evaluated {
  return { value, column: (name) => bigIntColumn(name, 21, flags) };
}

export function ofLength(value: string | null, length?: number): Evaluated {
  return { value: text(value), column: (name) => textColumn(name, length) };
}

/** `notNull` is the flag's bit. */
function columnOf(name: string, value: Value, notNull: 0 | 1): Column {
  const number = { name, charset: COLLATION_BINARY, flags: 0x80 | notNull };
  switch (value.kind) {
    case "null":
      return { ...number, type: TYPE_NULL, length: 0, flags: 0x80, decimals: 0 };
    case "int": {
      // Beyond 63 bits a number is unsigned.
      const flags = (0x80 | notNull) + (value.value > INT_MAX ? 0x20 : 0);
      return bigIntColumn(name, String(value.value).length + 1, flags);
    }
    case "decimal": {
      const length = textOf(value)!.length + 1;
      return { ...number, type: TYPE_NEWDECIMAL, length, decimals: value.scale };
    }
    case "double":
      return { ...number, type: TYPE_DOUBLE, length: 23, decimals: 31 };
    case "text":
      return textColumn(name, 4 * value.value.length, notNull);
  }
}
