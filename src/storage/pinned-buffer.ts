/**
 * A pooled buffer and who still uses its bytes. It goes back to the pool once its owner dropped it
 * and nobody uses it: a buffer that is used again while a socket sends it would send wrong bytes.
 */
import { assert } from "../base/assert.ts";
import type { BufferPool } from "../base/buffer-pool.ts";

export class PinnedBuffer {
  readonly #pool: BufferPool;
  readonly #view: Uint8Array;
  #users = 0;
  #dropped = false;

  constructor(pool: BufferPool, view: Uint8Array) {
    this.#pool = pool;
    this.#view = view;
  }

  get users(): number {
    return this.#users;
  }

  /** The bytes are in use until the function that this returns is called, once or more often. */
  pin(): () => void {
    this.#users++;
    let pinned = true;
    return () => {
      if (!pinned) return;
      pinned = false;
      this.#users--;
      if (this.#dropped && this.#users === 0) this.#pool.give(this.#view);
    };
  }

  /** The owner forgets it. */
  drop(): void {
    assert(!this.#dropped, "a buffer is dropped once");
    this.#dropped = true;
    if (this.#users === 0) this.#pool.give(this.#view);
  }
}
