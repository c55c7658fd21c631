/**
 * Where a reader stood a while ago. What a socket took may still be in a buffer on the way when the
 * connection breaks; the replica then asks for it again. So the place to keep for one that left is
 * not where its reader was, but where it was before the last bytes that may be on the way.
 */

/** More than the socket buffers of both ends hold. */
const ON_THE_WAY_BYTES = 16 * 1024 * 1024;

export class ReadingTrail {
  #older: number | null = null;
  #newer: number | null = null;
  #noted = 0;

  /** The entry that is read next, and the bytes that were sent before it. */
  note(entry: number, sentBytes: number): void {
    if (this.#older !== null && sentBytes - this.#noted < ON_THE_WAY_BYTES) return;
    this.#older = this.#newer ?? entry;
    this.#newer = entry;
    this.#noted = sentBytes;
  }

  /** Null before a first note; else a place with at least that many bytes behind it, or the start. */
  get place(): number | null {
    return this.#older;
  }
}
