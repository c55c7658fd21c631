/**
 * What the core asks of the log on the disk. It only reads; what is to be written leaves it in
 * `Ready`. Answers are synchronous: whoever keeps payloads on the disk and not in memory answers
 * PENDING, reads them, and calls `RawNode.entriesArrived`. The peer that waits for them is paused
 * meanwhile; it is not sent a snapshot.
 */
import type { ConfState, Entry, HardState, Snapshot } from "./types.ts";

/** The entries are there and must be read first. */
export const PENDING = "pending";
/** They were compacted away: who needs them gets a snapshot. */
export const COMPACTED = "compacted";
/** There are no such entries (yet). */
export const UNAVAILABLE = "unavailable";

export interface RaftStorage {
  initialState(): { readonly hardState: HardState; readonly conf: ConfState };
  /** From `low` to before `high`: at least one, more while they take at most `maxBytes` (entrySize). */
  entries(
    low: number,
    high: number,
    maxBytes: number,
  ): readonly Entry[] | typeof PENDING | typeof COMPACTED | typeof UNAVAILABLE;
  /** Also of `firstIndex() - 1`, which is the last one compacted. PENDING where it is lost until a repair. */
  term(index: number): number | typeof PENDING | typeof COMPACTED | typeof UNAVAILABLE;
  /** Whether one of the entries in [low, high), which are there, changes the members. */
  hasConfChange(low: number, high: number): boolean;
  firstIndex(): number;
  /** `firstIndex() - 1` when it is empty. */
  lastIndex(): number;
  /** The newest; null while one is being made. */
  snapshot(): Snapshot | null;
}
