import { decodeHeartbeat, decodeRotate } from "../../../src/binlog/control-events.ts";
import { EventType, eventFlags, eventTypeName } from "../../../src/binlog/event.ts";
import { decodeGtidEvent } from "../../../src/binlog/gtid-event.ts";
import type { DumpReader } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

export const NON_BLOCK = 1;
export const V2 = 2;

export function types(reader: DumpReader): string {
  return reader.events.map((event) => SHORT[eventTypeName(event[4]!)] ?? "?").join(" ");
}
export const SHORT: Record<string, string> = {
  Rotate: "ROT",
  Format_desc: "FDE",
  Previous_gtids: "PRE",
  Gtid: "G",
  Query: "Q",
  Write_rows: "W",
  Xid: "X",
  Stop: "STOP",
  Heartbeat_log_v2: "HB2",
  Heartbeat: "HB1",
};

export function gnos(reader: DumpReader): number[] {
  return reader.events
    .filter((event) => event[4] === EventType.GTID)
    .map((event) => Number(decodeGtidEvent(event, 0, event.length - 4).gno));
}

/** Names and positions of heartbeats and artificial rotates, in order. */
export function places(reader: DumpReader): string[] {
  return reader.events.flatMap((event) => {
    if (event[4] === EventType.HEARTBEAT || event[4] === EventType.HEARTBEAT_V2) {
      const { file, position } = decodeHeartbeat(event, "CRC32");
      return [`HB ${file}:${position}`];
    }
    if (event[4] !== EventType.ROTATE || eventFlags(event) !== 0x20) return [];
    const { file, position } = decodeRotate(event, "CRC32");
    return [`ROT ${file}:${position}`];
  });
}

export function twoFiles(): { stream: MemoryStream; first: FileMaker; second: FileMaker } {
  const stream = new MemoryStream(SOURCE);
  const first = new FileMaker("", { created: 77 }).transactions(1, 5).rotate("binlog.000002");
  const second = new FileMaker(`${SOURCE}:1-5`).transactions(6, 9);
  stream.addFile(first.file, "binlog.000001");
  stream.addFile(second.file, "binlog.000002");
  return { stream, first, second };
}

export const END = { flags: NON_BLOCK | V2 };
