/**
 * Where a dump begins, and every reason to refuse one (manual, "COM_BINLOG_DUMP",
 * "COM_BINLOG_DUMP_GTID"). The order of checks and the texts are a 9.7 source's.
 *
 * 1236 stops a replica for good, so it is sent only for what the cluster lacks too: `confirmMissing`
 * (a read index) says so. Otherwise this node is behind: it waits a while for the stream, then
 * gives up with NotHereYet, on which the connection is closed and the replica tries again.
 *
 * What differs from a source: "more GTIDs than the source" looks at every server_uuid that has
 * been our source, since all of them wrote this log. The start file comes from our own record of
 * what the stream had before each file, not from PREVIOUS_GTIDS events.
 *
 * Flag 4 ("my tagged GTIDs are left out"): a replica sets it only towards a server below 8.3, and
 * our greeting never is. Where a proxy rewrote it we cannot know which tagged transactions the
 * replica has: it is served all of them (a replica passes over what it has executed), and refused
 * as purged when some were purged. None is ever left out that it may need.
 */

import { ChunkFlag } from "../binlog/chunk.ts";
import { EVENT_HEADER_BYTES, eventSize } from "../binlog/event.ts";
import { type BinlogFile, parseFileName } from "../binlog/file-view.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import { sidUuid } from "../gtid/sid.ts";
import {
  fatalDumpError,
  MESSAGE_MAX_BYTES,
  type MysqlError,
  moreGtids,
  positionBelowFour,
  positionBeyondFile,
  purgedGtids,
  unknownFirstFile,
} from "../mysql/errors.ts";
import { Exclusion } from "./exclusion.ts";
import { locate } from "./locate.ts";
import type { BinlogStream, StreamPieces, StreamReader } from "./stream.ts";

/** What the dump command asks for. */
export interface DumpRequest {
  /** Null for a dump by file and position. */
  readonly gtids: GtidSet | null;
  /** Empty: by the set, or the first file. */
  readonly file: string;
  readonly position: number;
}

export interface DumpStart {
  readonly file: BinlogFile;
  /** Where in the file the first event stands that may be sent; 4 for the whole file. */
  readonly position: number;
  readonly reader: StreamReader;
  /** Read while the position was searched; the dump releases it. */
  readonly batch: StreamPieces | null;
  readonly exclusion: Exclusion | null;
  /** No event begins at the position: the description is sent, then this. */
  readonly broken: BrokenPosition | null;
  /** Every FORMAT_DESCRIPTION goes out with `created` = 0: the replica did not start anew. */
  readonly zeroCreated: boolean;
}

/** What a source says when it takes the bytes at a position for an event's header. */
export interface BrokenPosition {
  readonly text: string;
  readonly lastByteEnd: number;
}

/** This node does not have it and cannot tell whether the cluster does: close, do not refuse. */
export class NotHereYet extends Error {
  constructor(what: string) {
    super(`Not on this node yet: ${what}`);
    this.name = "NotHereYet";
  }
}

export type Missing = "older" | "newer";

export interface StartOptions {
  /**
   * True when the cluster lacks what this node lacks: what is older than the files here, or what may
   * still come. A rejection counts as false.
   */
  confirmMissing(what: Missing): Promise<boolean>;
  /**
   * False while this node has not come to the timeline that the cluster is on. A replica that was built on that one
   * may be told by no GTID set from one of the old, and would get transactions of both.
   */
  isOnTimeline(): Promise<boolean>;
  /** Resolves when the stream has advanced (true) or it was waited for long enough (false). */
  waitForMore(): Promise<boolean>;
  /** Awaited between pieces of work with large sets. */
  turn(): Promise<void>;
}

type Choice =
  | { readonly kind: "file"; readonly file: BinlogFile; readonly position: number }
  /** It may come; `error` when nothing but a read index can tell that it will not. */
  | {
      readonly kind: "missing";
      readonly error: MysqlError | null;
      readonly what: string;
      readonly side: Missing;
    };

export async function findStart(
  stream: BinlogStream,
  request: DumpRequest,
  options: StartOptions,
): Promise<DumpStart> {
  if (request.position < 4) throw positionBelowFour();
  while (!(await options.isOnTimeline()))
    if (!(await options.waitForMore())) throw new NotHereYet("the timeline that the cluster is on");
  const choice = await confirmed(stream, request, options);
  const exclusion = request.gtids === null ? null : new Exclusion(request.gtids);
  const { file, position } = choice;
  if (position === 4) {
    const zeroCreated =
      exclusion !== null && request.file === "" && (await skipsFirst(stream, file, exclusion));
    const reader = stream.read(file.startEntry);
    return { file, position, reader, batch: null, exclusion, broken: null, zeroCreated };
  }
  const found = await locate(stream, file, position);
  const start = { file, position, exclusion, zeroCreated: false };
  switch (found.kind) {
    case "found":
      return { ...start, reader: found.reader, batch: found.batch, broken: null };
    case "inside-event": {
      const broken = readAsEvent(found.bytes, position, file.size);
      return { ...start, reader: stream.read(file.startEntry), batch: null, broken };
    }
    case "hole":
      throw fatalDumpError(
        `Position ${position} of file "${file.name}" was not pulled from the source: use GTID auto-position`,
      );
    case "beyond":
      throw new NotHereYet(`position ${position} of file "${file.name}"`);
  }
}

