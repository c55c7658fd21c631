/**
 * Building chunks (layout: chunk.ts): the table of runs and units that grows while events pass,
 * and the sealing of a body into an entry's payload. No object is made per transaction: GTIDs are
 * compared and counted as bytes and numbers, a run becomes an object only when it begins.
 */
import { fromHex, readU32 } from "../base/bytes.ts";
import {
  ChunkFlag,
  type ChunkHead,
  encodeChunkHead,
  type GtidRun,
  type Pull,
  type SourceIdentity,
  type UnitKind,
  writeVarint,
  writeVarint64,
} from "./chunk.ts";
import { EVENT_HEADER_BYTES, EventType } from "./event.ts";
import { decodeGtidEvent } from "./gtid-event.ts";

/** Where a pull stands; sealing moves it on. */
export interface ChunkCursor {
  readonly epoch: number;
  readonly pull: Pull;
  readonly source: SourceIdentity;
  pullSequence: number;
  streamOffset: number;
  file: string;
  fileOffset: number;
  /** Packet number of the next packet. */
  sequence: number;
  /** For the next chunk only. */
  flags: number;
}

export interface BuiltChunk {
  readonly payload: Uint8Array;
  readonly pullSequence: number;
  /** The source waits for an acknowledgement of a transaction that ends here. */
  readonly ackWanted: boolean;
  readonly eventBytes: number;
}

interface Run {
  readonly sid: string;
  readonly uuid: Uint8Array;
  readonly first: bigint;
  /** Low and high half of the number after the run's last. */
  nextLow: number;
  nextHigh: number;
  count: number;
}

/** Kind, and two varints of 32 bits. */
const MAX_UNIT_BYTES = 11;

/** The table of a chunk in the making. */
export class ChunkTable {
  #runs: Run[] = [];
  /** Encoded; the first `#unitBytes` count. Used again by every chunk: thousands of units a MiB. */
  #units = new Uint8Array(4096);
  #unitBytes = 0;
  #unitCount = 0;

  /** A GTID event between `event` and `end` (without checksum); returns its transaction length. */
  addTransaction(bytes: Uint8Array, event: number, end: number): number {
    const last = this.#runs[this.#runs.length - 1];
    const uuidAt = event + EVENT_HEADER_BYTES + 1;
    if (
      last !== undefined &&
      bytes[event + 4] === EventType.GTID &&
      end - uuidAt >= 24 &&
      readU32(bytes, uuidAt + 16) === last.nextLow &&
      readU32(bytes, uuidAt + 20) === last.nextHigh &&
      sameUuid(bytes, uuidAt, last.uuid)
    ) {
      advance(last);
      return transactionLength(bytes, uuidAt + 24, end);
    }
    const gtid = decodeGtidEvent(bytes, event, end);
    this.#addRun(gtid.sid, gtid.gno);
    return gtid.transactionLength;
  }

