/** A naive model of GTID sets for property tests: a Set of "sid/gno" strings. */
import fc from "fast-check";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";

export const UUID_A = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
export const UUID_B = "98a7a91b-e6d4-11f1-8e56-02fc00000001";
export const SIDS = [UUID_A, `${UUID_A}:other`, `${UUID_A}:tag_1`, UUID_B, `${UUID_B}:_`] as const;

export interface Range {
  readonly sid: string;
  readonly first: number;
  readonly last: number;
}

export const range: fc.Arbitrary<Range> = fc
  .tuple(fc.constantFrom(...SIDS), fc.integer({ min: 1, max: 40 }), fc.nat(6))
  .map(([sid, first, extra]) => ({ sid, first, last: first + extra }));

export const ranges: fc.Arbitrary<Range[]> = fc.array(range, { maxLength: 25 });

export function build(list: readonly Range[]): { set: GtidSet; model: Set<string> } {
  const set = new GtidSet();
  const model = new Set<string>();
  for (const { sid, first, last } of list) {
    set.add(sid, BigInt(first), BigInt(last));
    for (let gno = first; gno <= last; gno++) model.add(`${sid}/${gno}`);
  }
  return { set, model };
}

/** The members of a real set, and a check that its intervals are merged and sorted. */
export function members(set: GtidSet): Set<string> {
  const out = new Set<string>();
  for (const sid of set.sids()) {
    let previous = -1n;
    const intervals = set.intervals(sid);
    if (intervals.length === 0) throw new Error(`empty list kept for ${sid}`);
    for (const { first, last } of intervals) {
      if (first <= previous + 1n || last < first) throw new Error(`not normal: ${set}`);
      previous = last;
      for (let gno = first; gno <= last; gno++) out.add(`${sid}/${gno}`);
    }
  }
  return out;
}
