/** What a simulated source sends for a dump request, by GTID or by position; as a real one does. */
import { concatBytes } from "../../../src/base/bytes.ts";
import { fakeRotate, heartbeat } from "../../../src/binlog/control-events.ts";
import { EventType, eventType } from "../../../src/binlog/event.ts";
import { decodeGtidSet, uuidFromBytes } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { BinlogDump, BinlogDumpGtid } from "../../../src/mysql/commands.ts";
import type { PacketConnection } from "../../../src/mysql/connection.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { encodeEof, encodeErr } from "../../../src/mysql/response.ts";
import { decodeSemiSyncAck } from "../../../src/mysql/semi-sync.ts";
import { delay } from "../../../src/platform/clock.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { withSemiSync } from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import type { SourceFile, WorldSource } from "./world-source.ts";

const BEAT_MS = 5_000;
const NON_BLOCK = 1;

export async function dump(
  source: WorldSource,
  connection: PacketConnection,
  command: BinlogDump | BinlogDumpGtid,
  semiSync: boolean,
  { clock }: Platform,
): Promise<void> {
  let gone = false;
  const send = async (event: Uint8Array): Promise<void> => {
    const wanted = semiSync && eventType(event) === EventType.XID;
    const body = semiSync ? withSemiSync(event, wanted) : event;
    const payload = new Uint8Array(body.length + 1);
    payload.set(body, 1);
    if (gone) return;
    const ready = connection.writePacket(payload);
    // As real sources do behind one that they want acknowledged.
    if (wanted) connection.sequence = 1;
    if (!ready) await connection.drained().catch(() => {});
  };
  void connection.closed.then(() => {
    gone = true;
    source.changed.wake();
  });
  const set = command.kind === "binlog-dump" ? new GtidSet() : command.gtids;
  const start = startOf(source, command);
  if (typeof start === "string") {
    connection.writePacket(encodeErr(new MysqlError(1236, "HY000", start)));
    return connection.end();
  }
  let file: SourceFile = start;
  const from = command.kind === "binlog-dump" ? command.position : 4;
  await send(fakeRotate(file.name, from, 1, nodeCrc32));
  let wanted = true;
  // Where what was left out ends; 0 when the other side knows of it.
  let skippedTo = 0;
  const tellSkipped = async (): Promise<void> => {
    if (skippedTo > 0) await send(heartbeat(2, file.name, skippedTo, 1, nodeCrc32));
    skippedTo = 0;
  };
  for (let next = 0, at = 4; !gone; ) {
    const event = file.maker.events[next];
    if (event !== undefined) {
      next++;
      at += event.length;
      // The description is sent in any case.
      if (at <= from && next > 1) continue;
      const type = eventType(event);
      if (type === EventType.GTID) wanted = !hasGtid(set, event);
      if (type === EventType.ROTATE) wanted = true;
      if (!wanted) {
        skippedTo = at;
        continue;
      }
      const pauseMs = source.eventDelayMs(event);
      if (pauseMs > 0) await delay(clock, pauseMs);
      await tellSkipped();
      await send(event);
      continue;
    }
    await tellSkipped();
    const following: SourceFile | undefined = source.made[source.made.indexOf(file) + 1];
    if (following !== undefined) {
      file = following;
      next = 0;
      at = 4;
      wanted = true;
      await send(fakeRotate(file.name, 4, 1, nodeCrc32));
      continue;
    }
    if ((command.flags & NON_BLOCK) !== 0) {
      connection.writePacket(encodeEof());
      return connection.end();
    }
    const beat = new AbortController();
    source.changed.once(() => beat.abort());
    await delay(clock, BEAT_MS, beat.signal);
    if (!beat.signal.aborted) await send(heartbeat(2, file.name, file.maker.size, 1, nodeCrc32));
  }
}

/** The file that a dump begins with, or what is wrong. */
function startOf(source: WorldSource, command: BinlogDump | BinlogDumpGtid): SourceFile | string {
  const files = source.made;
  if (command.file !== "") {
    const named = files.find(({ name }) => name === command.file);
    if (named === undefined) return "Could not find first log file name in binary log index file";
    if (command.kind === "binlog-dump" && command.position > named.maker.size)
      return "Client requested source to start replication from position > file size";
    return named;
  }
  if (command.kind === "binlog-dump") return files[0]!;
  const purged = GtidSet.parse(source.variables.get("gtid_purged")!);
  if (!command.gtids.containsSet(purged))
    return "Cannot replicate because the source purged required binary logs.";
  const fits = ({ maker }: SourceFile): boolean =>
    command.gtids.containsSet(previousGtids(maker.events[1]!));
  return files.findLast(fits) ?? files[0]!;
}

function previousGtids(event: Uint8Array): GtidSet {
  return decodeGtidSet(event.subarray(19, event.length - 4));
}

/** Whether the set holds what begins with this GTID event. */
function hasGtid(set: GtidSet, event: Uint8Array): boolean {
  const view = new DataView(event.buffer, event.byteOffset, event.length);
  return set.has(uuidFromBytes(event, 20), view.getBigUint64(36, true));
}

/** Beside the packets that are written: reading one by one would restart their numbers. */
export async function readAcks(
  source: WorldSource,
  connection: PacketConnection,
  from: string,
): Promise<void> {
  let rest: Uint8Array = new Uint8Array(0);
  for (;;) {
    const bytes = await connection.readStream().catch(() => null);
    if (bytes === null) return;
    rest = concatBytes([rest, bytes]);
    while (rest.length >= 4) {
      const end = 4 + (rest[0]! | (rest[1]! << 8) | (rest[2]! << 16));
      if (rest.length < end) break;
      try {
        source.onAck(decodeSemiSyncAck(rest.subarray(4, end)), from);
      } catch (error) {
        source.onBrokenAck(error as Error);
      }
      rest = rest.slice(end);
    }
  }
}
