/**
 * From the bytes of a dump connection to chunks: the hot path of ingest, pure and synchronous.
 *
 * Packets are rewritten in place (chunk-body.ts): semi-sync headers go, sequence numbers become
 * ours, artificial events (fake rotates, heartbeats) are dropped, everything else stays as the
 * source sent it. What is checked for each event: framing, size, its CRC-32 (incrementally for
 * large ones, large-event.ts), that it stands where the one before ended, and the transaction
 * boundaries. Anything wrong throws a StreamError; what was taken before is whole, the rest is a
 * broken tail. ROTATE and STOP end their chunk. No object is made per event.
 */
import { readU24 } from "../base/bytes.ts";
import { crc32OfView } from "../base/crc32.ts";
import { ChunkFlag, UnitKind } from "../binlog/chunk.ts";
import type { BuiltChunk, ChunkCursor } from "../binlog/chunk-builder.ts";
import {
  type Checksum,
  decodeFormatDescription,
  decodeHeartbeat,
  decodeRotate,
} from "../binlog/control-events.ts";
import { EVENT_HEADER_BYTES, EventFlag, EventType } from "../binlog/event.ts";
import { FRAME_BYTES, MAX_PACKET_PAYLOAD, PACKET_HEADER_BYTES } from "../binlog/frames.ts";
import {
  isBegin,
  QUERY_HEAD_BYTES,
  type QueryKind,
  queryKind,
  TransactionTracker,
} from "../binlog/transaction.ts";
import { CHUNK_BYTES, ChunkBody, STREAM_BUFFER_BYTES, WHOLE_BYTES } from "./chunk-body.ts";
import { LargeEvent } from "./large-event.ts";
import { StreamError } from "./stream-error.ts";

export interface EventStreamOptions {
  /** Every packet carries the two bytes of the semi-sync header. */
  readonly semiSync: boolean;
  readonly crc32: (bytes: Uint8Array, previous?: number) => number;
  /** Of the file that the stream is in. */
  readonly checksum: Checksum;
  readonly cursor: ChunkCursor;
  readonly chunkBytes?: number;
  /** Work buffers of STREAM_BUFFER_BYTES; a large chunk's payload is a part of one. */
  readonly takeBuffer?: () => Uint8Array;
}

/** Below this a CRC in JavaScript costs less than the call into the runtime. */
const SMALL_BYTES = 512;

export class EventStream {
  readonly #semiSync: boolean;
  readonly #crc32: (bytes: Uint8Array, previous?: number) => number;
  readonly #tracker = new TransactionTracker();
  readonly #cursor: ChunkCursor;
  readonly #body: ChunkBody;
  #checksum: Checksum;
  #large: LargeEvent | null = null;

  /** The packet that ended the stream: ERR or EOF. */
  ending: Uint8Array | null = null;

