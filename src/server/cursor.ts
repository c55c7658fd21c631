/**
 * What goes to a replica for each piece of the stream: the pure part of a dump. Pieces come in,
 * framed bytes gather in the outbox, and the cursor knows where in which file the replica is.
 *
 * Around each file, as a 9.7 source does it:
 *   fake ROTATE · FORMAT_DESCRIPTION · PREVIOUS_GTIDS · [HEARTBEAT behind what is skipped] · events
 * - The first fake ROTATE has a CRC if the client announced CRC32; later ones as the file before.
 * - A transaction that the replica has is left out from its GTID event on. Before the next event
 *   that is sent, or at the end, a HEARTBEAT says where we are; the same for what was never pulled.
 * - ROTATE is never skipped; STOP is when the transaction before it was.
 * - ROTATE waits for the next file to begin. A source has that at once, we may not: a replica
 *   would then believe in a file that nobody has, and 5.6 takes no heartbeat between the two.
 * - Where the next file's name is not the source's own, ROTATE gets the name that we serve.
 *
 * Packet numbers are the only bytes of a stored body that differ between replicas. When much is to
 * come, up to 255 heartbeats of the current position bring a replica's numbers in step with the
 * stored ones; from then on bodies go out unchanged and shared.
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import { type Chunk, ChunkFlag, UnitKind } from "../binlog/chunk.ts";
import {
  type Checksum,
  type Crc,
  decodeFormatDescription,
  fakeRotate,
  heartbeat,
  patchFormatDescription,
} from "../binlog/control-events.ts";
import { EventType } from "../binlog/event.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { replicaCannotChecksum } from "../mysql/errors.ts";
import type { Exclusion, Overlap } from "./exclusion.ts";
import { type FileFormat, formatEventOf } from "./file-formats.ts";
import { Outbox } from "./framing.ts";
import { eventBytesBefore, skipByMarks } from "./locate.ts";
import type { DumpRequest, DumpStart } from "./start-position.ts";
import { eventAt, lastUnitAt, servedRotate } from "./stored-events.ts";
import type { BinlogStream, StreamPiece } from "./stream.ts";

/** Aligning costs up to 12 KB: worth it from here on, and not again before as much was sent. */
const ALIGN_MIN_BYTES = 1024 * 1024;
const MAX_V1_POSITION = 0xffff_ffff;

/** How the client wants the stream. */
export interface DumpFormat {
  readonly request: DumpRequest;
  /** What the client announced; null: it cannot do checksums. */
  readonly checksum: Checksum | null;
  readonly heartbeatVersion: 1 | 2;
  /** Padding heartbeats are welcome: a replica that asked for heartbeats and names itself. */
  readonly mayPad: boolean;
  /** Ours, in the events that we make. */
  readonly serverId: number;
}

export class DumpCursor {
  readonly outbox: Outbox;
  readonly #stream: BinlogStream;
  readonly #format: DumpFormat;
  readonly #exclusion: Exclusion | null;
  readonly #zeroCreated: boolean;
  readonly #crc32: Crc;
  /** Null before the first file was announced. */
  file: BinlogFile | null = null;
  /** End of what was sent or skipped in `file`. */
  position = 4;
  streamOffset = 0;
  /** False inside a transaction: nothing may be put in between. */
  #openTail = false;
  #checksum: Checksum;
  /** So many types of events the file's description knows. */
  #eventTypes = 0;
  /** The file's stored ROTATE, until the next file begins. */
  #rotate: Uint8Array | null = null;
  /** Something was left out since the last event that was sent. */
  #gap = false;
  /** The last transaction was one that the replica has. */
  #skipping = false;
  #sentSinceAlign: number = ALIGN_MIN_BYTES;

  constructor(
    stream: BinlogStream,
    format: DumpFormat,
    start: DumpStart,
    compressed: boolean,
    crc32: Crc,
    copies: BufferPool,
  ) {
    this.#stream = stream;
    this.#format = format;
    this.#exclusion = start.exclusion;
    this.#zeroCreated = start.zeroCreated;
    this.#crc32 = crc32;
    this.#checksum = format.checksum ?? "NONE";
    this.outbox = new Outbox(1, compressed, copies);
  }

  get atUnitEnd(): boolean {
    return !this.#openTail;
  }

