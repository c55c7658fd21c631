/**
 * Where a pull begins at the source, proved before a byte is stored.
 *
 * A dump with a file name gets none of the source's own checks, one without zeroes `created` in
 * each format description. So: (a) a probe without a name, with our full set, on a connection of
 * its own; it lets the source check us and names the file it would start at. (b) The dump by name:
 * our last file if it is this source's and still the same file, else the probe's.
 *
 * Of our last file the set leaves out the last transaction stored. It must come again, first, at
 * the same offset with the same bytes, else somebody gave its number to other content (FORK). It
 * is not stored twice; and only so does a STOP behind it arrive.
 */
import { equalBytes } from "../base/bytes.ts";
import { ChunkFlag } from "../binlog/chunk.ts";
import {
  type Checksum,
  decodeFormatDescription,
  previousGtidsBody,
  sameFormatDescription,
} from "../binlog/control-events.ts";
import { EventType, eventLogPos, eventSize, eventType } from "../binlog/event.ts";
import { type BinlogFile, parseFileName } from "../binlog/file-view.ts";
import { frameEvent } from "../binlog/frames.ts";
import { decodeGtidSet } from "../gtid/binary.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { MysqlError } from "../mysql/errors.ts";
import type { DumpConnection } from "./dump-connection.ts";
import { type SyncerHost, SyncerStop } from "./host.ts";
import type { SourceFacts } from "./source-checks.ts";
import { StreamError } from "./stream-error.ts";

/** Last transactions up to this size are compared; for larger ones only what follows is fetched. */
export const COMPARE_BYTES: number = 16 * 1024 * 1024;
const FATAL_DUMP_ERROR = 1236;

/** Where the pull goes on, and what was read already and must go into its stream. */
export interface Attached {
  readonly file: string;
  readonly fileOffset: number;
  readonly checksum: Checksum;
  /** Chunk flags of the pull's first chunk. */
  readonly flags: number;
  /** Packets, framed as they came, to be pushed first. */
  readonly pushed: readonly Uint8Array[];
}

/** What our set lacks or has too many against the source's. `executed` is ours. */
export function checkSets(
  host: SyncerHost,
  facts: SourceFacts,
  executed: GtidSet = host.stream.executed,
): void {
  const { source } = host.stream;
  const missing = facts.purged.subtract(executed);
  const extra = executed.subtract(facts.executed);
  if (!extra.isEmpty) {
    const gtids = { stored: executed.toString(), "missing at the source": extra.toString() };
    if (source === null || source.uuid === facts.uuid) {
      throw new SyncerStop(
        "FORK",
        `The source ${facts.uuid} no longer has transactions that were pulled from it: ` +
          "it was reset, restored from an older backup, or lost them in a crash",
        "point to a server that has them (binraft syncer set), or begin anew (binraft syncer new-timeline)",
        gtids,
      );
    }
    throw new SyncerStop(
      "REFUSED",
      `The server ${facts.uuid} lacks transactions that are stored here: replicas would be ahead of it`,
      "let that server catch up from binraft first, or point to another (binraft syncer set)",
      gtids,
    );
  }
  if (!missing.isEmpty) throw gap(missing, executed, facts.purged);
}

function gap(missing: GtidSet, executed: GtidSet, purged: GtidSet): SyncerStop {
  return new SyncerStop(
    "GAP",
    "The source has purged transactions that are not stored here",
    "point to a server that still has them (binraft syncer set), or give them up for good " +
      `(binraft syncer accept-gap '${missing}')`,
    {
      missing: missing.toString(),
      stored: executed.toString(),
      "purged at the source": purged.toString(),
    },
  );
}

/** The file that the source would start us at. Its own checks become our states. */
export async function probe(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
): Promise<string> {
  const set = host.stream.executed;
  dump.startGtidDump(0, "", set, true);
  try {
    return (await dump.startFile(facts.checksum)).file;
  } catch (error) {
    if (!(error instanceof MysqlError) || error.errno !== FATAL_DUMP_ERROR) throw error;
    const text = error.message;
    if (/purged/.test(text)) throw gap(facts.purged.subtract(set), set, facts.purged);
    if (/more GTIDs/.test(text)) {
      throw new SyncerStop(
        "FORK",
        `The source says: ${text}`,
        "find out which side lost transactions; then point to a server that has them all (binraft " +
          "syncer set), or begin anew (binraft syncer new-timeline)",
        { stored: set.toString(), "executed at the source": facts.executed.toString() },
      );
    }
    throw new SyncerStop(
      "REFUSED",
      `The source refuses the dump: ${text}`,
      "mend the source, then binraft syncer start",
    );
  } finally {
    dump.client.connection.destroy();
  }
}

