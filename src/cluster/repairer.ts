/**
 * Gives a damaged disk its bytes back: entries that are lost here are fetched from whoever has them, as
 * committed entries, and are written in the place of the damage if the checksums that are still on this
 * disk prove them to be the very bytes that stood there (storage/repair.ts). Meanwhile the node votes and
 * acknowledges, serves everything else, and lets a whole node lead.
 */
import type { Logger } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { Entry } from "../raft/types.ts";
import type { DamagedRange } from "../storage/storage.ts";
import type { NodeCore } from "./node-core.ts";

const LOOK_MS = 1_000;
/** After nobody could help; sooner when others are linked than were. */
const RETRY_MS = 15_000;
const FETCH_MS = 10_000;

export interface EntrySource {
  /** Ids of nodes that are linked. */
  connected(): readonly number[];
  entries(
    raftId: number,
    first: number,
    last: number,
    timeoutMs: number,
  ): Promise<readonly Entry[]>;
}

export class Repairer implements Service {
  readonly #core: NodeCore;
  readonly #clock: Clock;
  readonly #source: EntrySource;
  readonly #logger: Logger;
  /** Entries that were given back since this process started. */
  repaired = 0;
  /** What nobody could give back when it was tried last. */
  hopeless: DamagedRange | null = null;

  constructor(core: NodeCore, clock: Clock, source: EntrySource, logger: Logger) {
    this.#core = core;
    this.#clock = clock;
    this.#source = source;
    this.#logger = logger;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [range] = this.#core.log.damage;
      const peers = this.#source.connected();
      const done = range === undefined || (await this.#mend(range, peers, signal));
      const until = this.#clock.mono() + (done ? 0 : RETRY_MS);
      do await delay(this.#clock, LOOK_MS, signal);
      while (
        this.#clock.mono() < until &&
        !signal.aborted &&
        this.#source.connected().join() === peers.join()
      );
    }
  }

  /** False when nobody could help. */
  async #mend(
    range: DamagedRange,
    peers: readonly number[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { log, driver } = this.#core;
    for (const peer of peers) {
      if (signal.aborted) return true;
      try {
        const entries = await this.#collect(peer, range);
        if (!(await log.repair(range, entries))) continue;
        this.repaired += entries.length;
        this.hopeless = null;
        const { fromIndex, toIndex } = range;
        this.#logger.warn("Damaged entries were repaired from a peer", {
          fromIndex,
          toIndex,
          peer,
        });
        driver.mended();
        return true;
      } catch (error) {
        // It may lack them, or be gone; the next one may have them.
        this.#logger.debug("A peer could not help with damage", {
          peer,
          reason: (error as Error).message,
        });
      }
    }
    if (peers.length > 0) this.#giveUp(range);
    return false;
  }

  /** Until other peers are linked, or the next try. */
  #giveUp(range: DamagedRange): void {
    const isKnown = this.hopeless?.fromIndex === range.fromIndex;
    this.hopeless = range;
    if (isKnown) return;
    const { fromIndex, toIndex } = range;
    this.#logger.error(
      "Damaged entries could not be repaired: no peer that is linked has them, or too much is lost here to prove " +
        "what stood there. It is tried again. If it stays so, replace this node: move its data directory away, " +
        "start it with an empty one, which joins as a new learner, promote that and remove the old member",
      { fromIndex, toIndex },
    );
  }

  async #collect(peer: number, { fromIndex, toIndex }: DamagedRange): Promise<Entry[]> {
    const entries: Entry[] = [];
    while (entries.length === 0 || entries.at(-1)!.index < toIndex) {
      const from = entries.at(-1)?.index ?? fromIndex - 1;
      const more = await this.#source.entries(peer, from + 1, toIndex, FETCH_MS);
      if (more[0]?.index !== from + 1) throw new Error(`it sent nothing from entry ${from + 1} on`);
      entries.push(...more);
    }
    return entries;
  }
}