  get #crc(): Crc | null {
    return this.#checksum === "CRC32" ? this.#crc32 : null;
  }

  /** A start behind the file's first events: they are not sent, and its description says so. */
  beginInside(file: BinlogFile, position: number, format: FileFormat): void {
    this.file = file;
    this.position = position;
    this.#announce(file, position);
    this.#checkCapable(format.description.checksum, 4 + format.event.length);
    this.#checksum = format.description.checksum;
    this.#eventTypes = format.description.eventTypes;
    // By position the replica must not count it, nor take it for a restart of the source.
    const zero = this.#exclusion === null;
    const patch = { zeroCreated: zero, zeroLogPos: zero };
    this.outbox.event(patchFormatDescription(format.event, patch, this.#crc32));
  }

  take(piece: StreamPiece): void {
    const { chunk } = piece;
    let from = piece.from;
    this.streamOffset = Math.max(this.streamOffset, chunk.streamOffset);
    if (from === 0 && (chunk.flags & ChunkFlag.NEW_FILE) !== 0) from = this.#beginFile(piece);
    if (from === 0 && (chunk.flags & ChunkFlag.AFTER_HOLE) !== 0) this.#gap = true;
    const bytes = eventBytesBefore(chunk, piece.to);
    const end = chunk.fileOffset + bytes;
    let to = piece.to;
    if (piece.file.end === "rotate" && end === piece.file.size) {
      to = lastUnitAt(chunk);
      this.#rotate = eventAt(chunk, to).slice();
    }
    if (from < to) {
      if (this.#needsWalk(chunk)) this.#walk(chunk, from, to);
      else this.#range(chunk, from, to, chunk.fileOffset);
    }
    this.position = end - (this.#rotate?.length ?? 0);
    this.streamOffset = chunk.streamOffset + bytes;
    const atEnd = piece.to === chunk.body.length;
    this.#openTail = atEnd && (chunk.flags & ChunkFlag.ENDS_OPEN) !== 0;
  }

  #announce(file: BinlogFile, position: number): void {
    const { serverId } = this.#format;
    this.outbox.event(fakeRotate(file.name, position, serverId, this.#crc));
  }

  #checkCapable(checksum: Checksum, descriptionEnd: number): void {
    if (checksum === "NONE" || this.#format.checksum !== null) return;
    const { request } = this.#format;
    throw replicaCannotChecksum({
      startFile: request.file,
      startPosition: request.position,
      file: this.file!.name,
      lastEventEnd: descriptionEnd,
      lastByteEnd: descriptionEnd,
    });
  }

  /** Sends what begins a file; returns where in the body the rest stands. */
  #beginFile(piece: StreamPiece): number {
    const { chunk, file } = piece;
    this.#sendRotate(file.name);
    this.file = file;
    this.position = 4;
    this.#gap = false;
    this.#skipping = false;
    this.#announce(file, 4);
    const event = formatEventOf(chunk);
    const { checksum, eventTypes } = decodeFormatDescription(event);
    this.position += event.length;
    this.#checkCapable(checksum, this.position);
    this.#checksum = checksum;
    this.#eventTypes = eventTypes;
    const units = chunk.units();
    let end = units.framedBytes[0]!;
    if (this.#zeroCreated) {
      const patch = { zeroCreated: true, zeroLogPos: false };
      this.outbox.event(patchFormatDescription(event, patch, this.#crc32));
    } else {
      this.outbox.range(chunk, 0, end);
    }
    if (units.length > 1 && units.kinds[1] === UnitKind.PREVIOUS_GTIDS && end < piece.to) {
      const next = end + units.framedBytes[1]!;
      this.outbox.range(chunk, end, next);
      this.position += units.eventBytes[1]!;
      end = next;
    }
    return end;
  }

  /** Whether units must be looked at one by one. */
  #needsWalk(chunk: Chunk): boolean {
    const exclusion = this.#exclusion;
    if (exclusion === null) return false;
    if (chunk.runs.length === 0) return this.#skipping;
    for (const run of chunk.runs) {
      const last = run.first + BigInt(run.count - 1);
      if (exclusion.overlap(run.sid, run.first, last) !== "none") return true;
    }
    this.#skipping = false;
    return false;
  }

  #walk(chunk: Chunk, from: number, to: number): void {
    const units = chunk.units();
    let run = 0;
    let inRun = 0;
    let runOverlap = this.#overlapOf(chunk, 0);
    let offset = 0;
    let events = 0;
    let rangeFrom = -1;
    let rangeAt = 0;
    for (let i = 0; i < units.length && offset < to; i++) {
      const end = offset + units.framedBytes[i]!;
      const kind = units.kinds[i];
      let skip = false;
      if (kind === UnitKind.TRANSACTION) {
        const { sid, first, count } = chunk.runs[run]!;
        if (runOverlap === "some") skip = this.#exclusion!.has(sid, first + BigInt(inRun));
        else skip = runOverlap === "all";
        if (++inRun === count) {
          inRun = 0;
          runOverlap = this.#overlapOf(chunk, ++run);
        }
        if (end > from) this.#skipping = skip;
      } else if (kind === UnitKind.STOP) {
        skip = this.#skipping;
      }
      if (end > from && skip) {
        if (rangeFrom >= 0) this.#range(chunk, rangeFrom, offset, rangeAt);
        rangeFrom = -1;
        this.#gap = true;
      } else if (end > from && rangeFrom < 0) {
        rangeFrom = Math.max(offset, from);
        rangeAt = chunk.fileOffset + events;
      }
      offset = end;
      events += units.eventBytes[i]!;
    }
    if (rangeFrom >= 0) this.#range(chunk, rangeFrom, to, rangeAt);
  }

  #overlapOf(chunk: Chunk, index: number): Overlap {
    const run = chunk.runs[index];
    if (run === undefined || this.#exclusion === null) return "none";
    return this.#exclusion.overlap(run.sid, run.first, run.first + BigInt(run.count - 1));
  }

  /** Sends stored bytes; `at` is the file offset of the unit that they begin with. */
  #range(chunk: Chunk, from: number, to: number, at: number): void {
    const continues = from === 0 && (chunk.flags & ChunkFlag.CONTINUES) !== 0;
    if (!continues) {
      const position = Math.max(at, this.position);
      if (this.#gap) this.#beat(position);
      this.#align(chunk, from, position);
    }
    this.outbox.range(chunk, from, to);
    this.#sentSinceAlign += to - from;
  }

  /** Padding heartbeats, until the numbers that follow are those of the stored body. */
  #align(chunk: Chunk, from: number, position: number): void {
    const count = this.outbox.misalignment(chunk, from);
    if (count === 0 || !this.#format.mayPad || this.#sentSinceAlign < ALIGN_MIN_BYTES) return;
    if (this.#stream.visibleEnd - this.streamOffset < ALIGN_MIN_BYTES) return;
    const event = this.#heartbeat(position);
    if (event === null) return;
    for (let i = 0; i < count; i++) this.outbox.event(event);
    this.#sentSinceAlign = 0;
  }

  #heartbeat(position: number): Uint8Array | null {
    const { serverId } = this.#format;
    // A replica stops at a type that the description in use does not know: version 2 came in 8.0.26.
    const isKnown = this.#eventTypes >= EventType.HEARTBEAT_V2;
    const heartbeatVersion = isKnown ? this.#format.heartbeatVersion : 1;
    // Version 1 has 32 bits of it: past 4 GiB it would say that we went back, which stops a replica.
    if (heartbeatVersion === 1 && position > MAX_V1_POSITION) return null;
    return heartbeat(heartbeatVersion, this.file!.name, position, serverId, this.#crc);
  }

  #beat(position: number): void {
    const event = this.#heartbeat(position);
    if (event !== null) this.outbox.event(event);
    this.#gap = false;
  }

  /** At the end of what there is: says where we are if something was left out, or if it is due. */
  catchUp(heartbeatDue: boolean): void {
    // Nothing is open there, and an idle replica keeps no chunk in memory.
    this.#openTail = false;
    if (this.file !== null && (this.#gap || heartbeatDue)) this.#beat(this.position);
  }

  /** A heartbeat between two batches, when all of the last ones was skipped. */
  keepAlive(): void {
    if (this.file !== null && this.outbox.bytes === 0) this.#beat(this.position);
  }

  /**
   * While skipping: the entry up to which everything is in the replica's set, or null. Found from
   * the marks of this file, without reading.
   */
  skipTo(entry: number): number | null {
    const exclusion = this.#exclusion;
    if (exclusion === null || !this.#skipping || this.file === null) return null;
    return skipByMarks(this.#stream, this.file, entry, exclusion);
  }

  /** The end of the log for a client that does not wait: it gets the file's last event, too. */
  finish(): void {
    this.catchUp(false);
    if (this.file !== null) this.#sendRotate(null);
  }

  /** With the name that the next file has here; null when it has not begun, and the name is foreseen. */
  #sendRotate(next: string | null): void {
    const stored = this.#rotate;
    if (stored === null) return;
    if (this.#gap) this.#beat(this.position);
    const file = this.file!;
    this.outbox.event(servedRotate(stored, file, next, this.#checksum, this.#crc));
    this.position += stored.length;
    this.#rotate = null;
  }
}
