/**
 * The durable log as the Raft core reads it (contract: raft/storage.ts). Terms are known at once,
 * payloads are on the disk: whoever needs them is told PENDING and reads them itself.
 */
import { COMPACTED, PENDING, type RaftStorage, UNAVAILABLE } from "../raft/storage.ts";
import { type ConfState, EMPTY_CONF_STATE, type HardState } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";

export class LogStorage implements RaftStorage {
  readonly #log: DurableLog;
  readonly #applied: number;

  /** `applied` is what the newest checkpoint holds: that much is committed. */
  constructor(log: DurableLog, applied: number) {
    this.#log = log;
    this.#applied = applied;
  }

  initialState(): { readonly hardState: HardState; readonly conf: ConfState } {
    const { hardState, lastIndex, firstIndex, identity } = this.#log;
    // The stored one may be behind what was committed, never ahead of what is here.
    const known = Math.min(hardState.commit, lastIndex);
    const commit = Math.max(known, this.#applied, firstIndex - 1);
    return {
      hardState: { ...hardState, commit },
      conf: { ...EMPTY_CONF_STATE, voters: [identity.raftId] },
    };
  }

  entries(low: number, high: number): typeof PENDING | typeof COMPACTED | typeof UNAVAILABLE {
    if (low < this.#log.firstIndex) return COMPACTED;
    return high > this.#log.lastIndex + 1 ? UNAVAILABLE : PENDING;
  }

  term(index: number): number | typeof COMPACTED | typeof UNAVAILABLE {
    if (index === 0) return 0;
    if (index > this.#log.lastIndex) return UNAVAILABLE;
    return this.#log.term(index) ?? COMPACTED;
  }

  firstIndex(): number {
    return this.#log.firstIndex;
  }

  lastIndex(): number {
    return Math.max(this.#log.lastIndex, this.#log.firstIndex - 1);
  }

  snapshot(): null {
    return null;
  }
}
