/**
 * The appends to one peer that were sent and not yet acknowledged: a window bounded by messages
 * and by bytes, as a ring that grows as far as it is used. An empty window takes one message of
 * any size, so that a large entry can pass a small window.
 */
import { assert } from "../base/assert.ts";

const FIRST_SLOTS = 8;

export class Inflights {
  readonly maxMessages: number;
  /** 0: not bounded. May be changed at any time. */
  maxBytes: number;
  /** Payload bytes acknowledged so far, and how often there was no room: for who sets the bound. */
  freedBytes = 0;
  timesFull = 0;
  /** Index of each message's last entry, and its payload bytes. */
  #indexes: number[] = [];
  #sizes: number[] = [];
  #start = 0;
  count = 0;
  bytes = 0;

  constructor(maxMessages: number, maxBytes = 0) {
    this.maxMessages = maxMessages;
    this.maxBytes = maxBytes;
  }

  /** A message was sent whose last entry is `index`. */
  add(index: number, bytes: number): void {
    assert(!this.full, "the window has room");
    if (this.count === this.#indexes.length) this.#grow();
    const at = (this.#start + this.count) % this.#indexes.length;
    this.#indexes[at] = index;
    this.#sizes[at] = bytes;
    this.count++;
    this.bytes += bytes;
  }

  #grow(): void {
    const size = Math.min(Math.max(this.count * 2, FIRST_SLOTS), this.maxMessages);
    const indexes = new Array<number>(size).fill(0);
    const sizes = new Array<number>(size).fill(0);
    for (let i = 0; i < this.count; i++) {
      const at = (this.#start + i) % this.count;
      indexes[i] = this.#indexes[at]!;
      sizes[i] = this.#sizes[at]!;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }

  /** Everything up to `index` was acknowledged. */
  freeUpTo(index: number): void {
    while (this.count > 0 && this.#indexes[this.#start]! <= index) {
      this.bytes -= this.#sizes[this.#start]!;
      this.freedBytes += this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.count--;
    }
  }

  get full(): boolean {
    return this.count >= this.maxMessages || (this.maxBytes > 0 && this.bytes >= this.maxBytes);
  }

  reset(): void {
    this.#indexes = [];
    this.#sizes = [];
    this.#start = 0;
    this.count = 0;
    this.bytes = 0;
  }
}
