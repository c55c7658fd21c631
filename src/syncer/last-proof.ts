/**
 * The proof of a last transaction that is too large to be sent again: of COMPARE_BYTES and more.
 *
 * Head: a dump by name without it in the set begins with it; its first events, up to HEAD_BYTES,
 * are the stored ones. The GTID event is among them, which since 8.0 tells the transaction's length
 * and the microsecond of its commit.
 * Tail: a dump by position, from its last event to our end of the file. What comes then may be a
 * STOP: a dump whose set holds the file's last transaction gets none, so it is taken from here and
 * stored as a pull of its own.
 *
 * Both run on connections without semi-sync, since a dump request is an acknowledgement, and end
 * as soon as enough was seen. The position in a dump command has 32 bits: beyond 4 GiB the head is
 * the proof, and a file that ends with a STOP counts as ended by a crash.
 */
import { equalBytes } from "../base/bytes.ts";
import { ChunkFlag, type Pull, type SourceIdentity } from "../binlog/chunk.ts";
import { decodeFormatDescription } from "../binlog/control-events.ts";
import { EventType, eventSize, eventType } from "../binlog/event.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { frameEvent } from "../binlog/frames.ts";
import type { LastTransaction } from "../binlog/stream-state.ts";
import { MysqlError } from "../mysql/errors.ts";
import { PacketTooLarge } from "../mysql/packet.ts";
import type { DumpConnection } from "./dump-connection.ts";
import { EventStream } from "./event-stream.ts";
import type { SyncerHost } from "./host.ts";
import { COMPARE_BYTES, forked, without } from "./named-dump.ts";
import type { SourceFacts } from "./source-checks.ts";
import { StreamError } from "./stream-error.ts";

const HEAD_BYTES = 1024 * 1024;
const MAX_POSITION = 0xffff_ffff;
const EVENT_HEADER_BYTES = 19;
/** What a source answers when our end is no place in its file where an event begins. */
const NO_SUCH_PLACE =
  /position > file size|bogus data|truncated in the middle|crc check|max_allowed_packet/i;

export interface LastProof {
  readonly host: SyncerHost;
  readonly facts: SourceFacts;
  readonly file: BinlogFile;
  readonly last: LastTransaction;
  readonly pull: Pull;
  readonly crc32: (bytes: Uint8Array, previous?: number) => number;
  /** A connection without semi-sync. */
  readonly probing: () => Promise<DumpConnection>;
}

/** Rejects with a FORK when it is another one. */
export async function proveLast(proof: LastProof): Promise<void> {
  await sameHead(await proof.probing(), proof);
  const stop = await sameTail(await proof.probing(), proof);
  if (stop !== null) await storeStop(stop, proof);
}

async function sameHead(dump: DumpConnection, proof: LastProof): Promise<void> {
  const { host, facts, file, last } = proof;
  const stored = await host.storedEvents(last.start, HEAD_BYTES);
  dump.startGtidDump(0, file.sourceName, without(host.stream.executed, last), true);
  try {
    await dump.startFile();
    for (let at = 0; at + EVENT_HEADER_BYTES <= stored.length; ) {
      // One that cannot be read whole ends the head.
      if (eventSize(stored.subarray(at)) > COMPARE_BYTES) return;
      const event = await nextEvent(dump, proof);
      if (at === 0 && isBefore(eventType(event))) continue;
      const length = Math.min(event.length, stored.length - at);
      if (!equalBytes(event.subarray(0, length), stored.subarray(at, at + length)))
        throw forked(host, facts, file);
      at += event.length;
    }
  } finally {
    dump.client.connection.destroy();
  }
}

/** What a dump begins with, and how it tells of what was skipped. */
function isBefore(type: number): boolean {
  return (
    type === EventType.FORMAT_DESCRIPTION ||
    type === EventType.PREVIOUS_GTIDS ||
    type === EventType.HEARTBEAT ||
    type === EventType.HEARTBEAT_V2
  );
}

/** The STOP behind our end; null when there is none. */
async function sameTail(dump: DumpConnection, proof: LastProof): Promise<Uint8Array | null> {
  const { host, facts, file } = proof;
  // Behind the transaction's last event our end may have a ROTATE or STOP.
  const stored = await host.storedTail(file.end === "open" ? 1 : 2, COMPARE_BYTES);
  const position = file.size - stored.length;
  try {
    if (position > MAX_POSITION) return null;
    dump.startFileDump(0, file.sourceName, position);
    await dump.startFile();
    const description = await nextEvent(dump, proof);
    if (eventType(description) !== EventType.FORMAT_DESCRIPTION)
      throw new StreamError("malformed", "The dump has no format description");
    for (let at = 0; at < stored.length; ) {
      const event = await nextEvent(dump, proof);
      if (!equalBytes(event, stored.subarray(at, at + event.length)))
        throw forked(host, facts, file);
      at += event.length;
    }
    const next = file.end === "open" ? await dump.nextEvent() : null;
    return next !== null && eventType(next.event) === EventType.STOP ? next.event : null;
  } catch (error) {
    if (error instanceof MysqlError && NO_SUCH_PLACE.test(error.message))
      throw forked(host, facts, file);
    if (error instanceof PacketTooLarge) return null;
    throw error;
  } finally {
    dump.client.connection.destroy();
  }
}

/** An end is no difference: a source that shuts down ends its dumps, too. */
async function nextEvent(dump: DumpConnection, proof: LastProof): Promise<Uint8Array> {
  try {
    const next = await dump.nextEvent();
    if (next !== null) return next.event;
  } catch (error) {
    // Ours would fit: this is another one.
    if (error instanceof PacketTooLarge) throw forked(proof.host, proof.facts, proof.file);
    throw error;
  }
  throw new StreamError("malformed", "The dump ended before our last transaction");
}

async function storeStop(stop: Uint8Array, proof: LastProof): Promise<void> {
  const { host, facts, file, pull, crc32 } = proof;
  const { stream } = host;
  const fde = await host.storedEvents({ entry: file.startEntry, offset: 0 }, 1024);
  const events = new EventStream({
    semiSync: false,
    crc32,
    checksum: decodeFormatDescription(fde.subarray(0, eventSize(fde))).checksum,
    cursor: {
      epoch: stream.epoch,
      pull: { term: pull.term, id: pull.id - 1 },
      source: sourceOf(facts),
      pullSequence: 0,
      streamOffset: stream.visibleEnd,
      file: file.sourceName,
      fileOffset: file.size,
      sequence: stream.visibleSequence,
      flags: ChunkFlag.RESTARTS,
    },
  });
  events.push(frameEvent(stop, 1));
  const chunk = events.takeReady();
  if (chunk === null) return;
  host.propose(chunk.payload);
  await host.settled();
}

export function sourceOf({ uuid, version }: SourceFacts): SourceIdentity {
  return { uuid, version };
}
