/**
 * Where a transaction begins and ends in a stream of events.
 *
 * Two rules, each checking the other: `transaction_length` of the GTID event (8.0.2 and newer)
 * says at which byte it ends, and the table below says at which event. 5.6 and 5.7 have only the
 * table. When they disagree the stream is not what we think it is, and the pull stops.
 *
 *   first event after the GTID event      complete after
 *   TRANSACTION_PAYLOAD, INCIDENT         that event
 *   QUERY "BEGIN"                         XID, QUERY "COMMIT" or QUERY "ROLLBACK"
 *   QUERY "XA START …"                    XA_PREPARE
 *   any other QUERY (DDL, "XA COMMIT …")  that event
 *
 * INTVAR, RAND, USER_VAR, ROWS_QUERY, BEGIN_LOAD and the like may stand before the QUERY and
 * decide nothing. The tracker is pure: it sees type, size and, of a QUERY, its text.
 */
import { ByteReader } from "../base/bytes.ts";
import { EVENT_HEADER_BYTES, EventType } from "./event.ts";

export type QueryKind = "BEGIN" | "COMMIT" | "ROLLBACK" | "XA_START" | "OTHER";

/** Of a QUERY whose text is no longer than this only equality with a keyword is asked. */
const LONGEST_KEYWORD = 9;

/**
 * `head` holds the QUERY event's header and at least its status variables, database name and the
 * first bytes of its text; `start` is where the event begins in it, `bodyEnd` where the event
 * ends without checksum (it may lie beyond `head` when a large event has not arrived whole).
 *
 *   u32 thread · u32 seconds · u8 database length · u16 error · u16 status length
 *   · status variables · database · NUL · text
 */
export function queryKind(head: Uint8Array, start: number, bodyEnd: number): QueryKind {
  const reader = new ByteReader(head, start + EVENT_HEADER_BYTES);
  reader.skip(8, "query header");
  const databaseLength = reader.u8("database length");
  reader.skip(2, "error code");
  const statusLength = reader.u16("status length");
  reader.skip(statusLength + databaseLength + 1, "status variables and database");
  const length = bodyEnd - reader.offset;
  if (length < 0) reader.fail("query text");
  const known = Math.min(length, reader.remaining, LONGEST_KEYWORD);
  let text = "";
  for (let i = 0; i < known; i++) text += String.fromCharCode(head[reader.offset + i]!);
  text = text.toUpperCase();
  if (length === 5 && text === "BEGIN") return "BEGIN";
  if (length === 6 && text === "COMMIT") return "COMMIT";
  if (length === 8 && text === "ROLLBACK") return "ROLLBACK";
  if (text.startsWith("XA START ") || text.startsWith("XA BEGIN ")) return "XA_START";
  return "OTHER";
}

/** Is the whole text of a QUERY event "BEGIN"? The common case of queryKind, without a reader. */
export function isBegin(bytes: Uint8Array, event: number, end: number): boolean {
  const statusBytes = bytes[event + 30]! | (bytes[event + 31]! << 8);
  const text = event + 32 + bytes[event + 27]! + statusBytes + 1;
  return (
    end - text === 5 &&
    bytes[text] === 0x42 &&
    bytes[text + 1] === 0x45 &&
    bytes[text + 2] === 0x47 &&
    bytes[text + 3] === 0x49 &&
    bytes[text + 4] === 0x4e
  );
}

/** Bytes of a QUERY event that `queryKind` may need: fixed parts, longest status and database. */
export const QUERY_HEAD_BYTES: number = EVENT_HEADER_BYTES + 13 + 65_535 + 256 + LONGEST_KEYWORD;

export class BoundaryError extends Error {
  constructor(message: string) {
    super(`Cannot follow transaction boundaries: ${message}`);
    this.name = "BoundaryError";
  }
}

const OUTSIDE = 0;
const AFTER_GTID = 1;
const IN_TRANSACTION = 2;
const IN_XA = 3;

export class TransactionTracker {
  #state = OUTSIDE;
  /** Bytes of the transaction still to come by its own length; -1 when it does not say. */
  #remaining = -1;

  get inside(): boolean {
    return this.#state !== OUTSIDE;
  }

  /** A new pull, or a broken tail. */
  reset(): void {
    this.#state = OUTSIDE;
    this.#remaining = -1;
  }

  /** A GTID event of `size` bytes opened a transaction. */
  begin(size: number, transactionLength: number): void {
    if (this.#state !== OUTSIDE) throw new BoundaryError("a GTID event inside a transaction");
    this.#state = AFTER_GTID;
    this.#remaining = transactionLength > 0 ? transactionLength - size : -1;
    if (transactionLength > 0 && this.#remaining <= 0) {
      throw new BoundaryError(`transaction length ${transactionLength} ends in its GTID event`);
    }
  }

  /** Any other event inside a transaction; `query` for QUERY only. True when it was the last. */
  next(type: number, size: number, query: QueryKind | null): boolean {
    const ends = this.#endsByTable(type, query);
    if (this.#remaining >= 0) {
      this.#remaining -= size;
      if (this.#remaining < 0 || (this.#remaining === 0) !== ends) {
        const left = this.#remaining;
        throw new BoundaryError(
          `event type ${type} ${ends ? "ends" : "does not end"} the transaction, ` +
            `but its length says ${left === 0 ? "it does" : `${left} bytes are left`}`,
        );
      }
    }
    if (ends) this.reset();
    return ends;
  }

  #endsByTable(type: number, query: QueryKind | null): boolean {
    switch (this.#state) {
      case AFTER_GTID:
        if (type === EventType.TRANSACTION_PAYLOAD || type === EventType.INCIDENT) return true;
        if (type !== EventType.QUERY) return false;
        if (query === "BEGIN") this.#state = IN_TRANSACTION;
        else if (query === "XA_START") this.#state = IN_XA;
        else return true;
        return false;
      case IN_TRANSACTION:
        if (type === EventType.XID) return true;
        return type === EventType.QUERY && (query === "COMMIT" || query === "ROLLBACK");
      case IN_XA:
        return type === EventType.XA_PREPARE;
      default:
        throw new BoundaryError(`event type ${type} outside any transaction`);
    }
  }
}
