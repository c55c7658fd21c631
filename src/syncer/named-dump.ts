/**
 * The dump by name that the pull reads from, and the proof that its beginning is.
 *
 * Of a file that we hold a part of, FORMAT_DESCRIPTION (with the second in which the file was
 * made) and PREVIOUS_GTIDS must be the stored ones. The set leaves out the last transaction stored
 * in it. It must come again, first, at the same offset with the same bytes, else somebody gave its
 * number to other content (FORK). It is not stored twice; and only so does a STOP behind it arrive.
 * One over COMPARE_BYTES is not sent again but proved beforehand (last-proof.ts).
 */
import { equalBytes } from "../base/bytes.ts";
import {
  type Checksum,
  decodeFormatDescription,
  previousGtidsBody,
  sameFormatDescription,
} from "../binlog/control-events.ts";
import { EventType, eventLogPos, eventSize, eventType } from "../binlog/event.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { frameEvent } from "../binlog/frames.ts";
import type { LastTransaction } from "../binlog/stream-state.ts";
import { decodeGtidSet } from "../gtid/binary.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { DumpConnection } from "./dump-connection.ts";
import { type SyncerHost, SyncerStop } from "./host.ts";
import type { SourceFacts } from "./source-checks.ts";
import { gap } from "./source-sets.ts";
import { StreamError } from "./stream-error.ts";

/** Last transactions up to this size are sent again and compared. */
export const COMPARE_BYTES: number = 16 * 1024 * 1024;

/** Where the pull goes on, and what was read already and must go into its stream. */
export interface Attached {
  readonly file: string;
  readonly fileOffset: number;
  readonly checksum: Checksum;
  /** Packets, framed as they came, to be pushed first. */
  readonly pushed: readonly Uint8Array[];
}

/** The last transaction stored, when it stands in this file. */
export function lastIn(host: SyncerHost, file: BinlogFile): LastTransaction | null {
  const { last } = host.stream;
  return last?.file === file.name ? last : null;
}

/** The set for a dump of a file that we hold a part of. */
export function dumpSet(host: SyncerHost, file: BinlogFile): GtidSet {
  const last = lastIn(host, file);
  const { executed } = host.stream;
  return last === null || last.eventBytes > COMPARE_BYTES ? executed : without(executed, last);
}

export function without(set: GtidSet, { sid, gno }: LastTransaction): GtidSet {
  const one = new GtidSet();
  one.add(sid, gno);
  return set.subtract(one);
}

/** Reads and checks the beginning of a dump of a file that we hold a part of. */
export async function resume(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  file: BinlogFile,
): Promise<Attached> {
  const { checksum, pushed } = await sameStart(dump, host, facts, file);
  const last = lastIn(host, file);
  const compared = last !== null && last.eventBytes <= COMPARE_BYTES;
  // From the last transaction to our end: a stored ROTATE or STOP comes again as well.
  const from = compared ? last.fileOffset : file.size;
  const stored = compared
    ? await host.storedEvents(last.start, file.size - last.fileOffset)
    : new Uint8Array(0);
  let at = 0;
  while (at < stored.length) {
    const next = await dump.nextEvent();
    if (next === null)
      throw new StreamError("malformed", "The dump ended before our last transaction");
    const { event } = next;
    const beat = dump.heartbeat(event, checksum);
    if (beat !== null) {
      // The source is past the place where it should have sent it.
      if (!beat.wraps && beat.position > from + at) throw forked(host, facts, file);
      continue;
    }
    const end = (from + at + event.length) % 0x1_0000_0000;
    const same =
      eventLogPos(event) === end && equalBytes(event, stored.subarray(at, at + event.length));
    if (!same) throw forked(host, facts, file);
    at += event.length;
  }
  const isEnded = file.end === "rotate" || file.end === "stop";
  const behind = !compared && isEnded ? await sameEnd(dump, host, facts, file, checksum) : [];
  return {
    file: file.sourceName,
    fileOffset: file.size,
    checksum,
    pushed: [...pushed, ...behind],
  };
}

/**
 * Of a file that has ended and whose last transaction does not come again: its ROTATE comes, its STOP
 * only if nothing before it was left out. What comes instead goes into the stream.
 */
