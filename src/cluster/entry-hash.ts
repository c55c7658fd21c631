/**
 * A rolling hash over committed entries, so that nodes can be compared while they work: equal at the
 * same entry on all of them, or one has other bytes than the rest. A CRC-32 over the entry's place
 * and payload, chained.
 */
import { ByteWriter } from "../base/bytes.ts";
import type { Crypto } from "../platform/crypto.ts";
import type { Entry } from "../raft/types.ts";

/** What is told of to the others: the hash at each entry whose index is a multiple. */
export const HASH_EVERY = 64;
const KEPT = 64;

export function foldEntry(crc32: Crypto["crc32"], hash: number, entry: Entry): number {
  const place = new ByteWriter(17).u64(entry.index).u64(entry.term).u8(entry.type).finish();
  return crc32(entry.data, crc32(place, hash));
}

/** The last of them, for comparing. */
export class HashTrail {
  readonly #hashes = new Map<number, number>();

  note(index: number, hash: number): void {
    if (index % HASH_EVERY !== 0) return;
    this.#hashes.set(index, hash);
    if (this.#hashes.size > KEPT) this.#hashes.delete(index - KEPT * HASH_EVERY);
  }

  /** After a snapshot the ones before say nothing. */
  clear(): void {
    this.#hashes.clear();
  }

  newest(): { readonly index: number; readonly hash: number } | null {
    let index = 0;
    for (const one of this.#hashes.keys()) index = Math.max(index, one);
    return index === 0 ? null : { index, hash: this.#hashes.get(index)! };
  }

  all(): [index: number, hash: number][] {
    return [...this.#hashes];
  }

  /** Null when this node does not know (any more). */
  agrees(index: number, hash: number): boolean | null {
    const own = this.#hashes.get(index);
    return own === undefined ? null : own === hash;
  }
}
