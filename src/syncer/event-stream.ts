/**
 * From the bytes of a dump connection to chunks: the hot path of ingest, pure and synchronous.
 *
 * Packets are rewritten in place in one work buffer: semi-sync headers go, sequence numbers become
 * ours, artificial events (fake rotates, heartbeats) are dropped, everything else stays as the
 * source sent it. What is checked for each event: framing, size, its CRC-32 (incrementally for
 * large ones, so an event of 1 GiB needs no memory of its own), that it stands where the one
 * before ended, and the transaction boundaries. Anything wrong throws a StreamError; what was
 * taken before is whole, the rest is a broken tail.
 *
 *   [ head | body: rewritten frames … w ) … [ r: not yet parsed … e )      w ≤ r ≤ e
 *
 * A chunk is cut at the end of its last whole unit, or, when a unit is larger than a chunk,
 * wherever it is full. ROTATE and STOP end their chunk. No object is made per event.
 */
import { readU24 } from "../base/bytes.ts";
import { crc32OfView } from "../base/crc32.ts";
import { ChunkFlag, chunkHeadBytes, UnitKind } from "../binlog/chunk.ts";
import {
  type BuiltChunk,
  type ChunkCursor,
  ChunkTable,
  type SealOptions,
  sealChunk,
} from "../binlog/chunk-builder.ts";
import {
  type Checksum,
  decodeFormatDescription,
  decodeHeartbeat,
  decodeRotate,
} from "../binlog/control-events.ts";
import { EVENT_HEADER_BYTES, EventFlag, EventType } from "../binlog/event.ts";
import { FRAME_BYTES, MAX_PACKET_PAYLOAD, PACKET_HEADER_BYTES } from "../binlog/frames.ts";
import {
  QUERY_HEAD_BYTES,
  type QueryKind,
  queryKind,
  TransactionTracker,
} from "../binlog/transaction.ts";

export class StreamError extends Error {
  readonly kind: "malformed" | "crc" | "position" | "boundary" | "anonymous";
  constructor(kind: StreamError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StreamError";
    this.kind = kind;
  }
}

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

/** Events up to this size are taken whole; larger ones pass through in pieces. */
const WHOLE_BYTES = 256 * 1024;
const READ_BYTES = 128 * 1024;
const SMALL_BYTES = 512;
export const CHUNK_BYTES: number = 1024 * 1024;
const HEAD_BYTES: number = chunkHeadBytes(255);
/** Of a work buffer: room for the head, a chunk, an event beyond it and what was just read. */
export const STREAM_BUFFER_BYTES: number = HEAD_BYTES + CHUNK_BYTES + WHOLE_BYTES + READ_BYTES;

export class EventStream {
  readonly #semiSync: boolean;
  readonly #crc32: (bytes: Uint8Array, previous?: number) => number;
  readonly #chunkBytes: number;
  readonly #newBuffer: () => Uint8Array;
  readonly #tracker = new TransactionTracker();
  readonly #table = new ChunkTable();
  readonly #cursor: ChunkCursor;
  #checksum: Checksum;

  #buffer: Uint8Array;
  /** Of the same bytes: one read for four of them. */
  #view: DataView;
  #start: number;
  #w: number;
  #r: number;
  #e: number;

  /** Of the body so far. */
  #events = 0;
  /** The last whole unit's end: body offset, and counters there. */
  #unitEnd = 0;
  #unitOpenAt = -1;
  #unitOpenEvents = 0;
  #firstPacketAt = -1;
  #firstEventAt = -1;
  #packets = 0;
  #packetsAtUnitEnd = 0;
  #timestamp = 0;
  #ackWanted = false;
  #sealNow = false;

  /** A large event on its way through; `#bulkLeft` counts its bytes still to come. */
  #bulk = false;
  #bulkLeft = 0;
  #bulkSize = 0;
  #bulkType = 0;
  #bulkQuery: QueryKind | null = null;
  #bulkCrc = 0;
  #bulkCrcSeen = 0;
  #inLeft = 0;
  #inFull = false;
  #outLeft = 0;
  #outFull = false;

  /** The packet that ended the stream: ERR or EOF. */
  ending: Uint8Array | null = null;

