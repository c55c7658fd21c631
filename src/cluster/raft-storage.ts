/**
 * The durable log as the Raft core reads it (contract: raft/storage.ts). Terms are known at once,
 * and so are the payloads of the hot tail; older ones are on the disk: the core is told PENDING,
 * `wanted` names what is to be read, and `stage` lends it to the core until it was sent.
 *
 * What `entries` gives lies in buffers that are used again: it must be sent, which copies it, before
 * anything else runs.
 */
import { limitSize } from "../raft/sizes.ts";
import { COMPACTED, PENDING, type RaftStorage, UNAVAILABLE } from "../raft/storage.ts";
import type { ConfState, Entry, HardState, Snapshot } from "../raft/types.ts";
import type { Lease } from "../storage/block-cache.ts";
import type { DurableLog } from "../storage/log.ts";
import { NodeState } from "./node-state.ts";

export class LogStorage implements RaftStorage {
  readonly #log: DurableLog;
  readonly #applied: number;
  readonly #conf: ConfState;
  /** The first entry that everybody must have. */
  readonly #floor: () => number;
  #staged: Lease | null = null;
  /** First entries of what was asked for and is on the disk. */
  readonly wanted: Set<number> = new Set();
  #snapshot: Snapshot | null = null;
  /** `loadSnapshot` is to be called. */
  wantsSnapshot = false;

  /** `applied` is what the newest checkpoint holds, so that much is committed; `conf` is as of then. */
  constructor(log: DurableLog, applied: number, conf: ConfState, floor: () => number) {
    this.#floor = floor;
    this.#log = log;
    this.#applied = applied;
    this.#conf = conf;
  }

  initialState(): { readonly hardState: HardState; readonly conf: ConfState } {
    const { hardState, lastIndex, firstIndex } = this.#log;
    // The stored one may be behind what was committed, never ahead of what is here.
    const known = Math.min(hardState.commit, lastIndex);
    const commit = Math.max(known, this.#applied, firstIndex - 1);
    return { hardState: { ...hardState, commit }, conf: this.#conf };
  }

  entries(
    low: number,
    high: number,
    maxBytes: number,
  ): readonly Entry[] | typeof PENDING | typeof COMPACTED | typeof UNAVAILABLE {
    if (low < this.#log.firstIndex) return COMPACTED;
    if (high > this.#log.lastIndex + 1) return UNAVAILABLE;
    const found = this.#log.hotEntries(low, maxBytes) ?? this.#stagedFrom(low);
    if (found === null) {
      this.wanted.add(low);
      return PENDING;
    }
    return limitSize(found.length > high - low ? found.slice(0, high - low) : found, maxBytes);
  }

  #stagedFrom(low: number): readonly Entry[] | null {
    const entries = this.#staged?.entries ?? [];
    const at = entries.findIndex(({ index }) => index === low);
    return at < 0 ? null : entries.slice(at);
  }

  /** Lends the core what was read. */
  stage(lease: Lease): void {
    this.unstage();
    this.#staged = lease;
  }

  unstage(): void {
    this.#staged?.release();
    this.#staged = null;
  }

  term(index: number): number | typeof PENDING | typeof COMPACTED | typeof UNAVAILABLE {
    if (index === 0) return 0;
    if (index > this.#log.lastIndex) return UNAVAILABLE;
    return this.#log.term(index) ?? (index < this.#log.firstIndex ? COMPACTED : PENDING);
  }

  hasConfChange(low: number, high: number): boolean {
    return this.#log.hasConfChange(low, high);
  }

  firstIndex(): number {
    return this.#log.firstIndex;
  }

  lastIndex(): number {
    return Math.max(this.#log.lastIndex, this.#log.firstIndex - 1);
  }

  /** What a peer begins with that needs what was purged; null until it was read from the disk. */
  snapshot(): Snapshot | null {
    const found = this.#snapshot;
    if (found !== null && found.index + 1 >= this.#log.firstIndex) return found;
    this.wantsSnapshot = true;
    return null;
  }

  /** The core asks again by itself. */
  async loadSnapshot(): Promise<void> {
    this.wantsSnapshot = false;
    const checkpoint = await this.#log.checkpointBefore(this.#floor());
    if (checkpoint === null) return;
    const { conf } = NodeState.decode(checkpoint.data);
    this.#snapshot = { ...checkpoint, conf };
  }
}