async function confirmed(
  stream: BinlogStream,
  request: DumpRequest,
  options: StartOptions,
): Promise<{ file: BinlogFile; position: number }> {
  for (;;) {
    let choice = await choose(stream, request, options);
    if (choice.kind === "file") return choice;
    const { error, side } = choice;
    if (error !== null && (await options.confirmMissing(side).catch(() => false))) {
      choice = await choose(stream, request, options);
      if (choice.kind === "file") return choice;
      // Meanwhile the stream went on: what is missing now may be at the other end, and others have it.
      if (choice.error !== null && choice.side !== side) continue;
      if (choice.error !== null) throw choice.error;
    }
    if (!(await options.waitForMore())) throw new NotHereYet(choice.what);
  }
}

async function choose(
  stream: BinlogStream,
  request: DumpRequest,
  options: StartOptions,
): Promise<Choice> {
  if (request.file !== "") return chooseNamed(stream, request);
  if (request.gtids !== null) {
    return chooseByGtid(stream, request.gtids, request.position, options);
  }
  const first = stream.files.find((file) => file.epoch === stream.epoch);
  if (first === undefined) return absent(null, "a first file", "newer");
  return checkSize(first, request.position);
}

function chooseNamed(stream: BinlogStream, request: DumpRequest): Choice {
  const file = stream.files.find((candidate) => candidate.name === request.file);
  if (file === undefined && isAnnounced(stream, request.file)) {
    return absent(null, "the file that the last ROTATE names", "newer");
  }
  // By GTID only the current epoch is served: the sets of an older one mean something else.
  if (file === undefined || (request.gtids !== null && file.epoch !== stream.epoch)) {
    return absent(unknownFirstFile(), "the named file", "older");
  }
  return checkSize(file, request.position);
}

function absent(error: MysqlError | null, what: string, side: Missing): Choice {
  return { kind: "missing", error, what, side };
}

/** A replica that was sent the last file's ROTATE asks for the next one, which has not begun yet. */
function isAnnounced(stream: BinlogStream, name: string): boolean {
  const last = stream.files.at(-1);
  if (last === undefined || last.end !== "rotate") return false;
  const [asked, known] = [parseFileName(name), parseFileName(last.name)];
  return asked !== null && asked.base === known?.base && asked.number > known.number;
}

function checkSize(file: BinlogFile, position: number): Choice {
  if (position <= file.size) return { kind: "file", file, position };
  return absent(positionBeyondFile(), `position ${position}`, "newer");
}

async function chooseByGtid(
  stream: BinlogStream,
  gtids: GtidSet,
  position: number,
  options: StartOptions,
): Promise<Choice> {
  if (hasMore(stream, gtids)) {
    return absent(moreGtids(), "transactions that the replica has", "newer");
  }
  if (!gtids.containsSet(stream.purged)) {
    const missing = stream.purged.subtract(gtids);
    return absent(purgedGtids(shown(gtids), shown(missing)), "purged transactions", "older");
  }
  const files = stream.files.filter((file) => file.epoch === stream.epoch);
  if (files.length === 0) return absent(null, "a first file", "newer");
  const at = await newestFileWithin(files, gtids, options);
  if (at >= 0) return checkSize(files[at]!, position);
  const missing = files[0]!.gtidsBefore.subtract(gtids);
  const error = purgedGtids(shown(gtids), shown(missing));
  return absent(error, "transactions before the first file", "older");
}

/** Null when it cannot fit into an error: each interval has two characters or more. */
function shown(set: GtidSet): string | null {
  return 2 * set.intervalCount > MESSAGE_MAX_BYTES ? null : set.toString();
}

/** A look through more than that takes milliseconds. */
const LARGE_SET_INTERVALS = 50_000;

/** True when `gtids` has something of a source's uuid that this node does not have. */
function hasMore(stream: BinlogStream, gtids: GtidSet): boolean {
  for (const sid of gtids.sids()) {
    if (!stream.sourceUuids.has(sidUuid(sid))) continue;
    if (!stream.executed.containsOf(gtids, sid)) return true;
  }
  return false;
}

/** What the stream had before each file only grows, so the files within the set come first. */
async function newestFileWithin(
  files: readonly BinlogFile[],
  gtids: GtidSet,
  { turn }: StartOptions,
): Promise<number> {
  const large = gtids.intervalCount > LARGE_SET_INTERVALS;
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (large) await turn();
    if (gtids.containsSet(files[middle]!.gtidsBefore)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Whether the first transaction of the file is one that the replica has. */
async function skipsFirst(
  stream: BinlogStream,
  file: BinlogFile,
  exclusion: Exclusion,
): Promise<boolean> {
  const reader = stream.read(file.startEntry);
  for (;;) {
    const batch = await reader.next();
    if (batch === null) return false;
    try {
      for (const piece of batch.pieces) {
        if (piece.file !== file) return false;
        // What was in the hole is in the set, or an older file would have been chosen.
        if ((piece.chunk.flags & ChunkFlag.AFTER_HOLE) !== 0) return true;
        const run = piece.chunk.runs[0];
        if (run !== undefined) return exclusion.has(run.sid, run.first);
      }
    } finally {
      batch.release();
    }
  }
}

const EVENT_MAX_BYTES = 0x4000_0000;

/** `bytes` are as many of the 19 of a header as the file has there. */
function readAsEvent(bytes: Uint8Array, position: number, fileSize: number): BrokenPosition {
  const header = position + EVENT_HEADER_BYTES;
  if (bytes.length < EVENT_HEADER_BYTES) return truncated(fileSize);
  const size = eventSize(bytes);
  if (size > EVENT_MAX_BYTES) {
    const text =
      "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source";
    return { text, lastByteEnd: header };
  }
  if (size >= EVENT_HEADER_BYTES && position + size > fileSize) return truncated(fileSize);
  return { text: "bogus data in log event", lastByteEnd: header };
}

function truncated(fileSize: number): BrokenPosition {
  const text = "binlog truncated in the middle of event; consider out of disk space on source";
  return { text, lastByteEnd: fileSize };
}
