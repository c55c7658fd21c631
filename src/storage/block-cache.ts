/**
 * Blocks of the log in memory, shared by all readers: sixteen replicas that read the same place
 * cost one read of the disk. The sum of bytes is bounded, those in use included: a reader that
 * wants a block beyond the bound waits until another lets one go.
 */
import type { Entry } from "../raft/types.ts";
import type { PinnedBuffer } from "./pinned-buffer.ts";

export interface Block {
  readonly entries: readonly Entry[];
  readonly buffer: PinnedBuffer;
}

interface Slot {
  key: string;
  readonly loaded: Promise<Block>;
  bytes: number;
  users: number;
  /** Loaded ahead of need, and not asked for yet. */
  ahead: boolean;
}

/** Entries in use. */
export interface Lease {
  readonly entries: readonly Entry[];
  /** Done with reading: the memory counts as free, except for what is held. */
  release(): void;
  /** The bytes must stay as they are until the function that this returns is called. */
  hold(): () => void;
}

/** Of the room, for blocks that were loaded ahead. */
const AHEAD_SHARE = 0.25;

export class BlockCache {
  readonly #maxBytes: number;
  /** In order of last use. */
  readonly #slots = new Map<string, Slot>();
  #bytes = 0;
  #aheadBytes = 0;
  #dropped = 0;
  #waiting: (() => void)[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `bytes` is what `load` will read. A load that fails is not kept. */
  async acquire(key: string, bytes: number, load: () => Promise<Block>): Promise<Lease> {
    let slot = this.#slots.get(key);
    while (slot === undefined) {
      if (this.#makeRoom(bytes)) {
        slot = this.#add(key, bytes, load, false);
      } else {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        slot = this.#slots.get(key);
      }
    }
    this.#slots.delete(key);
    this.#slots.set(key, slot);
    this.#noLongerAhead(slot);
    slot.users++;
    const held = slot;
    try {
      const { entries, buffer } = await held.loaded;
      const unpin = buffer.pin();
      let released = false;
      return {
        entries,
        hold: () => buffer.pin(),
        release: () => {
          if (released) return;
          released = true;
          unpin();
          this.#release(held);
        },
      };
    } catch (error) {
      this.#forget(held);
      throw error;
    }
  }

  /**
   * Loads a block that somebody will want soon. A fraction of the room is for these, so that a
   * hundred readers at a hundred places do not throw out each other's before they are used.
   */
  warm(key: string, bytes: number, load: () => Promise<Block>): void {
    if (this.#slots.has(key) || this.#aheadBytes + bytes > this.#maxBytes * AHEAD_SHARE) return;
    if (!this.#makeRoom(bytes)) return;
    const slot = this.#add(key, bytes, load, true);
    // Whoever asks for it itself is told what is wrong.
    slot.loaded.catch(() => this.#forget(slot));
  }

  #add(key: string, bytes: number, load: () => Promise<Block>, ahead: boolean): Slot {
    const slot: Slot = { key, loaded: load(), bytes, users: 0, ahead };
    this.#slots.set(key, slot);
    this.#bytes += bytes;
    if (ahead) this.#aheadBytes += bytes;
    return slot;
  }

  #noLongerAhead(slot: Slot): void {
    if (!slot.ahead) return;
    slot.ahead = false;
    this.#aheadBytes -= slot.bytes;
  }

  /** After a load that failed: the next one who asks tries again. */
  #forget(slot: Slot): void {
    if (this.#slots.get(slot.key) !== slot) return;
    this.#slots.delete(slot.key);
    this.#bytes -= slot.bytes;
    this.#noLongerAhead(slot);
    this.#wake();
  }

  #release(slot: Slot): void {
    slot.users--;
    if (slot.users === 0) this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Lets unused blocks go, oldest first. One block always fits. */
  #makeRoom(bytes: number): boolean {
    for (const slot of this.#slots.values()) {
      if (this.#bytes + bytes <= this.#maxBytes) return true;
      if (slot.users > 0) continue;
      this.#evict(slot);
    }
    return this.#bytes + bytes <= this.#maxBytes || this.#slots.size === 0;
  }

  /** Forgets the blocks of a segment; those in use go under a name that nobody asks for. */
  drop(prefix: string): void {
    for (const slot of [...this.#slots.values()]) {
      if (!slot.key.startsWith(prefix)) continue;
      if (slot.users === 0) {
        this.#evict(slot);
        continue;
      }
      this.#slots.delete(slot.key);
      slot.key = `dropped ${this.#dropped++}`;
      this.#slots.set(slot.key, slot);
    }
  }

  #evict(slot: Slot): void {
    this.#slots.delete(slot.key);
    this.#bytes -= slot.bytes;
    this.#noLongerAhead(slot);
    slot.loaded.then(
      (block) => block.buffer.drop(),
      () => {},
    );
  }
}
