/**
 * Large buffers of one size, used again and again: at hundreds of MB a second the garbage
 * collector would otherwise let memory grow far beyond what is in use. Who gives a buffer back
 * vouches that nobody reads it any more.
 */
export class BufferPool {
  readonly bufferBytes: number;
  readonly #spare: Uint8Array[] = [];
  readonly #maxSpare: number;

  constructor(bufferBytes: number, maxSpare: number) {
    this.bufferBytes = bufferBytes;
    this.#maxSpare = maxSpare;
  }

  /** Its content is whatever it was. */
  take(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(this.bufferBytes);
  }

  /** Takes back the buffer that `view` is a part of; ignores one that is not of this pool. */
  give(view: Uint8Array): void {
    const { buffer } = view;
    if (buffer.byteLength !== this.bufferBytes || this.#spare.length >= this.#maxSpare) return;
    this.#spare.push(new Uint8Array(buffer as ArrayBuffer));
  }
}