  #addRun(sid: string, gno: bigint): void {
    const last = this.#runs[this.#runs.length - 1];
    if (last !== undefined && last.sid === sid && last.first + BigInt(last.count) === gno) {
      advance(last);
      return;
    }
    const uuid = fromHex(sid.slice(0, 36).replaceAll("-", ""));
    const next = gno + 1n;
    this.#runs.push({
      sid,
      // A tagged sid has its own event type: it never matches the bytes of an untagged one.
      uuid: sid.length > 36 ? new Uint8Array(0) : uuid,
      first: gno,
      nextLow: Number(next & 0xffffffffn),
      nextHigh: Number(next >> 32n),
      count: 1,
    });
  }

  addUnit(kind: UnitKind, open: boolean, framedBytes: number, eventBytes: number): void {
    if (this.#unitBytes + MAX_UNIT_BYTES > this.#units.length) {
      const larger = new Uint8Array(this.#units.length * 2);
      larger.set(this.#units);
      this.#units = larger;
    }
    this.#units[this.#unitBytes++] = kind | (open ? 8 : 0);
    this.#varint(framedBytes);
    this.#varint(eventBytes);
    this.#unitCount++;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#units[this.#unitBytes++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#units[this.#unitBytes++] = rest;
  }

  /**
   * The encoded table; then the next chunk's begins. When the last transaction named here goes on
   * in the next chunk it is named there again; `inThis` says whether it has bytes in this one too.
   */
  take(carry: "none" | "both" | "next"): Uint8Array {
    const last = this.#runs[this.#runs.length - 1];
    const carried = carry === "none" || last === undefined ? null : lastOf(last);
    if (carry === "next" && last !== undefined && --last.count === 0) this.#runs.pop();
    const out: number[] = [];
    const sids: string[] = [];
    for (const run of this.#runs) if (!sids.includes(run.sid)) sids.push(run.sid);
    writeVarint(out, sids.length);
    for (const sid of sids) {
      for (const byte of fromHex(sid.slice(0, 36).replaceAll("-", ""))) out.push(byte);
      const tag = sid.slice(37);
      out.push(tag.length);
      for (let i = 0; i < tag.length; i++) out.push(tag.charCodeAt(i));
    }
    writeVarint(out, this.#runs.length);
    for (const run of this.#runs) {
      writeVarint(out, sids.indexOf(run.sid));
      writeVarint64(out, run.first);
      writeVarint(out, run.count);
    }
    writeVarint(out, this.#unitCount);
    const table = new Uint8Array(out.length + this.#unitBytes);
    table.set(out, 0);
    table.set(this.#units.subarray(0, this.#unitBytes), out.length);
    this.#runs = [];
    this.#unitBytes = 0;
    this.#unitCount = 0;
    if (carried !== null) this.#addRun(carried.sid, carried.first);
    return table;
  }
}

function advance(run: Run): void {
  run.count++;
  run.nextLow = (run.nextLow + 1) >>> 0;
  if (run.nextLow === 0) run.nextHigh++;
}

function lastOf(run: Run): GtidRun {
  return { sid: run.sid, first: run.first + BigInt(run.count - 1), count: 1 };
}

function sameUuid(bytes: Uint8Array, at: number, uuid: Uint8Array): boolean {
  if (uuid.length !== 16) return false;
  for (let i = 0; i < 16; i++) if (bytes[at + i] !== uuid[i]) return false;
  return true;
}

/** `at` is behind the GTID number: u8 2 · 16 logical timestamps · 7 or 14 commit timestamps · lenenc. */
function transactionLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 17 + 7 + 1 || bytes[at] !== 2) return 0;
  const stamps = at + 17;
  const length = stamps + ((bytes[stamps + 6]! & 0x80) !== 0 ? 14 : 7);
  const first = bytes[length]!;
  if (first < 0xfb) return first;
  if (first === 0xfc) return bytes[length + 1]! | (bytes[length + 2]! << 8);
  if (first === 0xfd) {
    return bytes[length + 1]! | (bytes[length + 2]! << 8) | (bytes[length + 3]! << 16);
  }
  return readU32(bytes, length + 1) + readU32(bytes, length + 5) * 0x1_0000_0000;
}

export interface SealOptions {
  /** The body in the buffer. */
  readonly start: number;
  readonly cut: number;
  /** Copy it out, so that the buffer stays in use. */
  readonly copy: boolean;
  readonly table: Uint8Array;
  readonly eventBytes: number;
  readonly packets: number;
  readonly firstPacketAt: number;
  readonly firstEventAt: number;
  readonly timestamp: number;
  readonly ackWanted: boolean;
  /** The last unit goes on in the next chunk. */
  readonly open: boolean;
}

/**
 * Makes the payload around a body and moves the cursor behind it. Head and table are written next
 * to the body where they fit: before `start` there is room for any head.
 */
export function sealChunk(
  buffer: Uint8Array,
  cursor: ChunkCursor,
  options: SealOptions,
): BuiltChunk {
  const { start, cut, table } = options;
  const head = encodeChunkHead(headOf(cursor, options), cut - start, table.length);
  const size = head.length + (cut - start) + table.length;
  let payload: Uint8Array;
  if (options.copy || cut + table.length > buffer.length) {
    payload = new Uint8Array(size);
    payload.set(buffer.subarray(start, cut), head.length);
  } else {
    payload = buffer.subarray(start - head.length, cut + table.length);
  }
  payload.set(head, 0);
  payload.set(table, size - table.length);
  const pullSequence = cursor.pullSequence++;
  cursor.streamOffset += options.eventBytes;
  cursor.fileOffset += options.eventBytes;
  cursor.sequence = (cursor.sequence + options.packets) & 0xff;
  cursor.flags = options.open ? ChunkFlag.CONTINUES : 0;
  return { payload, pullSequence, ackWanted: options.ackWanted, eventBytes: options.eventBytes };
}

function headOf(cursor: ChunkCursor, options: SealOptions): ChunkHead {
  const { eventBytes, firstPacketAt, firstEventAt, packets, timestamp } = options;
  return {
    flags: cursor.flags | (options.open ? ChunkFlag.ENDS_OPEN : 0),
    firstSequence: cursor.sequence & 0xff,
    epoch: cursor.epoch,
    pull: cursor.pull,
    pullSequence: cursor.pullSequence,
    streamOffset: cursor.streamOffset,
    fileOffset: cursor.fileOffset,
    eventBytes,
    firstPacketAt,
    firstEventAt,
    packets,
    timestamp,
    file: cursor.file,
    source: (cursor.flags & ChunkFlag.RESTARTS) === 0 ? null : cursor.source,
  };
}
