/**
 * Bytes that arrived and are not parsed yet, for the two incremental framings (packets, compressed
 * frames). One run at a time: while what is pushed is consumed at once nothing is copied; what
 * stays behind is gathered in a buffer that doubles, so one byte at a time costs no more.
 *
 * Nothing is allocated for bytes that are announced but have not come. Bytes handed out are views
 * and stay valid: the queue never moves or overwrites what it once held.
 */
const EMPTY = new Uint8Array(0);

export class ByteQueue {
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const waiting = this.length;
    if (waiting === 0) {
      this.#bytes = bytes;
      this.#start = 0;
      this.#end = bytes.length;
      return;
    }
    const end = this.#end + bytes.length;
    // An array that was pushed is full to its end, so this never writes into one.
    if (end > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(64, 2 * waiting, waiting + bytes.length));
      bigger.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = bigger;
      this.#start = 0;
      this.#end = waiting;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** A byte that is there; `at` counts from the first unread one. */
  peek(at: number): number {
    return this.#bytes[this.#start + at]!;
  }

  peekU24(at: number): number {
    return this.peek(at) | (this.peek(at + 1) << 8) | (this.peek(at + 2) << 16);
  }

  skip(length: number): void {
    this.#start += length;
  }

  /** A view of the next `length` bytes, which must be there. */
  take(length: number): Uint8Array {
    const view = this.#bytes.subarray(this.#start, this.#start + length);
    this.#start += length;
    return view;
  }

  /** All that waits, or null when nothing does. */
  takeAll(): Uint8Array | null {
    if (this.length === 0) return null;
    const all = this.take(this.length);
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
    return all;
  }
}
