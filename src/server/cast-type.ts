/** The types that CAST and CONVERT know here (manual, "Cast Functions and Operators"). */
import type { SqlCursor } from "./sql.ts";

export type CastType =
  | { readonly name: "SIGNED" | "UNSIGNED" | "DOUBLE" }
  /** Null: any length. */
  | { readonly name: "CHAR" | "BINARY"; readonly length: number | null }
  | { readonly name: "DECIMAL"; readonly digits: number; readonly scale: number };

export function parseCastType(cursor: SqlCursor): CastType {
  const whole = (name: "SIGNED" | "UNSIGNED"): CastType => {
    cursor.acceptAny(["INTEGER", "INT"]);
    return { name };
  };
  if (cursor.accept("SIGNED")) return whole("SIGNED");
  if (cursor.accept("UNSIGNED")) return whole("UNSIGNED");
  if (cursor.acceptAny(["DOUBLE", "FLOAT", "REAL"])) return { name: "DOUBLE" };
  if (cursor.acceptAny(["CHAR", "NCHAR"])) {
    const length = parseLength(cursor);
    if (cursor.accept("CHARACTER", "SET") || cursor.accept("CHARSET")) cursor.name();
    return { name: "CHAR", length };
  }
  if (cursor.accept("BINARY")) return { name: "BINARY", length: parseLength(cursor) };
  if (!cursor.acceptAny(["DECIMAL", "DEC"])) cursor.fail();
  if (!cursor.acceptSymbol("(")) return { name: "DECIMAL", digits: 10, scale: 0 };
  const digits = cursor.integer();
  const scale = cursor.acceptSymbol(",") ? cursor.integer() : 0;
  cursor.expectSymbol(")");
  if (digits > 65 || scale > 30 || scale > digits) cursor.fail();
  return { name: "DECIMAL", digits, scale };
}

function parseLength(cursor: SqlCursor): number | null {
  if (!cursor.acceptSymbol("(")) return null;
  const length = cursor.integer();
  cursor.expectSymbol(")");
  return length;
}