  constructor(options: EventStreamOptions) {
    this.#semiSync = options.semiSync;
    this.#crc32 = options.crc32;
    this.#checksum = options.checksum;
    this.#cursor = options.cursor;
    this.#body = new ChunkBody(
      options.cursor,
      options.chunkBytes ?? CHUNK_BYTES,
      options.takeBuffer ?? (() => new Uint8Array(STREAM_BUFFER_BYTES)),
    );
  }

  /** True inside a transaction that has not ended. */
  get inTransaction(): boolean {
    return this.#tracker.inside;
  }

  get file(): string {
    return this.#cursor.file;
  }

  get fileOffset(): number {
    return this.#body.fileOffset;
  }

  /** Takes in as much of `bytes` as fits; returns how many. Then take chunks, then push the rest. */
  push(bytes: Uint8Array): number {
    const length = this.#body.fill(bytes);
    this.#parse();
    return length;
  }

  /** A full chunk, or one that must end here; null when there is none yet. */
  takeFull(): BuiltChunk | null {
    return this.#body.full ? this.#seal() : null;
  }

  /** What has arrived in whole units; null when nothing has. */
  takeReady(): BuiltChunk | null {
    return this.#body.full || this.#body.hasWholeUnit ? this.#seal() : null;
  }

  #seal(): BuiltChunk | null {
    const chunk = this.#body.seal(this.#tracker.inside);
    if (chunk !== null) this.#parse();
    return chunk;
  }

  #parse(): void {
    while (!this.#body.full && this.ending === null) {
      if (this.#large !== null ? !this.#passLarge(this.#large) : !this.#parseEvent()) return;
    }
  }

  /** One event, or the start of a large one. False when more bytes are needed. */
  #parseEvent(): boolean {
    const body = this.#body;
    const buffer = body.bytes;
    const at = body.next;
    const available = body.filled - at;
    if (available < FRAME_BYTES) return false;
    const length = readU24(buffer, at);
    if (buffer[at + 4] !== 0) return this.#parseEnding(at, length);
    const prefix = this.#semiSync ? 3 : 1;
    if (length < prefix + EVENT_HEADER_BYTES) {
      throw new StreamError("malformed", `Packet of ${length} bytes cannot hold an event`);
    }
    if (available < PACKET_HEADER_BYTES + prefix + EVENT_HEADER_BYTES) return false;
    if (this.#semiSync && buffer[at + 5] !== 0xef) {
      throw new StreamError("malformed", "Packet without semi-sync header");
    }
    const event = at + PACKET_HEADER_BYTES + prefix;
    const size = body.view.getUint32(event + 9, true);
    const whole = length !== MAX_PACKET_PAYLOAD;
    if (size < EVENT_HEADER_BYTES || (whole ? size + prefix !== length : size + prefix < length)) {
      throw new StreamError("malformed", `Event size ${size} in a packet of ${length} bytes`);
    }
    if (size > WHOLE_BYTES) {
      const head = PACKET_HEADER_BYTES + prefix + Math.min(size, QUERY_HEAD_BYTES);
      if (available < head) return false;
      if (body.room < FRAME_BYTES + 65_536 && !body.empty) return this.#stopFull();
      this.#beginLarge(event, size, length - prefix, !whole);
      return true;
    }
    if (available < PACKET_HEADER_BYTES + length) return false;
    return this.#takeEvent(event, size);
  }

  #parseEnding(at: number, length: number): boolean {
    const buffer = this.#body.bytes;
    if (buffer[at + 4] !== 0xff && buffer[at + 4] !== 0xfe) {
      throw new StreamError("malformed", `Packet begins with ${buffer[at + 4]}`);
    }
    if (length > 4096) throw new StreamError("malformed", `Error packet of ${length} bytes`);
    const end = at + PACKET_HEADER_BYTES + length;
    if (this.#body.filled < end) return false;
    this.ending = buffer.slice(at + PACKET_HEADER_BYTES, end);
    return false;
  }

  #stopFull(): boolean {
    this.#body.full = true;
    return false;
  }

  /** A whole event stands at `event`. False when it must wait for the chunk to be taken. */
  #takeEvent(event: number, size: number): boolean {
    const body = this.#body;
    const type = body.bytes[event + 4]!;
    if (type === EventType.HEARTBEAT || type === EventType.HEARTBEAT_V2) {
      return this.#takeHeartbeat(event, size);
    }
    if (type === EventType.ROTATE && (body.bytes[event + 17]! & EventFlag.ARTIFICIAL) !== 0) {
      return this.#takeFakeRotate(event, size);
    }
    if (size + FRAME_BYTES > body.room && !body.empty) return this.#stopFull();
    if (type === EventType.FORMAT_DESCRIPTION) this.#takeFormatDescription(event, size);
    this.#checkCrc(event, size, type);
    this.#checkPosition(event, size);
    this.#openUnit(event, size, type);
    const query = type === EventType.QUERY ? this.#queryKind(event, size) : null;
    if (this.#semiSync && body.bytes[event - 1] === 1) body.ackWanted = true;
    body.addEvent(event, size);
    this.#closeUnit(type, size, query);
    return true;
  }

  /** Opens the unit that an event begins, if it begins one. */
  #openUnit(event: number, size: number, type: number): void {
    if (this.#tracker.inside) return;
    this.#body.openUnit();
    switch (type) {
      case EventType.GTID:
      case EventType.GTID_TAGGED: {
        const { table, bytes } = this.#body;
        const length = table.addTransaction(bytes, event, event + this.#bare(size));
        this.#tracker.begin(size, length);
        return;
      }
      case EventType.ANONYMOUS_GTID:
        throw new StreamError(
          "anonymous",
          `Anonymous transaction in file "${this.#cursor.file}" at ${this.fileOffset}: ` +
            "the source must run with gtid_mode=ON",
        );
      case EventType.FORMAT_DESCRIPTION:
      case EventType.PREVIOUS_GTIDS:
      case EventType.ROTATE:
      case EventType.STOP:
        return;
      default:
        throw new StreamError("boundary", `Event type ${type} outside any transaction`);
    }
  }

  /** After an event: is its unit complete? */
  #closeUnit(type: number, size: number, query: QueryKind | null): void {
    let kind: UnitKind = UnitKind.TRANSACTION;
    if (this.#tracker.inside) {
      if (type === EventType.GTID || type === EventType.GTID_TAGGED) return;
      if (!this.#tracker.next(type, size, query)) return;
    } else if (type === EventType.FORMAT_DESCRIPTION) kind = UnitKind.FORMAT_DESCRIPTION;
    else if (type === EventType.PREVIOUS_GTIDS) kind = UnitKind.PREVIOUS_GTIDS;
    else if (type === EventType.ROTATE) kind = UnitKind.ROTATE;
    else kind = UnitKind.STOP;
    this.#body.closeUnit(kind);
    if (kind === UnitKind.ROTATE || kind === UnitKind.STOP) this.#body.full = true;
  }

  #queryKind(event: number, size: number): QueryKind {
    const { bytes, filled } = this.#body;
    const end = event + this.#bare(size);
    return isBegin(bytes, event, end) ? "BEGIN" : queryKind(bytes.subarray(0, filled), event, end);
  }

  /** An event's size without its checksum. */
  #bare(size: number): number {
    return this.#checksum === "CRC32" ? size - 4 : size;
  }

  #checkCrc(event: number, size: number, type: number): void {
    if (this.#checksum !== "CRC32" && type !== EventType.FORMAT_DESCRIPTION) return;
    if (size < EVENT_HEADER_BYTES + 4) throw new StreamError("malformed", `Event of ${size} bytes`);
    const end = event + size - 4;
    // Most events are small, and a call into the runtime costs more than their CRC.
    const sum =
      size < SMALL_BYTES
        ? crc32OfView(this.#body.view, event, end)
        : this.#crc32(this.#body.bytes.subarray(event, end));
    if (sum !== this.#body.view.getUint32(end, true)) this.#badCrc();
  }

  #badCrc(): never {
    throw new StreamError(
      "crc",
      `Event in file "${this.#cursor.file}" at ${this.fileOffset} does not match its CRC`,
    );
  }

  /** An event's log_pos, where it has one, says that it stands right behind the one before. */
  #checkPosition(event: number, size: number): void {
    const logPos = this.#body.view.getUint32(event + 13, true);
    const end = (this.fileOffset + size) % 0x1_0000_0000;
    if (logPos !== end && logPos !== 0) {
      throw new StreamError(
        "position",
        `Event in file "${this.#cursor.file}" ends at ${logPos}, not at ${end}: bytes are missing`,
      );
    }
  }

  /** After a skip the source says where it is: what lies between was not pulled. */
  #takeHeartbeat(event: number, size: number): boolean {
    this.#checkCrc(event, size, EventType.HEARTBEAT);
    const beat = decodeHeartbeat(this.#body.bytes.subarray(event, event + size), this.#checksum);
    let position = beat.position;
    if (beat.wraps) {
      // Only the low 32 bits came: the nearest place at or after ours, if it is not behind us.
      const ahead = (position - this.fileOffset) & 0xffff_ffff;
      position = ahead > 0 ? this.fileOffset + ahead : this.fileOffset;
    }
    if (position > this.fileOffset && !this.#tracker.inside && beat.file === this.#cursor.file) {
      if (!this.#body.empty) return this.#stopFull();
      this.#cursor.fileOffset = position;
      this.#cursor.flags |= ChunkFlag.AFTER_HOLE;
    }
    this.#body.next = event + size;
    return true;
  }

  #takeFakeRotate(event: number, size: number): boolean {
    this.#checkCrc(event, size, EventType.ROTATE);
    const rotate = decodeRotate(this.#body.bytes.subarray(event, event + size), this.#checksum);
    if (this.#tracker.inside) throw new StreamError("boundary", "A file ends inside a transaction");
    if (!this.#body.empty) return this.#stopFull();
    if (rotate.file !== this.#cursor.file) {
      if (this.#cursor.file !== "") this.#cursor.flags |= ChunkFlag.AFTER_END;
      this.#cursor.file = rotate.file;
      this.#cursor.fileOffset = rotate.position;
    }
    this.#body.next = event + size;
    return true;
  }

  #takeFormatDescription(event: number, size: number): void {
    if (this.#tracker.inside)
      throw new StreamError("boundary", "A file begins inside a transaction");
    const fde = decodeFormatDescription(this.#body.bytes.subarray(event, event + size));
    if (this.fileOffset !== 4) {
      throw new StreamError("boundary", `A file's description stands at ${this.fileOffset}`);
    }
    this.#checksum = fde.checksum;
    this.#cursor.flags |= ChunkFlag.NEW_FILE;
  }

  #beginLarge(event: number, size: number, inPacket: number, inFull: boolean): void {
    const body = this.#body;
    const type = body.bytes[event + 4]!;
    this.#checkPosition(event, size);
    this.#openUnit(event, size, type);
    if (this.#semiSync && body.bytes[event - 1] === 1) body.ackWanted = true;
    this.#large = new LargeEvent(body, event, {
      size,
      inPacket,
      inFull,
      query: type === EventType.QUERY ? this.#queryKind(event, size) : null,
      crc32: this.#checksum === "CRC32" ? this.#crc32 : null,
    });
  }

  /** False when bytes or room are missing. */
  #passLarge(large: LargeEvent): boolean {
    const passed = large.pass(this.#body);
    if (passed === "full") return this.#stopFull();
    if (passed === "starved") return false;
    if (!large.sumMatches) this.#badCrc();
    this.#large = null;
    this.#closeUnit(large.type, large.size, large.query);
    return true;
  }
}
