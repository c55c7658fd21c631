/**
 * One dump: the stream of events to one replica or tool, from its start position on (manual,
 * "Replication Protocol"; what a 9.7 source sends and when is `start` below and `cursor.ts`).
 *
 * Procedure. The start is found (start-position.ts), then pieces of the stream are read, turned
 * into parts (cursor.ts) and written, one batch at a time; at the visible end it waits, and sends
 * a heartbeat when it has been silent for the period that the replica asked for. A batch's bytes
 * are let go when the socket took them, or after a while: a slow replica must not hold the memory
 * that the others read from.
 *
 * Invariants: a transaction is sent whole or not at all, unless the connection breaks; nothing is
 * written between the packets of one transaction; of one connection at most one batch waits. It
 * ends at a unit's end when asked to stop, and by closing the connection when that takes long.
 *
 * Not here: semi-sync towards replicas. They ask for the variable, get 1193 and go on without.
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import { type Logger, printable } from "../base/logger.ts";
import { FILE_START } from "../binlog/event.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { ConnectionLost, type PacketConnection } from "../mysql/connection.ts";
import { type DumpPlace, fatalDumpErrorAt, MysqlError, sameReplica } from "../mysql/errors.ts";
import { encodeEof, encodeErr } from "../mysql/response.ts";
import type { Platform } from "../platform/platform.ts";
import { DumpCursor, type DumpFormat } from "./cursor.ts";
import type { FileFormat, FileFormats } from "./file-formats.ts";
import type { LoopTurns } from "./loop-turns.ts";
import { ReadingTrail } from "./reading-trail.ts";
import { Sender } from "./sender.ts";
import {
  type BrokenPosition,
  type DumpRequest,
  type DumpStart,
  findStart,
  type Missing,
  NotHereYet,
} from "./start-position.ts";
import {
  type BinlogStream,
  type StreamPiece,
  type StreamPieces,
  StreamPurged,
  type StreamReader,
} from "./stream.ts";
import type { StreamSignal } from "./stream-signal.ts";

/** Between two turns of the event loop, so that a fast replica does not starve the rest. */
const YIELD_BYTES = 256 * 1024;
/** How long a dump that was told to stop may go on to the end of its transaction. */
const STOP_MS = 2_000;
const WAIT_FOR_STREAM_MS = 5_000;

export interface DumpOptions extends DumpFormat {
  readonly request: DumpRequest;
  readonly nonBlock: boolean;
  /** 0: none. */
  readonly heartbeatMs: number;
}

export interface DumpParts {
  readonly platform: Pick<Platform, "clock" | "crypto">;
  readonly logger: Logger;
  readonly stream: BinlogStream;
  readonly signal: StreamSignal;
  readonly formats: FileFormats;
  readonly copies: BufferPool;
  readonly turns: LoopTurns;
  readonly writeTimeoutMs: number;
  confirmMissing(what: Missing): Promise<boolean>;
}

/** Why a dump ends before its time. */
export type StopReason =
  /** The replica may come back at once. */
  | "close"
  /** A newer connection of the same replica took over. */
  | "same-replica";

export type DumpEnd = "eof" | "closed" | "stopped" | "error";

export class Dump {
  readonly #parts: DumpParts;
  readonly #options: DumpOptions;
  readonly #connection: PacketConnection;
  readonly #epoch: number;
  readonly #sender: Sender;
  readonly #trail = new ReadingTrail();
  #cursor: DumpCursor | null = null;
  #reader: StreamReader | null = null;
  #stop: StopReason | null = null;
  #closed = false;
  #wake: (() => void) | null = null;
  #cancelHeartbeat: (() => void) | null = null;
  #heartbeatDue = false;
  #bytesSinceYield = 0;
  #waitUntilMs: number | null = null;
  /** True while it waits for new transactions. */
  caughtUp = false;

