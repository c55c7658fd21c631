/**
 * The GTIDs that a replica already has, fixed for the time of its dump: what is in here is not
 * sent. Made for the question that is asked for each chunk, "are all of these in, or none?",
 * without making a set of the chunk's GTIDs.
 */
import type { GtidSet } from "../gtid/gtid-set.ts";

interface Intervals {
  readonly firsts: readonly bigint[];
  readonly lasts: readonly bigint[];
}

export type Overlap = "all" | "none" | "some";

export class Exclusion {
  readonly set: GtidSet;
  readonly #lists = new Map<string, Intervals>();

  constructor(set: GtidSet) {
    this.set = set;
    // The set is the request's own and does not change: no copy of what may be a million intervals.
    for (const sid of set.sids()) {
      const list = set.view(sid);
      if (list !== undefined) this.#lists.set(sid, list);
    }
  }

  has(sid: string, gno: bigint): boolean {
    return this.overlap(sid, gno, gno) === "all";
  }

  overlap(sid: string, first: bigint, last: bigint): Overlap {
    const list = this.#lists.get(sid);
    if (list === undefined) return "none";
    const { firsts, lasts } = list;
    // Nearly always: the replica has what came before, and this is new.
    if (first > lasts[lasts.length - 1]!) return "none";
    const at = lastAtOrBefore(firsts, first);
    if (at >= 0 && lasts[at]! >= last) return "all";
    if (at >= 0 && lasts[at]! >= first) return "some";
    const next = firsts[at + 1];
    return next !== undefined && next <= last ? "some" : "none";
  }

  /** Whether everything in `set` is excluded. */
  containsSet(set: GtidSet): boolean {
    for (const sid of set.sids()) {
      for (const { first, last } of set.intervals(sid)) {
        if (this.overlap(sid, first, last) !== "all") return false;
      }
    }
    return true;
  }
}

/** Index of the last element that is not above `value`; -1 when all are. */
function lastAtOrBefore(sorted: readonly bigint[], value: bigint): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