/** Whether the source still has a file: asked by a dump, which waits for no lock that a commit holds. */
export async function hasFile(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  file: BinlogFile,
): Promise<boolean> {
  dump.startGtidDump(0, file.sourceName, host.stream.executed, true);
  try {
    await dump.startFile(facts.checksum);
    return true;
  } catch (error) {
    if (error instanceof MysqlError && /Could not find first log file/i.test(error.message))
      return false;
    throw error;
  } finally {
    dump.client.connection.destroy();
  }
}

/** Our last file, if this source wrote it and has nothing newer under that name. */
export function resumableFile(
  host: SyncerHost,
  facts: SourceFacts,
  probed: string,
): BinlogFile | null {
  const { file, epoch } = host.stream;
  if (file === null || file.sourceUuid !== facts.uuid || file.epoch !== epoch) return null;
  const ours = parseFileName(file.sourceName)?.number ?? 0;
  const theirs = parseFileName(probed)?.number ?? 0;
  if (theirs < ours) {
    throw new SyncerStop(
      "FORK",
      `The source would start us at "${probed}", before our last file "${file.sourceName}": its logs were reset`,
      "begin anew (binraft syncer new-timeline), or point to another server (binraft syncer set)",
      {
        stored: host.stream.executed.toString(),
        "executed at the source": facts.executed.toString(),
      },
    );
  }
  return file;
}

/** The set for a dump of `file`: without the last transaction, when it stands in there and is not huge. */
export function dumpSet(host: SyncerHost, file: BinlogFile | null): GtidSet {
  const { executed, last } = host.stream;
  const set = executed.clone();
  if (
    file === null ||
    last === null ||
    last.file !== file.name ||
    last.eventBytes > COMPARE_BYTES
  ) {
    return set;
  }
  const without = new GtidSet();
  without.add(last.sid, last.gno);
  return set.subtract(without);
}

/** Reads and checks the beginning of a dump of a file that we hold a part of. */
export async function resume(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  file: BinlogFile,
): Promise<Attached> {
  const checksum = await sameStart(dump, host, facts, file);
  const { last } = host.stream;
  const compared = last !== null && last.file === file.name && last.eventBytes <= COMPARE_BYTES;
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
    if (dump.heartbeatPosition(event, checksum) !== null) continue;
    const end = (from + at + event.length) % 0x1_0000_0000;
    const same =
      eventLogPos(event) === end && equalBytes(event, stored.subarray(at, at + event.length));
    if (!same) throw forked(host, facts, file);
    at += event.length;
  }
  return {
    file: file.sourceName,
    fileOffset: file.size,
    checksum,
    flags: ChunkFlag.RESTARTS,
    pushed: [],
  };
}

function forked(host: SyncerHost, facts: SourceFacts, file: BinlogFile): SyncerStop {
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

/** FORMAT_DESCRIPTION and PREVIOUS_GTIDS of the named file are those stored. */
async function sameStart(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  file: BinlogFile,
): Promise<Checksum> {
  const start = await dump.startFile(facts.checksum);
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
  // A file cut off right behind its description holds no PREVIOUS_GTIDS of ours to compare.
  if (file.size > 4 + fde.event.length) {
    const same =
      eventType(previous.event) === EventType.PREVIOUS_GTIDS &&
      equalBytes(previous.event, stored.subarray(fde.event.length));
    if (!same) throw forked(host, facts, file);
  }
  return checksum;
}

/** Reads the beginning of a file that we hold nothing of; it is stored from its first byte. */
export async function begin(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  name: string,
): Promise<Attached> {
  const start = await dump.startFile(facts.checksum);
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
  if (!missing.isEmpty) throw gap(missing, host.stream.executed, facts.purged);
  const pushed = [
    frameEvent(fde.payload.subarray(1), 1),
    frameEvent(previous.payload.subarray(1), 2),
  ];
  return { file: name, fileOffset: 4, checksum: facts.checksum, flags: ChunkFlag.RESTARTS, pushed };
}
