/**
 * An event too large to be held, on its way through: its packets as the source split them come in,
 * packets as we split them go out, and its CRC is computed piece by piece. So an event of 1 GiB
 * needs no memory of its own.
 */
import { readU24 } from "../base/bytes.ts";
import { MAX_PACKET_PAYLOAD, PACKET_HEADER_BYTES } from "../binlog/frames.ts";
import type { QueryKind } from "../binlog/transaction.ts";
import type { ChunkBody } from "./chunk-body.ts";
import { StreamError } from "./stream-error.ts";

/** What stopped a piece: bytes are missing, the chunk is full, or the event has passed. */
export type Passed = "starved" | "full" | "whole";

export interface LargeEventBeginning {
  readonly size: number;
  /** How many of its bytes the packet that began holds; is that packet a full one? */
  readonly inPacket: number;
  readonly inFull: boolean;
  readonly query: QueryKind | null;
  /** Null where events carry no checksum. */
  readonly crc32: ((bytes: Uint8Array, previous?: number) => number) | null;
}

export class LargeEvent {
  readonly type: number;
  readonly size: number;
  readonly query: QueryKind | null;
  readonly #crc32: LargeEventBeginning["crc32"];
  /** Bytes of the event still to come; of them in the packet that comes in, and that goes out. */
  #left: number;
  #inLeft: number;
  #outLeft: number;
  /** A full packet is followed by another, if only by an empty one. */
  #inFull: boolean;
  #outFull: boolean;
  #sum = 0;
  #sumSeen = 0;

  /** Its beginning stands at `event` in the body's buffer. */
  constructor(body: ChunkBody, event: number, beginning: LargeEventBeginning) {
    this.type = body.bytes[event + 4]!;
    this.size = this.#left = beginning.size;
    this.query = beginning.query;
    this.#crc32 = beginning.crc32;
    this.#inLeft = beginning.inPacket;
    this.#inFull = beginning.inFull;
    this.#outLeft = body.beginLarge(event, beginning.size);
    this.#outFull = this.#outLeft + 1 === MAX_PACKET_PAYLOAD;
  }

  /** After the whole of it: do its bytes match the CRC behind them? */
  get sumMatches(): boolean {
    return this.#crc32 === null || this.#sum === this.#sumSeen;
  }

  /** Moves on as much as has come and has room. */
  pass(body: ChunkBody): Passed {
    for (;;) {
      // The incoming header first: where both stand at the same byte, it makes room for ours.
      if (this.#inLeft === 0 && this.#inFull && !this.#takePacketHeader(body)) return "starved";
      if (this.#outLeft === 0 && this.#outFull) {
        if (body.room < PACKET_HEADER_BYTES + 1) return "full";
        this.#outLeft = body.addPacketHeader(this.#left);
        this.#outFull = this.#outLeft === MAX_PACKET_PAYLOAD;
      }
      if (this.#left === 0) return "whole";
      if (body.room <= 0) return "full";
      const here = Math.min(body.filled - body.next, body.room);
      const length = Math.min(this.#left, this.#inLeft, this.#outLeft, here);
      if (length === 0) return "starved";
      if (this.#crc32 !== null) this.#addToSum(body.bytes, body.next, length);
      body.addPiece(length);
      this.#left -= length;
      this.#inLeft -= length;
      this.#outLeft -= length;
    }
  }

  #takePacketHeader(body: ChunkBody): boolean {
    if (body.filled - body.next < PACKET_HEADER_BYTES) return false;
    const length = readU24(body.bytes, body.next);
    if (length > this.#left || (length < MAX_PACKET_PAYLOAD && length !== this.#left)) {
      throw new StreamError("malformed", `Packet of ${length} bytes inside an event`);
    }
    body.next += PACKET_HEADER_BYTES;
    this.#inLeft = length;
    this.#inFull = length === MAX_PACKET_PAYLOAD;
    return true;
  }

  /** All but the event's last four bytes are summed; those are the sum, and may come one by one. */
  #addToSum(bytes: Uint8Array, at: number, length: number): void {
    const covered = Math.max(0, Math.min(length, this.#left - 4));
    if (covered > 0) this.#sum = this.#crc32!(bytes.subarray(at, at + covered), this.#sum);
    for (let i = covered; i < length; i++) {
      const place = 4 - (this.#left - i);
      this.#sumSeen = (this.#sumSeen | (bytes[at + i]! << (8 * place))) >>> 0;
    }
  }
}