  constructor(options: EventStreamOptions) {
    this.#semiSync = options.semiSync;
    this.#crc32 = options.crc32;
    this.#checksum = options.checksum;
    this.#cursor = options.cursor;
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
    this.#newBuffer = options.takeBuffer ?? (() => new Uint8Array(STREAM_BUFFER_BYTES));
    this.#buffer = this.#newBuffer();
    this.#view = viewOf(this.#buffer);
    this.#start = HEAD_BYTES;
    this.#w = this.#r = this.#e = this.#unitEnd = this.#start;
  }

  /** True inside a transaction that has not ended. */
  get inTransaction(): boolean {
    return this.#tracker.inside;
  }

  get file(): string {
    return this.#cursor.file;
  }

  get fileOffset(): number {
    return this.#cursor.fileOffset + this.#events;
  }

  /** Takes in as much of `bytes` as fits; returns how many. Then take chunks, then push the rest. */
  push(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, this.#buffer.length - this.#e);
    this.#buffer.set(length === bytes.length ? bytes : bytes.subarray(0, length), this.#e);
    this.#e += length;
    this.#parse();
    return length;
  }

  /** A full chunk, or one that must end here; null when there is none yet. */
  takeFull(): BuiltChunk | null {
    return this.#sealNow ? this.#seal() : null;
  }

  /** What has arrived in whole units; null when nothing has. */
  takeReady(): BuiltChunk | null {
    return this.#sealNow || this.#unitEnd > this.#start ? this.#seal() : null;
  }

  #parse(): void {
    while (!this.#sealNow && this.ending === null) {
      if (this.#bulk ? !this.#parseBulk() : !this.#parseEvent()) return;
    }
  }

  /** One event, or the start of a large one. False when more bytes are needed. */
  #parseEvent(): boolean {
    const buffer = this.#buffer;
    const at = this.#r;
    const available = this.#e - at;
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
    const size = this.#view.getUint32(event + 9, true);
    const whole = length !== MAX_PACKET_PAYLOAD;
    if (size < EVENT_HEADER_BYTES || (whole ? size + prefix !== length : size + prefix < length)) {
      throw new StreamError("malformed", `Event size ${size} in a packet of ${length} bytes`);
    }
    const room = this.#start + this.#chunkBytes - this.#w;
    if (size > WHOLE_BYTES) {
      const head = PACKET_HEADER_BYTES + prefix + Math.min(size, QUERY_HEAD_BYTES);
      if (available < head) return false;
      if (room < FRAME_BYTES + 65_536 && this.#w > this.#start) return this.#stopFull();
      this.#startBulk(event, size, length - prefix, whole);
      return true;
    }
    if (available < PACKET_HEADER_BYTES + length) return false;
    const ack = this.#semiSync && buffer[at + 6] === 1;
    return this.#takeEvent(event, size, room, ack);
  }

  #parseEnding(at: number, length: number): boolean {
    if (this.#buffer[at + 4] !== 0xff && this.#buffer[at + 4] !== 0xfe) {
      throw new StreamError("malformed", `Packet begins with ${this.#buffer[at + 4]}`);
    }
    if (length > 4096) throw new StreamError("malformed", `Error packet of ${length} bytes`);
    if (this.#e - at < PACKET_HEADER_BYTES + length) return false;
    this.ending = this.#buffer.slice(at + PACKET_HEADER_BYTES, at + PACKET_HEADER_BYTES + length);
    return false;
  }

