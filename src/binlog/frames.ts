/**
 * Walking and renumbering packets in stored framing: u24 length · u8 sequence · payload. A payload
 * of 16 MiB - 1 continues in the next packet; only the first packet of an event has the 00 byte.
 */
import { readU24, readU32 } from "../base/bytes.ts";

export const PACKET_HEADER_BYTES = 4;
/** Packet header and the 00 (OK) byte in front of each event. */
export const FRAME_BYTES = 5;
export const MAX_PACKET_PAYLOAD = 0xffffff;

/** Bytes that an event of `size` takes in stored framing. */
export function framedSize(size: number): number {
  const payload = size + 1;
  return payload + PACKET_HEADER_BYTES * (Math.floor(payload / MAX_PACKET_PAYLOAD) + 1);
}

/** Frames one event, continuing the packet numbers at `sequence`. */
export function frameEvent(event: Uint8Array, sequence: number): Uint8Array {
  const out = new Uint8Array(framedSize(event.length));
  let at = 0;
  let from = -1; // the 00 byte comes first
  let number = sequence;
  const payloadBytes = event.length + 1;
  for (let done = 0; ; ) {
    const length = Math.min(payloadBytes - done, MAX_PACKET_PAYLOAD);
    out[at] = length;
    out[at + 1] = length >>> 8;
    out[at + 2] = length >>> 16;
    out[at + 3] = number++;
    at += PACKET_HEADER_BYTES;
    if (from < 0) {
      out[at++] = 0;
      from = 0;
      out.set(event.subarray(0, length - 1), at);
      from = length - 1;
      at += length - 1;
    } else {
      out.set(event.subarray(from, from + length), at);
      from += length;
      at += length;
    }
    done += length;
    if (length < MAX_PACKET_PAYLOAD) return out;
  }
}

/**
 * Adds `shift` to the sequence byte of every packet whose header stands in `body`. `at` is where
 * the first header stands. Returns how far the last packet reaches beyond the end.
 */
export function shiftSequences(body: Uint8Array, at: number, shift: number): number {
  let offset = at;
  while (offset < body.length) {
    body[offset + 3] = body[offset + 3]! + shift;
    offset += PACKET_HEADER_BYTES + readU24(body, offset);
  }
  return offset - body.length;
}

/** One event of a body. */
export interface FramedEvent {
  /** Where its packet header stands in the body. */
  readonly frameAt: number;
  /** Where the event stands, behind header and 00. */
  readonly eventAt: number;
  /** Its size by its own header; it may reach beyond this body. */
  readonly size: number;
}

/**
 * Calls `visit` for every event that begins in the body from the packet header at `at` on, until
 * it returns false.
 */
export function walkEvents(
  body: Uint8Array,
  at: number,
  visit: (event: FramedEvent) => boolean,
): void {
  let offset = at;
  while (offset + FRAME_BYTES + 19 <= body.length) {
    const size = readU32(body, offset + FRAME_BYTES + 9);
    if (!visit({ frameAt: offset, eventAt: offset + FRAME_BYTES, size })) return;
    offset += framedSize(size);
  }
}

/** Of the event whose packet header stands at `at`, seconds since 1970; 0 where none begins in the body. */
export function timestampAt(body: Uint8Array, at: number): number {
  return at + FRAME_BYTES + 4 > body.length ? 0 : readU32(body, at + FRAME_BYTES);
}

/** Takes the framing off: appends to `out` the bytes of events in `body`. */
export class Unframer {
  /** Bytes left of the packet that the last body ended in. */
  #packetLeft = 0;
  /** The packet that begins next continues an event. */
  #continues = false;

  /** The event bytes of the next body, as views. Bodies come in stream order. */
  push(body: Uint8Array): Uint8Array[] {
    const out: Uint8Array[] = [];
    let at = 0;
    while (at < body.length) {
      if (this.#packetLeft > 0) {
        const length = Math.min(this.#packetLeft, body.length - at);
        out.push(body.subarray(at, at + length));
        at += length;
        this.#packetLeft -= length;
        continue;
      }
      const length = readU24(body, at);
      at += PACKET_HEADER_BYTES;
      this.#packetLeft = length;
      if (!this.#continues) {
        at += 1;
        this.#packetLeft -= 1;
      }
      this.#continues = length === MAX_PACKET_PAYLOAD;
    }
    return out;
  }
}