  constructor(connection: PacketConnection, options: DumpOptions, parts: DumpParts) {
    this.#connection = connection;
    this.#options = options;
    this.#parts = parts;
    this.#epoch = parts.stream.epoch;
    this.#sender = new Sender(connection, { ...parts, clock: parts.platform.clock });
    void connection.closed.then(() => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  /** What purge must keep for this reader; null before it has begun. */
  get entry(): number | null {
    return this.#reader?.entry ?? null;
  }

  /** What purge must keep for this replica once it has left; null when it never began. */
  get trail(): number | null {
    return this.#trail.place;
  }

  get place(): { readonly file: string; readonly position: number } {
    const cursor = this.#cursor;
    return { file: cursor?.file?.name ?? "", position: cursor?.position ?? 0 };
  }

  /** Event bytes of the stream that lie behind this reader; null before it has begun. */
  get streamOffset(): number | null {
    return this.#cursor?.streamOffset ?? null;
  }

  get sentBytes(): number {
    return this.#sender.sentBytes;
  }

  get options(): DumpOptions {
    return this.#options;
  }

  /** Ends it at the next unit's end, or in two seconds. */
  stop(reason: StopReason, graceMs: number = STOP_MS): void {
    if (this.#stop !== null || this.#closed) return;
    this.#stop = reason;
    const cancel = this.#parts.platform.clock.after(graceMs, () => this.#connection.destroy());
    void this.#connection.closed.then(cancel);
    this.#wake?.();
  }

  /** Resolves when it has ended; the connection is closed, or about to be. Rejects on a bug only. */
  async run(): Promise<DumpEnd> {
    try {
      await this.#begin();
      return await this.#stream();
    } catch (error) {
      return this.#failed(error);
    } finally {
      this.#cancelHeartbeat?.();
      this.#cursor = null;
      this.#reader = null;
    }
  }

  async #begin(): Promise<void> {
    const { stream, platform } = this.#parts;
    const start = await findStart(stream, this.#options.request, {
      confirmMissing: (what) => this.#parts.confirmMissing(what),
      waitForMore: () => this.#waitForMore(),
      turn: () => this.#parts.turns.next(),
    });
    this.#reader = start.reader;
    // As files are purged whole, so is the place that a start is found from.
    this.#trail.note(start.file.startEntry, 0);
    const cursor = new DumpCursor(
      stream,
      this.#options,
      start,
      this.#connection.compressed,
      platform.crypto.crc32,
      this.#parts.copies,
    );
    this.#cursor = cursor;
    try {
      if (start.position > FILE_START) await this.#beginInside(cursor, start);
    } catch (error) {
      start.batch?.release();
      throw error;
    }
    if (start.batch !== null) await this.#send(start.batch);
    this.#armHeartbeat(this.#options.heartbeatMs);
  }

  async #beginInside(cursor: DumpCursor, start: DumpStart): Promise<void> {
    const format = await this.#parts.formats.of(start.file);
    if (format === null) throw new NotHereYet(`file "${start.file.name}"`);
    try {
      cursor.beginInside(start.file, start.position, format);
      if (start.broken !== null) this.#throwBroken(start.broken, start.file, format);
    } finally {
      // A refusal comes behind what announces the file.
      await this.#write(null);
    }
  }

