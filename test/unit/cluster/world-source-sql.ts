/** What a simulated source answers to the statements of a syncer. */
import { syntaxError, unknownVariable } from "../../../src/mysql/errors.ts";
import { encodeErr, encodeOk } from "../../../src/mysql/response.ts";
import { encodeResultSet, textColumn } from "../../../src/mysql/result-set.ts";
import type { WorldSource } from "./world-source.ts";

export function answerQuery(sql: string, capabilities: number, source: WorldSource): Uint8Array[] {
  const table = (names: readonly string[], rows: readonly string[][]): Uint8Array[] =>
    encodeResultSet(
      names.map((name) => textColumn(name)),
      rows,
      capabilities,
    );
  if (sql.startsWith("SET ")) return [encodeOk()];
  if (sql === "SHOW BINARY LOGS") {
    return table(
      ["Log_name"],
      source.made.map(({ name }) => [name]),
    );
  }
  if (sql.startsWith("SELECT @@GLOBAL.")) {
    const names = [...sql.matchAll(/@@GLOBAL\.(\w+)/g)].map(([, name]) => name!);
    const missing = names.find((name) => !source.variables.has(name));
    if (missing !== undefined) return [encodeErr(unknownVariable(missing))];
    return table(names, [names.map((name) => source.variables.get(name)!)]);
  }
  if (sql.startsWith("SHOW GLOBAL VARIABLES WHERE Variable_name IN ")) {
    const names = new Set([...sql.matchAll(/'(\w+)'/g)].map(([, name]) => name!));
    const rows = [...source.variables].filter(([name]) => names.has(name));
    return table(["Variable_name", "Value"], rows);
  }
  const like = /^SHOW GLOBAL STATUS LIKE '(\w+)%?'$/.exec(sql)?.[1];
  if (like === undefined) return [encodeErr(syntaxError(sql))];
  const rows = [...source.status].filter(([name]) => name.startsWith(like));
  return table(["Variable_name", "Value"], rows);
}
