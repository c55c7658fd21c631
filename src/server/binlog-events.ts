/**
 * SHOW BINLOG EVENTS [IN 'file'] [FROM position] [LIMIT [offset,] count]. Events are named and
 * described as a 9.7 server does for the kinds that people look for; others show an empty Info.
 */
import { ByteReader, decodeText, readU16 } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import {
  type Checksum,
  decodeFormatDescription,
  decodeRotate,
  previousGtidsBody,
} from "../binlog/control-events.ts";
import { EVENT_HEADER_BYTES, EventType, eventServerId, eventTypeName } from "../binlog/event.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { decodeGtidEvent } from "../binlog/gtid-event.ts";
import { decodeGtidSet } from "../gtid/binary.ts";
import { MysqlError, otherError } from "../mysql/errors.ts";
import { bigIntColumn, intColumn, type Row, textColumn } from "../mysql/result-set.ts";
import { locate, walkPiece } from "./locate.ts";
import type { SelectResult } from "./select.ts";
import type { SqlCursor } from "./sql.ts";
import type { StatementContext } from "./statements.ts";
import type { StreamPieces } from "./stream.ts";

const MAX_ROWS = 10_000;
const INFO_MAX = 1024;
/** Headers of events are looked at, not their bytes. */
const BYTES_PER_UNIT = 1024;
/** A larger set would take long to be made text, of which no more than the beginning is shown. */
const SET_MAX_BYTES = 64 * 1024;

export async function showBinlogEvents(
  cursor: SqlCursor,
  context: StatementContext,
): Promise<SelectResult> {
  const name = cursor.accept("IN") ? cursor.string() : null;
  const position = cursor.accept("FROM") ? cursor.integer() : 4;
  let offset = 0;
  let count = Number.POSITIVE_INFINITY;
  if (cursor.accept("LIMIT")) {
    count = cursor.integer();
    if (cursor.acceptSymbol(",")) {
      offset = count;
      count = cursor.integer();
    } else if (cursor.accept("OFFSET")) offset = cursor.integer();
  }
  cursor.expectEnd();
  const columns = [
    textColumn("Log_name", 80, 1),
    bigIntColumn("Pos", 12, 0xa1),
    textColumn("Event_type", 80, 1),
    intColumn("Server_id"),
    bigIntColumn("End_log_pos", 12, 0xa1),
    textColumn("Info", 80, 1),
  ];
  const { files } = context.stream;
  const file = name === null ? files[0] : files.find((candidate) => candidate.name === name);
  if (file === undefined) {
    if (name === null) return { columns, rows: [] };
    throw failed("Could not find target log");
  }
  return { columns, rows: await collect(context, file, position, offset, count) };
}

function failed(why: string): MysqlError {
  return new MysqlError(1220, "HY000", `Error when executing command SHOW BINLOG EVENTS: ${why}`);
}

async function collect(
  context: StatementContext,
  file: BinlogFile,
  position: number,
  offset: number,
  count: number,
): Promise<Row[]> {
  if (position < 4 || position > file.size) {
    throw failed("Wrong offset or I/O error");
  }
  const found = await locate(context.stream, file, position);
  if (found.kind !== "found") throw failed("Wrong offset or I/O error");
  const format = await context.formats.of(file);
  const checksum = format?.description.checksum ?? "CRC32";
  const rows: Row[] = [];
  let skip = offset;
  let { batch } = found;
  for (; batch !== null; batch = await found.reader.next()) {
    const bytes = batch.pieces.reduce((sum, piece) => sum + piece.chunk.body.length, 0);
    try {
      context.work.spend(bytes / BYTES_PER_UNIT);
      await context.work.pause();
    } catch (error) {
      batch.release();
      throw error;
    }
    const more = take(
      batch,
      file,
      (row) => {
        if (skip > 0) {
          skip--;
          return true;
        }
        if (rows.length >= count) return false;
        if (rows.length >= MAX_ROWS) {
          throw otherError(`More than ${MAX_ROWS} events: add LIMIT, or use mysqlbinlog`);
        }
        rows.push(row);
        return rows.length < count;
      },
      checksum,
    );
    if (!more) break;
  }
  return rows;
}

/** False when no more rows are wanted, or the file ends here. */
function take(
  batch: StreamPieces,
  file: BinlogFile,
  add: (row: Row) => boolean,
  checksum: Checksum,
): boolean {
  try {
    let more = true;
    for (const piece of batch.pieces) {
      if (piece.file !== file) return false;
      walkPiece(piece, (event, at) => {
        const { body } = piece.chunk;
        const bytes = body.subarray(
          event.eventAt,
          Math.min(body.length, event.eventAt + event.size),
        );
        more = add([
          file.name,
          String(at),
          eventTypeName(bytes[4]!),
          String(eventServerId(bytes)),
          String(at + event.size),
          bytes.length === event.size ? info(bytes, checksum) : "",
        ]);
        return more;
      });
      if (!more) return false;
    }
    return true;
  } finally {
    batch.release();
  }
}

function info(event: Uint8Array, checksum: Checksum): string {
  try {
    return printable(describe(event, checksum), INFO_MAX);
  } catch {
    return "";
  }
}

function describe(event: Uint8Array, checksum: Checksum): string {
  const end = event.length - (checksum === "CRC32" ? 4 : 0);
  const type = event[4];
  switch (type) {
    case EventType.FORMAT_DESCRIPTION:
      return `Server ver: ${decodeFormatDescription(event).serverVersion}, Binlog ver: 4`;
    case EventType.PREVIOUS_GTIDS:
      if (event.length > SET_MAX_BYTES) return "";
      return decodeGtidSet(previousGtidsBody(event, checksum)).toString();
    case EventType.GTID:
    case EventType.GTID_TAGGED: {
      const { sid, gno } = decodeGtidEvent(event, 0, end);
      return `SET @@SESSION.GTID_NEXT= '${sid}:${gno}'`;
    }
    case EventType.ROTATE: {
      const { file, position } = decodeRotate(event, checksum);
      return `${file};pos=${position}`;
    }
    case EventType.XID: {
      const xid = new ByteReader(event, EVENT_HEADER_BYTES, end).u64();
      return `COMMIT /* xid=${xid} */`;
    }
    case EventType.QUERY:
      return describeQuery(event, end);
    case 19: {
      const reader = new ByteReader(event, EVENT_HEADER_BYTES, end);
      const id = tableId(reader);
      reader.skip(2);
      const database = reader.text(reader.u8());
      reader.skip(1);
      return `table_id: ${id} (${database}.${reader.text(reader.u8())})`;
    }
    case 30:
    case 31:
    case 32:
    case 39: {
      const reader = new ByteReader(event, EVENT_HEADER_BYTES, end);
      const id = tableId(reader);
      return `table_id: ${id}${(reader.u16() & 1) !== 0 ? " flags: STMT_END_F" : ""}`;
    }
    default:
      return "";
  }
}

function tableId(reader: ByteReader): number {
  return reader.u16() + reader.u32() * 0x1_0000;
}

function describeQuery(event: Uint8Array, end: number): string {
  const body = EVENT_HEADER_BYTES;
  const databaseLength = event[body + 8]!;
  const text = body + 13 + readU16(event, body + 11);
  const database = decodeText(event.subarray(text, text + databaseLength));
  const start = text + databaseLength + 1;
  const query = decodeText(event.subarray(start, Math.min(end, start + 4 * INFO_MAX)));
  return database === "" ? query : `use \`${database}\`; ${query}`;
}