  #stopFull(): boolean {
    this.#sealNow = true;
    return false;
  }

  /** A whole event stands at `event`. False when it must wait for the chunk to be taken. */
  #takeEvent(event: number, size: number, room: number, ack: boolean): boolean {
    const buffer = this.#buffer;
    const type = buffer[event + 4]!;
    if (type === EventType.HEARTBEAT || type === EventType.HEARTBEAT_V2) {
      return this.#takeHeartbeat(event, size);
    }
    if (type === EventType.ROTATE && (buffer[event + 17]! & EventFlag.ARTIFICIAL) !== 0) {
      return this.#takeFakeRotate(event, size);
    }
    if (size + FRAME_BYTES > room && this.#w > this.#start) return this.#stopFull();
    if (type === EventType.FORMAT_DESCRIPTION) this.#takeFormatDescription(event, size);
    this.#checkCrc(event, size, type);
    this.#checkPosition(event, size);
    this.#openUnit(event, size, type);
    const query = type === EventType.QUERY ? this.#queryKind(event, size) : null;
    // Into place: nothing moves as long as nothing was dropped before it.
    const w = this.#w;
    if (w + FRAME_BYTES !== event) buffer.copyWithin(w + FRAME_BYTES, event, event + size);
    const payload = size + 1;
    buffer[w] = payload;
    buffer[w + 1] = payload >>> 8;
    buffer[w + 2] = payload >>> 16;
    buffer[w + 3] = this.#cursor.sequence + this.#packets++;
    buffer[w + 4] = 0;
    if (this.#firstPacketAt < 0) this.#firstPacketAt = w;
    if (this.#firstEventAt < 0) this.#firstEventAt = w;
    this.#w = w + FRAME_BYTES + size;
    this.#r = event + size;
    this.#events += size;
    if (ack) this.#ackWanted = true;
    this.#timestamp = this.#view.getUint32(w + FRAME_BYTES, true) || this.#timestamp;
    this.#closeUnit(type, size, query);
    return true;
  }

  /** Opens the unit that an event begins, if it begins one. */
  #openUnit(event: number, size: number, type: number): void {
    if (this.#tracker.inside) return;
    this.#unitOpenAt = this.#w;
    this.#unitOpenEvents = this.#events;
    switch (type) {
      case EventType.GTID:
      case EventType.GTID_TAGGED: {
        const end = event + size - (this.#checksum === "CRC32" ? 4 : 0);
        const length = this.#table.addTransaction(this.#buffer, event, end);
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
    this.#table.addUnit(
      kind,
      false,
      this.#w - this.#unitOpenAt,
      this.#events - this.#unitOpenEvents,
    );
    this.#unitEnd = this.#w;
    this.#packetsAtUnitEnd = this.#packets;
    this.#unitOpenAt = -1;
    if (kind === UnitKind.ROTATE || kind === UnitKind.STOP) this.#sealNow = true;
  }

  #queryKind(event: number, size: number): QueryKind {
    const end = event + size - (this.#checksum === "CRC32" ? 4 : 0);
    const buffer = this.#buffer;
    // The common case without a reader: … "BEGIN" as the whole text.
    const text =
      event + 32 + buffer[event + 27]! + (buffer[event + 30]! | (buffer[event + 31]! << 8)) + 1;
    if (end - text === 5 && buffer[text] === 0x42 && buffer[text + 4] === 0x4e) {
      if (buffer[text + 1] === 0x45 && buffer[text + 2] === 0x47 && buffer[text + 3] === 0x49) {
        return "BEGIN";
      }
    }
    return queryKind(buffer.subarray(0, this.#e), event, end);
  }

  #checkCrc(event: number, size: number, type: number): void {
    if (this.#checksum !== "CRC32" && type !== EventType.FORMAT_DESCRIPTION) return;
    if (size < EVENT_HEADER_BYTES + 4) throw new StreamError("malformed", `Event of ${size} bytes`);
    const end = event + size - 4;
    // Most events are small, and a call into the runtime costs more than their CRC.
    const sum =
      size < SMALL_BYTES
        ? crc32OfView(this.#view, event, end)
        : this.#crc32(this.#buffer.subarray(event, end));
    if (sum !== this.#view.getUint32(end, true)) this.#badCrc();
  }

  #badCrc(): never {
    throw new StreamError(
      "crc",
      `Event in file "${this.#cursor.file}" at ${this.fileOffset} does not match its CRC`,
    );
  }

  /** An event's log_pos, where it has one, says that it stands right behind the one before. */
  #checkPosition(event: number, size: number): void {
    const logPos = this.#view.getUint32(event + 13, true);
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
    const beat = decodeHeartbeat(this.#buffer.subarray(event, event + size), this.#checksum);
    let position = beat.position;
    if (beat.wraps) {
      // Only the low 32 bits came: the nearest place at or after ours, if it is not behind us.
      const ahead = (position - this.fileOffset) & 0xffff_ffff;
      position = ahead > 0 ? this.fileOffset + ahead : this.fileOffset;
    }
    if (position > this.fileOffset && !this.#tracker.inside && beat.file === this.#cursor.file) {
      if (this.#w > this.#start) return this.#stopFull();
      this.#cursor.fileOffset = position;
      this.#cursor.flags |= ChunkFlag.AFTER_HOLE;
    }
    this.#r = event + size;
    return true;
  }

  #takeFakeRotate(event: number, size: number): boolean {
    this.#checkCrc(event, size, EventType.ROTATE);
    const rotate = decodeRotate(this.#buffer.subarray(event, event + size), this.#checksum);
    if (this.#tracker.inside) throw new StreamError("boundary", "A file ends inside a transaction");
    if (this.#w > this.#start) return this.#stopFull();
    if (rotate.file !== this.#cursor.file) {
      if (this.#cursor.file !== "") this.#cursor.flags |= ChunkFlag.AFTER_END;
      this.#cursor.file = rotate.file;
      this.#cursor.fileOffset = rotate.position;
    }
    this.#r = event + size;
    return true;
  }

  #takeFormatDescription(event: number, size: number): void {
    if (this.#tracker.inside)
      throw new StreamError("boundary", "A file begins inside a transaction");
    const fde = decodeFormatDescription(this.#buffer.subarray(event, event + size));
    if (this.fileOffset !== 4) {
      throw new StreamError("boundary", `A file's description stands at ${this.fileOffset}`);
    }
    this.#checksum = fde.checksum;
    this.#cursor.flags |= ChunkFlag.NEW_FILE;
  }

  #startBulk(event: number, size: number, inLeft: number, whole: boolean): void {
    const buffer = this.#buffer;
    const type = buffer[event + 4]!;
    this.#checkPosition(event, size);
    this.#openUnit(event, size, type);
    this.#bulkQuery = type === EventType.QUERY ? this.#queryKind(event, size) : null;
    if (this.#semiSync && buffer[event - 1] === 1) this.#ackWanted = true;
    this.#timestamp = this.#view.getUint32(event, true) || this.#timestamp;
    this.#bulk = true;
    this.#bulkType = type;
    this.#bulkSize = this.#bulkLeft = size;
    this.#bulkCrc = this.#bulkCrcSeen = 0;
    this.#inLeft = inLeft;
    this.#inFull = !whole;
    this.#r = event;
    const w = this.#w;
    if (this.#firstEventAt < 0) this.#firstEventAt = w;
    this.#writeHeader(Math.min(size + 1, MAX_PACKET_PAYLOAD));
    buffer[this.#w++] = 0;
    this.#outLeft -= 1;
  }

  #writeHeader(length: number): void {
    const buffer = this.#buffer;
    const w = this.#w;
    if (this.#firstPacketAt < 0) this.#firstPacketAt = w;
    buffer[w] = length;
    buffer[w + 1] = length >>> 8;
    buffer[w + 2] = length >>> 16;
    buffer[w + 3] = this.#cursor.sequence + this.#packets++;
    this.#w = w + PACKET_HEADER_BYTES;
    this.#outLeft = length;
    this.#outFull = length === MAX_PACKET_PAYLOAD;
  }

  /** Passes on a piece of a large event. False when bytes or room are missing. */
  #parseBulk(): boolean {
    // The incoming header first: where both stand at the same byte, it makes room for ours.
    if (this.#inLeft === 0 && this.#inFull) {
      if (this.#e - this.#r < PACKET_HEADER_BYTES) return false;
      const length = readU24(this.#buffer, this.#r);
      if (length > this.#bulkLeft || (length < MAX_PACKET_PAYLOAD && length !== this.#bulkLeft)) {
        throw new StreamError("malformed", `Packet of ${length} bytes inside an event`);
      }
      this.#r += PACKET_HEADER_BYTES;
      this.#inLeft = length;
      this.#inFull = length === MAX_PACKET_PAYLOAD;
    }
    if (this.#outLeft === 0 && this.#outFull) {
      if (this.#start + this.#chunkBytes - this.#w < PACKET_HEADER_BYTES + 1)
        return this.#stopFull();
      this.#writeHeader(Math.min(this.#bulkLeft, MAX_PACKET_PAYLOAD));
    }
    if (this.#bulkLeft === 0) return this.#endBulk();
    const room = this.#start + this.#chunkBytes - this.#w;
    if (room <= 0) return this.#stopFull();
    const length = Math.min(this.#bulkLeft, this.#inLeft, this.#outLeft, this.#e - this.#r, room);
    if (length === 0) return false;
    const piece = this.#buffer.subarray(this.#r, this.#r + length);
    if (this.#checksum === "CRC32") this.#bulkChecksum(piece);
    if (this.#w !== this.#r) this.#buffer.copyWithin(this.#w, this.#r, this.#r + length);
    this.#w += length;
    this.#r += length;
    this.#bulkLeft -= length;
    this.#inLeft -= length;
    this.#outLeft -= length;
    this.#events += length;
    return true;
  }

  #bulkChecksum(piece: Uint8Array): void {
    const covered = Math.max(0, Math.min(piece.length, this.#bulkLeft - 4));
    if (covered > 0) this.#bulkCrc = this.#crc32(piece.subarray(0, covered), this.#bulkCrc);
    for (let i = covered; i < piece.length; i++) {
      const place = 4 - (this.#bulkLeft - i);
      this.#bulkCrcSeen = (this.#bulkCrcSeen | (piece[i]! << (8 * place))) >>> 0;
    }
  }

  #endBulk(): boolean {
    if (this.#checksum === "CRC32" && this.#bulkCrc !== this.#bulkCrcSeen) this.#badCrc();
    this.#bulk = false;
    this.#closeUnit(this.#bulkType, this.#bulkSize, this.#bulkQuery);
    return true;
  }

  /** Cuts the chunk and carries what is behind the cut over into the next one's buffer. */
  #seal(): BuiltChunk | null {
    const whole = this.#unitEnd > this.#start;
    const cut = whole ? this.#unitEnd : this.#w;
    this.#sealNow = false;
    if (cut === this.#start) return null;
    let eventBytes = this.#events;
    let packets = this.#packets;
    if (!whole) this.#table.addUnit(UnitKind.TRANSACTION, true, cut - this.#start, eventBytes);
    else if (this.#unitOpenAt >= 0) {
      eventBytes = this.#unitOpenEvents;
      packets = this.#packetsAtUnitEnd;
    }
    const carry = !this.#tracker.inside ? "none" : whole ? "next" : "both";
    const options: SealOptions = {
      start: this.#start,
      cut,
      copy: cut - this.#start < this.#chunkBytes / 4,
      table: this.#table.take(carry),
      eventBytes,
      packets,
      firstPacketAt: behind(this.#firstPacketAt, this.#start, cut),
      firstEventAt: behind(this.#firstEventAt, this.#start, cut),
      timestamp: this.#timestamp,
      ackWanted: this.#ackWanted && whole,
      open: !whole,
    };
    // A chunk that keeps the buffer gets its table where the carried bytes stand: move them first.
    const old = this.#buffer;
    const built = options.copy ? sealChunk(old, this.#cursor, options) : null;
    this.#carry(cut, options.copy);
    this.#events -= eventBytes;
    this.#packets -= packets;
    this.#packetsAtUnitEnd = 0;
    this.#unitOpenEvents = 0;
    if (whole) this.#ackWanted = false;
    const chunk = built ?? sealChunk(old, this.#cursor, options);
    this.#parse();
    return chunk;
  }

  /** Moves [cut, w) and [r, e) to where the next chunk's body begins. */
  #carry(cut: number, sameBuffer: boolean): void {
    const old = this.#buffer;
    if (!sameBuffer) {
      this.#buffer = this.#newBuffer();
      this.#view = viewOf(this.#buffer);
    }
    const r = this.#start + (this.#w - cut);
    this.#buffer.set(old.subarray(cut, this.#w), this.#start);
    this.#buffer.set(old.subarray(this.#r, this.#e), r);
    this.#e = r + (this.#e - this.#r);
    this.#w = this.#r = r;
    this.#unitEnd = this.#start;
    this.#unitOpenAt = this.#tracker.inside ? this.#start : -1;
    // What was carried over begins with a unit; without any, the next header will tell.
    this.#firstPacketAt = this.#firstEventAt = r > this.#start ? this.#start : -1;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Offset in the body; its end when there is none before the cut. */
function behind(at: number, start: number, cut: number): number {
  return at < 0 || at > cut ? cut - start : at - start;
}
