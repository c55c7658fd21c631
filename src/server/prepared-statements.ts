/**
 * Prepared statements of one session (manual, "COM_STMT_PREPARE" and what follows it). What is
 * answered as text is answered here too, with parameters for values. A statement is kept as its
 * text and parsed anew each time: parsing costs microseconds. Bounded: as many as a client may
 * hold, each as long as a command, and long data as long as a user variable.
 */
import { concatBytes, decodeText, MalformedBytes } from "../base/bytes.ts";
import { MysqlError, malformedPacket } from "../mysql/errors.ts";
import { type Bound, decodeBinding } from "../mysql/prepared.ts";
import type { ClientShare } from "./client-budget.ts";
import { double, int, NULL, text, type Value } from "./value.ts";

const MAX_STATEMENTS = 256;
const MAX_LONG_DATA_BYTES = 64 * 1024;
/** Beside its text. */
const ENTRY_BYTES = 512;

interface Prepared {
  readonly sql: string;
  readonly parameters: number;
  types: readonly number[];
  /** By the number of the parameter. */
  readonly longData: Map<number, Uint8Array[]>;
  longBytes: number;
  /** More long data came than there is room for: the execution tells. */
  tooLong: boolean;
}

export class PreparedStatements {
  readonly #share: Pick<ClientShare, "hold" | "release">;
  readonly #statements = new Map<number, Prepared>();
  #lastId = 0;

  constructor(share: Pick<ClientShare, "hold" | "release">) {
    this.#share = share;
  }

  /** Gives its id. Throws 1461 when there are too many, 1226 beyond the budget. */
  add(sql: string, parameters: number): number {
    if (this.#statements.size >= MAX_STATEMENTS) {
      throw new MysqlError(
        1461,
        "42000",
        `Can't create more than max_prepared_stmt_count statements (current value: ${MAX_STATEMENTS})`,
      );
    }
    this.#share.hold(ENTRY_BYTES + 2 * sql.length);
    this.#lastId = (this.#lastId % 0xffffffff) + 1;
    const entry = { sql, parameters, types: [], longData: new Map(), longBytes: 0, tooLong: false };
    this.#statements.set(this.#lastId, entry);
    return this.#lastId;
  }

  /** The statement with the values that an execution brings. Throws 1243 for an unknown one. */
  bind(
    id: number,
    flags: number,
    rest: Uint8Array,
    capabilities: number,
  ): { readonly sql: string; readonly values: readonly Value[] } {
    const entry = this.#get(id, "mysqld_stmt_execute");
    if (entry.tooLong) {
      this.#dropLongData(entry);
      throw new MysqlError(
        1153,
        "08S01",
        "Parameter of prepared statement which is set through mysql_send_long_data() is longer than " +
          "'max_allowed_packet' bytes",
      );
    }
    try {
      const long = (index: number): Bound | null => {
        const parts = entry.longData.get(index);
        return parts === undefined ? null : { kind: "text", value: joined(parts) };
      };
      const { sql, parameters, types } = entry;
      const binding = decodeBinding(rest, flags, parameters, types, long, capabilities);
      entry.types = binding.types;
      return { sql, values: binding.values.map(asValue) };
    } catch (error) {
      if (error instanceof MalformedBytes) throw malformedPacket();
      throw error;
    } finally {
      this.#dropLongData(entry);
    }
  }

  /** No answer: what is wrong is told at the execution. */
  sendLongData(id: number, parameter: number, bytes: Uint8Array): void {
    const entry = this.#statements.get(id);
    if (entry === undefined || parameter >= entry.parameters) return;
    entry.tooLong ||= entry.longBytes + bytes.length > MAX_LONG_DATA_BYTES;
    if (entry.tooLong || !this.#hold(bytes.length)) {
      entry.tooLong = true;
      return;
    }
    entry.longBytes += bytes.length;
    const parts = entry.longData.get(parameter);
    if (parts === undefined) entry.longData.set(parameter, [bytes.slice()]);
    else parts.push(bytes.slice());
  }

  #hold(bytes: number): boolean {
    try {
      this.#share.hold(bytes);
      return true;
    } catch (error) {
      if (error instanceof MysqlError) return false;
      throw error;
    }
  }

  /** Throws 1243. */
  reset(id: number): void {
    this.#dropLongData(this.#get(id, "mysqld_stmt_reset"));
  }

  close(id: number): void {
    const entry = this.#statements.get(id);
    if (entry === undefined) return;
    this.#dropLongData(entry);
    this.#share.release(ENTRY_BYTES + 2 * entry.sql.length);
    this.#statements.delete(id);
  }

  clear(): void {
    for (const id of [...this.#statements.keys()]) this.close(id);
  }

  #get(id: number, to: string): Prepared {
    const entry = this.#statements.get(id);
    if (entry !== undefined) return entry;
    throw new MysqlError(
      1243,
      "HY000",
      `Unknown prepared statement handler (${id}) given to ${to}`,
    );
  }

  #dropLongData(entry: Prepared): void {
    this.#share.release(entry.longBytes);
    entry.longBytes = 0;
    entry.tooLong = false;
    entry.longData.clear();
  }
}

function joined(parts: readonly Uint8Array[]): string {
  return decodeText(concatBytes([...parts]));
}

function asValue(bound: Bound): Value {
  switch (bound.kind) {
    case "null":
      return NULL;
    case "int":
      return int(bound.value);
    case "double":
      return double(bound.value);
    case "text":
      return text(bound.value);
  }
}