  #throwBroken(broken: BrokenPosition, file: BinlogFile, format: FileFormat): never {
    const { request } = this.#options;
    throw fatalDumpErrorAt(broken.text, {
      startFile: request.file,
      startPosition: request.position,
      file: file.name,
      lastEventEnd: request.gtids === null ? FILE_START + format.event.length : format.headEnd,
      lastByteEnd: broken.lastByteEnd,
    });
  }

  async #stream(): Promise<DumpEnd> {
    const { stream, signal } = this.#parts;
    const cursor = this.#cursor!;
    const reader = this.#reader!;
    for (;;) {
      if (this.#closed) return "closed";
      if (this.#stop !== null && cursor.atUnitEnd) return this.#endStopped();
      const version = signal.version;
      this.#trail.note(reader.entry, this.sentBytes);
      const batch = await reader.next();
      if (batch !== null) {
        this.caughtUp = false;
        await this.#send(batch);
        continue;
      }
      // Nothing is open here: a reader never sees an unfinished transaction.
      if (stream.epoch !== this.#epoch && this.#options.request.gtids !== null) {
        return this.#endStopped();
      }
      if (this.#options.nonBlock) {
        cursor.finish();
        await this.#write(null);
        return this.#endOfLog();
      }
      cursor.catchUp(this.#heartbeatDue);
      await this.#write(null);
      this.caughtUp = true;
      await this.#idle(version);
    }
  }

  async #send(pieces: StreamPieces): Promise<void> {
    const batch = releasedOnce(pieces);
    const cursor = this.#cursor!;
    try {
      try {
        for (const piece of batch.pieces) this.#take(piece);
      } catch (error) {
        // What came before it is sent, while the bytes are there.
        if (error instanceof MysqlError && cursor.atUnitEnd) await this.#write(batch);
        throw error;
      }
      if (this.#heartbeatDue && cursor.atUnitEnd) cursor.keepAlive();
      await this.#write(batch);
    } finally {
      batch.release();
    }
    const entry = cursor.skipTo(this.#reader!.entry);
    if (entry !== null) this.#reader!.seek(entry);
    if (this.#bytesSinceYield >= YIELD_BYTES) {
      this.#bytesSinceYield = 0;
      // One of all that have much to send goes on in each turn: many that catch up keep nobody waiting.
      await this.#parts.turns.next();
    }
  }

  #take(piece: StreamPiece): void {
    const cursor = this.#cursor!;
    const { file, streamOffset } = cursor;
    if (file !== null && piece.file.epoch !== file.epoch) this.#otherEpoch();
    cursor.take(piece);
    this.#bytesSinceYield += Math.max(0, cursor.streamOffset - streamOffset);
  }

  /** The old timeline ends here; what comes next does not continue it. */
  #otherEpoch(): never {
    if (this.#options.request.gtids !== null) throw new NotHereYet("the next epoch's start");
    throw fatalDumpErrorAt(
      "could not find next log; the event that follows belongs to another timeline",
      this.#dumpPlace(),
    );
  }

  /** Writes what the cursor has, and waits until the socket took it. */
  async #write(batch: StreamPieces | null): Promise<void> {
    this.#heartbeatDue = false;
    await this.#sender.send(this.#cursor!.outbox, batch);
  }

  #armHeartbeat(ms: number): void {
    const { heartbeatMs } = this.#options;
    if (heartbeatMs <= 0 || this.#closed) return;
    const { clock } = this.#parts.platform;
    this.#cancelHeartbeat = clock.after(ms, () => {
      const silentMs = clock.mono() - this.#sender.lastSentMs;
      // Timers may fire a millisecond early.
      if (silentMs + 2 < heartbeatMs) return this.#armHeartbeat(heartbeatMs - silentMs);
      this.#heartbeatDue = true;
      this.#wake?.();
      this.#armHeartbeat(heartbeatMs);
    });
  }

  /** Until the stream has moved past `version`, a heartbeat is due or the dump must end. */
  #idle(version: number): Promise<void> {
    const { signal } = this.#parts;
    const busy = signal.version !== version || this.#heartbeatDue;
    if (busy || this.#stop !== null || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        signal.delete(done);
        this.#wake = null;
        resolve();
      };
      signal.add(done);
      this.#wake = done;
    });
  }

  async #waitForMore(): Promise<boolean> {
    const { signal, platform } = this.#parts;
    if (this.#stop !== null || this.#closed) return false;
    this.#waitUntilMs ??= platform.clock.mono() + WAIT_FOR_STREAM_MS;
    const leftMs = this.#waitUntilMs - platform.clock.mono();
    if (leftMs <= 0) return false;
    return new Promise((resolve) => {
      const end = (more: boolean): void => {
        cancel();
        signal.delete(advanced);
        this.#wake = null;
        resolve(more);
      };
      const advanced = (): void => end(true);
      const cancel = platform.clock.after(leftMs, () => end(false));
      signal.add(advanced);
      this.#wake = () => end(false);
    });
  }

  #dumpPlace(): DumpPlace {
    const { request } = this.#options;
    const { file, position } = this.place;
    return {
      startFile: request.file,
      startPosition: request.position,
      file,
      lastEventEnd: position,
      lastByteEnd: position,
    };
  }

  /** Also the answer to a non-blocking dump at its end: always the five-byte EOF. */
  #endOfLog(): DumpEnd {
    this.#finish(encodeEof());
    return "eof";
  }

  #endStopped(): DumpEnd {
    if (this.#stop === "same-replica") this.#finish(encodeErr(sameReplica(this.#dumpPlace())));
    // A plain close: an EOF would look like the end of the log to a tool.
    else this.#connection.end();
    return "stopped";
  }

  #finish(payload: Uint8Array): void {
    const cursor = this.#cursor;
    if (cursor !== null) this.#connection.sequence = cursor.outbox.sequence;
    this.#connection.writePacket(payload);
    this.#connection.end();
  }

  #failed(error: unknown): DumpEnd {
    if (error instanceof MysqlError) {
      const midUnit = this.#cursor !== null && !this.#cursor.atUnitEnd;
      if (midUnit) this.#connection.destroy();
      else this.#finish(encodeErr(error));
      this.#parts.logger.warn("Dump is refused", { error: printable(error.message) });
      return "error";
    }
    if (this.#closed || error instanceof ConnectionLost || this.#stop !== null) {
      this.#connection.destroy();
      return this.#stop === null ? "closed" : "stopped";
    }
    const message = error instanceof Error ? error.message : String(error);
    const expected = error instanceof NotHereYet || error instanceof StreamPurged;
    this.#parts.logger[expected ? "info" : "warn"]("Dump ends: the replica will connect again", {
      reason: printable(message),
    });
    this.#connection.destroy();
    return "error";
  }
}

/** A slow write gives the batch back before its end. */
function releasedOnce(pieces: StreamPieces): StreamPieces {
  let released = false;
  return {
    pieces: pieces.pieces,
    hold: () => pieces.hold(),
    release: () => {
      if (!released) pieces.release();
      released = true;
    },
  };
}
