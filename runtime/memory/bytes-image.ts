/** The contents of one simulated file: grows on demand, and what was never written reads as zero. */
export class BytesImage {
  #bytes: Uint8Array = new Uint8Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  copy(): BytesImage {
    const out = new BytesImage();
    out.#bytes = this.#bytes.slice(0, this.#size);
    out.#size = this.#size;
    return out;
  }

  read(position: number, into: Uint8Array): number {
    const length = Math.max(0, Math.min(into.length, this.#size - position));
    into.set(this.#bytes.subarray(position, position + length));
    return length;
  }

  write(position: number, data: Uint8Array): void {
    const end = position + data.length;
    if (end > this.#size) this.truncate(end);
    this.#bytes.set(data, position);
  }

  /** Makes it shorter or, with zeros, longer. */
  truncate(size: number): void {
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    if (size > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(size, this.#bytes.length * 2, 256));
      bigger.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = bigger;
    }
    this.#size = size;
  }
}
