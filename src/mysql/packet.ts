/**
 * Packet framing (manual, "MySQL Packets"):
 *
 *   u24 payload length | u8 sequence | payload
 *
 * A payload of 16,777,215 bytes or more is split: packets of that length, then one that is shorter,
 * which may be empty. Sequence numbers count packets in both directions from 0 at each command,
 * modulo 256. Pure and incremental: bytes go in as they come, whole payloads come out.
 */
import { concatBytes, MalformedBytes } from "../base/bytes.ts";
import { ByteQueue } from "./byte-queue.ts";

export const PACKET_HEADER_BYTES = 4;
export const PACKET_MAX_BYTES = 0xffffff;
/** Payloads of one send up to this size are copied together; larger ones are sent in place. */
const COALESCE_MAX_BYTES = 65_536;

/** A payload longer than the reader's cap; seen in the header, before anything is buffered. */
export class PacketTooLarge extends MalformedBytes {
  constructor(payloadBytes: number, maxPayloadBytes: number) {
    super(`payload of at least ${payloadBytes} bytes, the limit is ${maxPayloadBytes}`, 0);
    this.name = "PacketTooLarge";
  }
}

/** A command that was refused for its length and has been passed over: what follows can be read. */
export class PayloadRefused extends Error {
  readonly reason: Error;
  constructor(reason: Error) {
    super(`Payload was refused: ${reason.message}`);
    this.name = "PayloadRefused";
    this.reason = reason;
  }
}

/**
 * The one command that may be longer than all others, known by its first byte. With one set,
 * a single packet that is refused is passed over as it comes, then PayloadRefused is thrown.
 */
export interface LargeCommand {
  readonly code: number;
  readonly maxBytes: number;
  /** Asked before anything above the usual cap is buffered; throws to refuse it. */
  admit(bytes: number): void;
}

export class PacketDecoder {
  /** The number that the next packet must have, in either direction. */
  sequence = 0;
  /** False in compressed mode, where the numbers inside frames follow no rule. */
  checkSequence = true;
  maxPayloadBytes: number;
  /** Null: the cap holds for every payload. */
  largeCommand: LargeCommand | null = null;
  readonly #queue = new ByteQueue();
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  /** What `largeCommand` has admitted of the payload that comes in. */
  #admittedBytes = 0;
  #refusal: PayloadRefused | null = null;
  /** Bytes of the refused payload that have not been passed over. */
  #skipBytes = 0;

  constructor(maxPayloadBytes: number) {
    this.maxPayloadBytes = maxPayloadBytes;
  }

  get bufferedBytes(): number {
    return this.#queue.length + this.#partBytes;
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  /** The next whole payload (a view where it can be), or null until more bytes come. */
  next(): Uint8Array | null {
    for (;;) {
      if (this.#refusal !== null) return this.#passOver(this.#refusal);
      if (this.#queue.length < PACKET_HEADER_BYTES) return null;
      const length = this.#queue.peekU24(0);
      const sequence = this.#queue.peek(3);
      if (this.checkSequence && sequence !== this.sequence) {
        throw new MalformedBytes(`packet number ${sequence} where ${this.sequence} must come`, 3);
      }
      const total = this.#partBytes + length;
      if (total > this.maxPayloadBytes) {
        const refusal = this.#judge(total);
        if (refusal === undefined) return null;
        if (refusal !== null) {
          this.sequence = (sequence + 1) & 0xff;
          // A split payload has no known end.
          if (total >= PACKET_MAX_BYTES) throw refusal;
          this.#refusal = new PayloadRefused(refusal);
          this.#skipBytes = PACKET_HEADER_BYTES + length;
          continue;
        }
      }
      if (this.#queue.length < PACKET_HEADER_BYTES + length) return null;
      this.#queue.skip(PACKET_HEADER_BYTES);
      this.sequence = (sequence + 1) & 0xff;
      const part = this.#queue.take(length);
      if (length === PACKET_MAX_BYTES) {
        this.#parts.push(part);
        this.#partBytes = total;
        continue;
      }
      this.#admittedBytes = 0;
      if (this.#parts.length === 0) return part;
      const payload = concatBytes([...this.#parts, part]);
      this.#parts = [];
      this.#partBytes = 0;
      return payload;
    }
  }

  #passOver(refusal: PayloadRefused): null {
    const length = Math.min(this.#skipBytes, this.#queue.length);
    this.#queue.skip(length);
    this.#skipBytes -= length;
    if (this.#skipBytes > 0) return null;
    this.#refusal = null;
    this.#admittedBytes = 0;
    throw refusal;
  }

  /** Why a payload above the cap is refused; undefined while its first byte has not come. */
  #judge(total: number): Error | null | undefined {
    const large = this.largeCommand;
    if (large === null) throw new PacketTooLarge(total, this.maxPayloadBytes);
    const started = this.#parts.length > 0;
    if (!started && this.#queue.length <= PACKET_HEADER_BYTES) return undefined;
    const code = started ? this.#parts[0]![0] : this.#queue.peek(PACKET_HEADER_BYTES);
    const maxBytes = code === large.code ? large.maxBytes : this.maxPayloadBytes;
    if (total > maxBytes) return new PacketTooLarge(total, maxBytes);
    const more = total - this.#admittedBytes;
    this.#admittedBytes = total;
    try {
      if (more > 0) large.admit(more);
      return null;
    } catch (error) {
      if (error instanceof Error) return error;
      throw error;
    }
  }

  /** Bytes behind the last payload that was taken, unparsed; null when there are none. */
  takeRest(): Uint8Array | null {
    if (this.#parts.length > 0) throw new MalformedBytes("in the middle of a split packet", 0);
    return this.#queue.takeAll();
  }
}

export interface FramedPackets {
  readonly parts: Uint8Array[];
  /** The number of the packet that comes after these. */
  readonly sequence: number;
}

/** Frames payloads as packets numbered from `sequence` on. */
export function framePackets(payloads: readonly Uint8Array[], sequence: number): FramedPackets {
  const parts: Uint8Array[] = [];
  let next = sequence;
  let totalBytes = 0;
  for (const payload of payloads) {
    let at = 0;
    for (;;) {
      const length = Math.min(payload.length - at, PACKET_MAX_BYTES);
      parts.push(packetHeader(length, next));
      if (length > 0) parts.push(payload.subarray(at, at + length));
      next = (next + 1) & 0xff;
      at += length;
      totalBytes += PACKET_HEADER_BYTES + length;
      if (length < PACKET_MAX_BYTES) break;
    }
  }
  if (totalBytes <= COALESCE_MAX_BYTES) return { parts: [concatBytes(parts)], sequence: next };
  return { parts, sequence: next };
}

export function packetHeader(length: number, sequence: number): Uint8Array {
  return Uint8Array.of(length, length >>> 8, length >>> 16, sequence);
}
