/**
 * A set of GTIDs: for each sid ("uuid" or "uuid:tag") the transaction numbers that it holds
 * (manual, "GTID Sets"). Mutable; `add` is on the path of every replicated chunk and is O(1) when
 * it extends the last interval. Everything that combines sets is linear in their intervals.
 *
 * Invariants: sids are canonical lower-case strings, lists are sorted, merged and never empty.
 * The text form is in text.ts, the wire form in binary.ts.
 */
import { assert } from "../base/assert.ts";
import { type Interval, IntervalList, MAX_GNO } from "./interval-list.ts";
import { isSid } from "./sid.ts";
import { formatGtidText, parseGtidText } from "./text.ts";

export { GtidSyntaxError } from "./text.ts";
export type { Interval };

export class GtidSet {
  #lists = new Map<string, IntervalList>();

  /** Throws `GtidSyntaxError`, which names the part that is wrong. */
  static parse(text: string): GtidSet {
    return GtidSet.fromLists(parseGtidText(text));
  }

  /** Takes the lists over; they must be valid. Empty ones are left out. */
  static fromLists(lists: ReadonlyMap<string, IntervalList>): GtidSet {
    const set = new GtidSet();
    for (const [sid, list] of lists) {
      assert(isSid(sid), `not a sid: ${sid}`);
      if (list.length > 0) set.#lists.set(sid, list);
    }
    return set;
  }

  get isEmpty(): boolean {
    return this.#lists.size === 0;
  }

  clone(): GtidSet {
    const copy = new GtidSet();
    for (const [sid, list] of this.#lists) copy.#lists.set(sid, list.clone());
    return copy;
  }

  add(sid: string, first: bigint, last: bigint = first): void {
    assert(first >= 1n && first <= last && last <= MAX_GNO, `bad interval ${first}-${last}`);
    const list = this.#lists.get(sid);
    if (list !== undefined) {
      list.add(first, last);
      return;
    }
    assert(isSid(sid), `not a sid: ${sid}`);
    this.#lists.set(sid, new IntervalList([first], [last]));
  }

  addSet(other: GtidSet): void {
    for (const [sid, list] of other.#lists) {
      const mine = this.#lists.get(sid);
      this.#lists.set(sid, mine === undefined ? list.clone() : mine.union(list));
    }
  }

  /** Of each sid only what begins behind all that is here: without a pass over it. */
  append(other: GtidSet): void {
    for (const [sid, { firsts, lasts }] of other.#lists) {
      for (const [i, first] of firsts.entries()) this.add(sid, first, lasts[i]!);
    }
  }

  has(sid: string, gno: bigint): boolean {
    return this.#lists.get(sid)?.hasRange(gno, gno) ?? false;
  }

  /** The same numbers in sets of so many intervals at most, for work that is done piece by piece. */
  *pieces(intervals: number): Generator<GtidSet> {
    for (const [sid, { firsts, lasts }] of this.#lists) {
      for (let at = 0; at < firsts.length; at += intervals) {
        const end = at + intervals;
        const list = new IntervalList(firsts.slice(at, end), lasts.slice(at, end));
        yield GtidSet.fromLists(new Map([[sid, list]]));
      }
    }
  }

  /** True when every number from `first` to `last` is there. */
  hasRange(sid: string, first: bigint, last: bigint): boolean {
    assert(first <= last, `bad interval ${first}-${last}`);
    return this.#lists.get(sid)?.hasRange(first, last) ?? false;
  }

  containsSet(other: GtidSet): boolean {
    for (const [sid, list] of other.#lists) {
      const mine = this.#lists.get(sid);
      if (mine === undefined || !mine.contains(list)) return false;
    }
    return true;
  }

  /** The same for one sid of `other`. */
  containsOf(other: GtidSet, sid: string): boolean {
    const theirs = other.#lists.get(sid);
    return theirs === undefined || (this.#lists.get(sid)?.contains(theirs) ?? false);
  }

  intersectsSet(other: GtidSet): boolean {
    for (const [sid, list] of other.#lists) {
      if (this.#lists.get(sid)?.intersects(list)) return true;
    }
    return false;
  }

  equals(other: GtidSet): boolean {
    if (this.#lists.size !== other.#lists.size) return false;
    for (const [sid, list] of other.#lists) {
      const mine = this.#lists.get(sid);
      if (mine === undefined || !mine.equals(list)) return false;
    }
    return true;
  }

  union(other: GtidSet): GtidSet {
    const out = this.clone();
    out.addSet(other);
    return out;
  }

  /** What is here and not in `other`. */
  subtract(other: GtidSet): GtidSet {
    const out = new GtidSet();
    for (const [sid, list] of this.#lists) {
      const theirs = other.#lists.get(sid);
      const rest = theirs === undefined ? list.clone() : list.subtract(theirs);
      if (rest.length > 0) out.#lists.set(sid, rest);
    }
    return out;
  }

  intersect(other: GtidSet): GtidSet {
    const out = new GtidSet();
    for (const [sid, list] of this.#lists) {
      const theirs = other.#lists.get(sid);
      if (theirs === undefined) continue;
      const both = list.intersect(theirs);
      if (both.length > 0) out.#lists.set(sid, both);
    }
    return out;
  }

  /** How many transactions the set holds. */
  count(): bigint {
    let total = 0n;
    for (const list of this.#lists.values()) total += list.count();
    return total;
  }

  /** Sorted as MySQL sorts: by uuid, the untagged one first, then by tag. */
  sids(): string[] {
    return [...this.#lists.keys()].sort();
  }

  /** Of all sids: what working with the set costs. */
  get intervalCount(): number {
    let count = 0;
    for (const list of this.#lists.values()) count += list.length;
    return count;
  }

  /** The intervals themselves, to be looked at before the set changes; undefined without that sid. */
  view(
    sid: string,
  ): { readonly firsts: readonly bigint[]; readonly lasts: readonly bigint[] } | undefined {
    return this.#lists.get(sid);
  }

  /** A copy; empty for a sid that is not in the set. */
  intervals(sid: string): readonly Interval[] {
    return this.#lists.get(sid)?.toIntervals() ?? [];
  }

  /** MySQL's canonical text, without blanks: `uuid:1-3:7:tag:1-2,uuid2:…`. */
  toString(): string {
    return formatGtidText(this.sids().map((sid) => [sid, this.#lists.get(sid)!] as const));
  }
}
