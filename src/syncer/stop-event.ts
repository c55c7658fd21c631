/**
 * The STOP behind a last transaction that is too large to be sent again: a dump whose set holds
 * that transaction gets no STOP, so it is fetched by position, on a connection without semi-sync
 * (a dump by position counts as an acknowledgement), and stored as a pull of its own.
 */
import { ChunkFlag, type Pull } from "../binlog/chunk.ts";
import { decodeFormatDescription } from "../binlog/control-events.ts";
import { EventType, eventType } from "../binlog/event.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { frameEvent } from "../binlog/frames.ts";
import type { DumpConnection } from "./dump-connection.ts";
import { EventStream } from "./event-stream.ts";
import type { SyncerHost } from "./host.ts";

const MAX_POSITION = 0xffff_ffff;

export async function storeStop(
  dump: DumpConnection,
  host: SyncerHost,
  file: BinlogFile,
  pull: Pull,
  crc32: (bytes: Uint8Array, previous?: number) => number,
): Promise<void> {
  // The command's position has 32 bits; a larger file keeps its tail unknown until it rotates.
  if (file.end !== "open" || file.size > MAX_POSITION) return;
  try {
    await dump.client.execute(
      "SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'",
    );
    dump.startFileDump(0, file.sourceName, file.size);
    await dump.startFile("CRC32");
    const fde = await dump.nextEvent();
    const next = fde === null ? null : await dump.nextEvent();
    if (fde === null || next === null || eventType(next.event) !== EventType.STOP) return;
    const stream = host.stream;
    const events = new EventStream({
      semiSync: false,
      crc32,
      checksum: decodeFormatDescription(fde.event).checksum,
      cursor: {
        epoch: stream.epoch,
        pull: { term: pull.term, id: pull.id - 1 },
        pullSequence: 0,
        streamOffset: stream.visibleEnd,
        file: file.sourceName,
        fileOffset: file.size,
        sequence: stream.visibleSequence,
        flags: ChunkFlag.RESTARTS,
      },
    });
    events.push(frameEvent(next.event, 1));
    const chunk = events.takeReady();
    if (chunk !== null) {
      host.propose(chunk.payload);
      await host.settled();
    }
  } finally {
    dump.client.connection.destroy();
  }
}