async function sameEnd(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  file: BinlogFile,
  checksum: Checksum,
): Promise<readonly Uint8Array[]> {
  const stored = await host.storedTail(1, COMPARE_BYTES);
  for (;;) {
    const next = await dump.nextEvent();
    if (next === null) throw new StreamError("malformed", "The dump ended behind our last file");
    // How far the source left out what is stored here.
    if (dump.heartbeat(next.event, checksum) !== null) continue;
    if (equalBytes(next.event, stored)) return [];
    // The source's own events have a place in its file; those that it only sends have none.
    if (eventLogPos(next.event) !== 0) throw forked(host, facts, file);
    return [frameEvent(next.payload.subarray(1), 1)];
  }
}

export function forked(host: SyncerHost, facts: SourceFacts, file: BinlogFile): SyncerStop {
  const last = host.stream.last;
  const gtid = last === null ? "" : `${last.sid}:${last.gno}`;
  return new SyncerStop(
    "FORK",
    `The source ${facts.uuid} has other content than is stored here${gtid === "" ? "" : ` for ${gtid}`} in ` +
      `"${file.sourceName}": it gave used numbers to other transactions`,
    "point to the server whose content is right (binraft syncer set), or begin anew (binraft syncer new-timeline)",
    { "last stored": gtid, stored: host.stream.executed.toString() },
  );
}

/**
 * FORMAT_DESCRIPTION and PREVIOUS_GTIDS of the named file are those stored; what is not, though it was read,
 * goes into the stream.
 */
async function sameStart(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  file: BinlogFile,
): Promise<Pick<Attached, "checksum" | "pushed">> {
  const start = await dump.startFile();
  if (start.file !== file.sourceName) {
    throw new StreamError(
      "malformed",
      `The dump begins in "${start.file}", not in "${file.sourceName}"`,
    );
  }
  const point = { entry: file.startEntry, offset: 0 };
  const fde = await dump.nextEvent();
  if (fde === null || eventType(fde.event) !== EventType.FORMAT_DESCRIPTION) {
    throw new StreamError("malformed", "The dump has no format description");
  }
  const previous = await dump.nextEvent();
  const wanted = fde.event.length + (previous?.event.length ?? 0);
  const stored = await host.storedEvents(point, wanted);
  const storedFde = stored.subarray(0, Math.min(eventSize(stored), stored.length));
  if (!sameFormatDescription(fde.event, storedFde)) throw forked(host, facts, file);
  const { checksum } = decodeFormatDescription(fde.event);
  if (previous === null)
    throw new StreamError("malformed", "The dump ended behind its description");
  // The pull before broke right behind the description.
  if (file.size <= 4 + fde.event.length)
    return { checksum, pushed: [frameEvent(previous.payload.subarray(1), 1)] };
  const same =
    eventType(previous.event) === EventType.PREVIOUS_GTIDS &&
    equalBytes(previous.event, stored.subarray(fde.event.length));
  if (!same) throw forked(host, facts, file);
  return { checksum, pushed: [] };
}

/** Reads the beginning of a file that we hold nothing of; it is stored from its first byte. */
export async function begin(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  name: string,
): Promise<Attached> {
  const start = await dump.startFile();
  if (start.file !== name) {
    throw new StreamError("malformed", `The dump begins in "${start.file}", not in "${name}"`);
  }
  const fde = await dump.nextEvent();
  const previous = await dump.nextEvent();
  if (fde === null || previous === null || eventType(fde.event) !== EventType.FORMAT_DESCRIPTION) {
    throw new StreamError("malformed", "The dump has no format description");
  }
  const { checksum } = decodeFormatDescription(fde.event);
  if (eventType(previous.event) !== EventType.PREVIOUS_GTIDS) {
    throw new SyncerStop(
      "REFUSED",
      `File "${name}" has no PREVIOUS_GTIDS: it was written before GTIDs were switched on`,
      "on the source: FLUSH BINARY LOGS, then PURGE BINARY LOGS TO the first file written since",
    );
  }
  const before = decodeGtidSet(previousGtidsBody(previous.event, checksum));
  const missing = before.subtract(host.stream.executed);
  if (!missing.isEmpty) throw gap(host, facts, missing, host.stream.executed);
  const pushed = [
    frameEvent(fde.payload.subarray(1), 1),
    frameEvent(previous.payload.subarray(1), 2),
  ];
  return { file: name, fileOffset: 4, checksum, pushed };
}
