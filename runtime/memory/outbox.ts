/**
 * What a simulated connection still has to send. Parts are taken by reference and copied only as they
 * leave, as a socket does whose kernel has no room: memory that its owner uses again before it was told
 * that all of it left goes out with the bytes that are there by then.
 */
import { crc32 } from "node:zlib";

/** What all connections of a network tell who watches it. */
export interface ConnWatch {
  /** Told of bytes that changed between their write and their leaving; null when nobody watches. */
  onChangedBytes: ((where: string) => void) | null;
  /** Told of writes that were sent, and whether their writer hears of it late. */
  onSent: (isLate: boolean) => void;
}

interface Part {
  readonly bytes: Uint8Array;
  /** How much of it left. */
  at: number;
  /** Its checksum at the write, and of what left so far; null while nobody watches. */
  readonly written: number | null;
  left: number;
  /** Of the write that this part is the last one of. */
  readonly onSent: (() => void) | null;
}

export interface Piece {
  readonly bytes: Uint8Array;
  /** Of writes that left with it as a whole. */
  readonly sent: readonly (() => void)[];
}

export class Outbox {
  #parts: Part[] = [];
  #bytes = 0;
  /** Told when a part was changed after its write and before it left. */
  readonly #onChanged: (() => void) | null;

  constructor(onChanged: (() => void) | null) {
    this.#onChanged = onChanged;
  }

  get bytes(): number {
    return this.#bytes;
  }
  /** Nothing is left, and nobody waits to be told. */
  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  push(parts: readonly Uint8Array[], onSent: (() => void) | null): void {
    const last = parts.length - 1;
    if (last < 0 && onSent !== null) this.#push(new Uint8Array(0), onSent);
    parts.forEach((bytes, index) => {
      if (index === last || bytes.length > 0) this.#push(bytes, index === last ? onSent : null);
    });
  }

  #push(bytes: Uint8Array, onSent: (() => void) | null): void {
    const written = this.#onChanged === null ? null : crc32(bytes);
    this.#parts.push({ bytes, at: 0, written, left: 0, onSent });
    this.#bytes += bytes.length;
  }

  /** A copy of the next bytes, at most so many. */
  take(most: number): Piece {
    const bytes = new Uint8Array(Math.min(most, this.#bytes));
    const sent: (() => void)[] = [];
    let filled = 0;
    let done = 0;
    for (const part of this.#parts) {
      const piece = part.bytes.subarray(part.at, part.at + bytes.length - filled);
      bytes.set(piece, filled);
      filled += piece.length;
      part.at += piece.length;
      if (part.written !== null) part.left = crc32(piece, part.left);
      if (part.at < part.bytes.length) break;
      if (part.written !== null && part.left !== part.written) this.#onChanged?.();
      if (part.onSent !== null) sent.push(part.onSent);
      done++;
    }
    this.#parts.splice(0, done);
    this.#bytes -= filled;
    return { bytes, sent };
  }

  /** The connection closes: nothing of it leaves any more. */
  drop(): readonly (() => void)[] {
    const sent = this.#parts.flatMap(({ onSent }) => onSent ?? []);
    this.#parts = [];
    this.#bytes = 0;
    return sent;
  }
}
