/**
 * The transaction numbers of one sid: closed intervals [first, last], sorted, with a gap of at
 * least one between neighbours. Numbers are bigint: they reach 2^63 - 2.
 *
 * Two flat arrays instead of objects: sets of a long-lived server hold thousands of intervals,
 * and look-ups are binary searches over them. Callers check 1 ≤ first ≤ last ≤ MAX_GNO.
 */
export const MAX_GNO: bigint = 2n ** 63n - 2n;

export interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

export class IntervalList {
  readonly firsts: bigint[];
  readonly lasts: bigint[];

  constructor(firsts: bigint[] = [], lasts: bigint[] = []) {
    this.firsts = firsts;
    this.lasts = lasts;
  }

  /** From intervals in any order that may overlap; n log n, so that input cannot make it slow. */
  static fromUnsorted(intervals: readonly Interval[]): IntervalList {
    const sorted = [...intervals].sort(
      (a, b) => Number(a.first > b.first) - Number(a.first < b.first),
    );
    const list = new IntervalList();
    for (const { first, last } of sorted) list.append(first, last);
    return list;
  }

  get length(): number {
    return this.firsts.length;
  }

  clone(): IntervalList {
    return new IntervalList(this.firsts.slice(), this.lasts.slice());
  }

  /** Adds an interval that does not begin before the last one's beginning. */
  append(first: bigint, last: bigint): void {
    const end = this.lasts.length - 1;
    if (end < 0 || first > this.lasts[end]! + 1n) {
      this.firsts.push(first);
      this.lasts.push(last);
    } else if (last > this.lasts[end]!) {
      this.lasts[end] = last;
    }
  }

  add(first: bigint, last: bigint): void {
    const end = this.firsts.length - 1;
    if (end < 0 || first >= this.firsts[end]!) {
      this.append(first, last);
      return;
    }
    // Intervals from `low` up to and including `high` touch or overlap the new one.
    let low = this.indexAtOrBefore(first);
    if (low < 0 || this.lasts[low]! + 1n < first) low++;
    const high = this.indexAtOrBefore(last + 1n);
    if (low > high) {
      this.firsts.splice(low, 0, first);
      this.lasts.splice(low, 0, last);
      return;
    }
    const mergedLast = larger(this.lasts[high]!, last);
    if (first < this.firsts[low]!) this.firsts[low] = first;
    this.lasts[low] = mergedLast;
    this.firsts.splice(low + 1, high - low);
    this.lasts.splice(low + 1, high - low);
  }

  /** The index of the last interval that begins at or before `gno`, or -1. */
  indexAtOrBefore(gno: bigint): number {
    let low = 0;
    let high = this.firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.firsts[middle]! <= gno) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  hasRange(first: bigint, last: bigint): boolean {
    const end = this.firsts.length - 1;
    if (end < 0) return false;
    // Recent numbers are asked for most.
    if (first >= this.firsts[end]!) return last <= this.lasts[end]!;
    const at = this.indexAtOrBefore(first);
    return at >= 0 && last <= this.lasts[at]!;
  }

  /** The first of ours that may have to do with theirs: a small list is no pass over a large one. */
  startFor(other: IntervalList): number {
    return other.length === 0 ? this.length : Math.max(0, this.indexAtOrBefore(other.firsts[0]!));
  }

  contains(other: IntervalList): boolean {
    let at = this.startFor(other);
    for (let i = 0; i < other.length; i++) {
      while (at < this.length && this.lasts[at]! < other.firsts[i]!) at++;
      if (at === this.length) return false;
      if (this.firsts[at]! > other.firsts[i]! || this.lasts[at]! < other.lasts[i]!) return false;
    }
    return true;
  }

  equals(other: IntervalList): boolean {
    if (this.length !== other.length) return false;
    for (let i = 0; i < this.length; i++) {
      if (this.firsts[i] !== other.firsts[i] || this.lasts[i] !== other.lasts[i]) return false;
    }
    return true;
  }

  union(other: IntervalList): IntervalList {
    const out = new IntervalList();
    let a = 0;
    let b = 0;
    while (a < this.length || b < other.length) {
      const mine = b === other.length || (a < this.length && this.firsts[a]! <= other.firsts[b]!);
      if (mine) out.append(this.firsts[a]!, this.lasts[a++]!);
      else out.append(other.firsts[b]!, other.lasts[b++]!);
    }
    return out;
  }

  intersect(other: IntervalList): IntervalList {
    const out = new IntervalList();
    let a = 0;
    let b = 0;
    while (a < this.length && b < other.length) {
      const first = larger(this.firsts[a]!, other.firsts[b]!);
      const last = smaller(this.lasts[a]!, other.lasts[b]!);
      if (first <= last) {
        out.firsts.push(first);
        out.lasts.push(last);
      }
      if (this.lasts[a]! < other.lasts[b]!) a++;
      else b++;
    }
    return out;
  }

  intersects(other: IntervalList): boolean {
    let a = 0;
    let b = 0;
    while (a < this.length && b < other.length) {
      if (this.lasts[a]! < other.firsts[b]!) a++;
      else if (other.lasts[b]! < this.firsts[a]!) b++;
      else return true;
    }
    return false;
  }

  subtract(other: IntervalList): IntervalList {
    const out = new IntervalList();
    let b = other.startFor(this);
    for (let a = 0; a < this.length; a++) {
      let first = this.firsts[a]!;
      const last = this.lasts[a]!;
      while (b < other.length && other.lasts[b]! < first) b++;
      // `b` stays at an interval that may reach into our next one too.
      for (let i = b; i < other.length && other.firsts[i]! <= last; i++) {
        if (other.firsts[i]! > first) {
          out.firsts.push(first);
          out.lasts.push(other.firsts[i]! - 1n);
        }
        first = other.lasts[i]! + 1n;
        b = i;
      }
      if (first <= last) {
        out.firsts.push(first);
        out.lasts.push(last);
      }
    }
    return out;
  }

  count(): bigint {
    let total = 0n;
    for (let i = 0; i < this.length; i++) total += this.lasts[i]! - this.firsts[i]! + 1n;
    return total;
  }

  toIntervals(): Interval[] {
    return this.firsts.map((first, i) => ({ first, last: this.lasts[i]! }));
  }
}

// Math.min and Math.max refuse bigint.
function smaller(a: bigint, b: bigint): bigint {
  return b < a ? b : a;
}

function larger(a: bigint, b: bigint): bigint {
  return b > a ? b : a;
}
