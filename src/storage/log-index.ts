/**
 * Where entries stand: a sparse index of blocks. A block is what readers load and share, about
 * half a MiB: a run of whole small batches, or some of the records of a large one. Also the terms
 * of all entries, as runs, and which entries change the members. Rebuilt from the segments' index
 * records at start.
 *
 * What is lost is in no block. Its terms are known where the entries around it prove them, else they
 * are UNKNOWN_TERM; of its changes of the members the newest is known, which is enough to know that
 * the configuration is not.
 */
import type { LogEnd } from "./format.ts";

/** The term of a run of entries that are lost. */
const UNKNOWN_TERM = 0;

export interface BlockRef {
  readonly segment: number;
  readonly at: number;
  end: number;
  /** It begins with a record of a batch, not with a batch. */
  readonly inside: boolean;
  readonly firstIndex: number;
  /** 0 when the block has no entries that still count. */
  lastIndex: number;
}

export interface TermRun {
  readonly index: number;
  readonly term: number;
}

export const BLOCK_BYTES: number = 512 * 1024;

export class LogIndex {
  readonly blocks: BlockRef[] = [];
  readonly terms: TermRun[] = [];
  /** Of entries that change the members; ascending. Of a range that is lost only the newest. */
  readonly changes: number[] = [];
  /** Where the oldest segment begins, whether its first entries are whole or not. */
  firstIndex = 1;
  lastIndex = 0;
  #open = false;
  /** Counts the times that all was replaced. */
  epoch = 0;

  /** Records of a large batch at [at, end), with entries first … last. */
  addRecords(segment: number, at: number, end: number, first: number, last: number): void {
    this.blocks.push({ segment, at, end, inside: true, firstIndex: first, lastIndex: last });
    this.#open = false;
    this.lastIndex = last;
  }

  /** A small batch at [at, end) of a segment with entries first … last. */
  addBatch(segment: number, at: number, end: number, first: number, last: number): void {
    const block = this.blocks[this.blocks.length - 1];
    if (
      this.#open &&
      block !== undefined &&
      block.segment === segment &&
      block.end === at &&
      end - block.at <= BLOCK_BYTES
    ) {
      block.end = end;
      block.lastIndex = last;
    } else {
      this.blocks.push({ segment, at, end, inside: false, firstIndex: first, lastIndex: last });
      this.#open = true;
    }
    this.lastIndex = last;
  }

  /** What stands at [at, end) holds no entries: the next batch with some begins a block. */
  addOther(): void {
    this.#open = false;
  }

  addTerm(index: number, term: number): void {
    const last = this.terms[this.terms.length - 1];
    if (last === undefined || last.term !== term) this.terms.push({ index, term });
  }

  addChange(index: number): void {
    this.changes.push(index);
  }

  /** Whether one of the entries in [low, high) changes the members. */
  hasChange(low: number, high: number): boolean {
    return this.changes.some((index) => index >= low && index < high);
  }

  /** What the log ends with. */
  get end(): LogEnd {
    return this.endAt(this.lastIndex);
  }

  /** What it would end with if it was cut behind entry `lastIndex`. */
  endAt(lastIndex: number): LogEnd {
    const lastChange = this.changes.findLast((index) => index <= lastIndex) ?? 0;
    return { lastIndex, lastTerm: this.term(lastIndex) ?? UNKNOWN_TERM, lastChange };
  }

  /**
   * The entries behind `after` are lost, up to those that the log ended with when somebody wrote so
   * behind them. Terms never fall: between two entries of one term there is no other.
   */
  lose(after: number, end: LogEnd): void {
    const termBefore = this.term(after);
    this.truncateAfter(after);
    if (end.lastChange > after) this.changes.push(end.lastChange);
    if (end.lastIndex <= after) return;
    this.lastIndex = end.lastIndex;
    if (termBefore === end.lastTerm) return;
    if (end.lastIndex > after + 1) this.addTerm(after + 1, UNKNOWN_TERM);
    this.addTerm(end.lastIndex, end.lastTerm);
  }

  /** Entries beyond `index` no longer count. */
  truncateAfter(index: number): void {
    while (this.blocks.length > 0 && this.blocks[this.blocks.length - 1]!.firstIndex > index) {
      this.blocks.pop();
    }
    const last = this.blocks[this.blocks.length - 1];
    if (last !== undefined && last.lastIndex > index) last.lastIndex = index;
    while (this.terms.length > 0 && this.terms[this.terms.length - 1]!.index > index)
      this.terms.pop();
    let newest = 0;
    while (this.changes.length > 0 && this.changes[this.changes.length - 1]! > index)
      newest = this.changes.pop()!;
    // Of a range that is lost only the newest change is known: what is left of it may hold another.
    const isLost = index >= this.firstIndex && index < this.lastIndex && this.find(index) < 0;
    if (newest > 0 && isLost) this.changes.push(index);
    this.lastIndex = Math.min(this.lastIndex, index);
    this.#open = false;
  }

  /** Enters between the others what was found again: `found` holds nothing else. */
  restore(found: LogIndex): void {
    for (const block of found.blocks) {
      if (block.firstIndex < this.firstIndex) continue;
      const known = this.find(block.firstIndex);
      if (known >= 0) {
        this.#extend(known, block, found);
        continue;
      }
      const at = this.#lastBegunBy(block.firstIndex) + 1;
      // What was cut off and written anew stands in the next block.
      const end = (this.blocks[at]?.firstIndex ?? this.lastIndex + 1) - 1;
      if (end < block.firstIndex) continue;
      block.lastIndex = Math.min(block.lastIndex, end);
      this.blocks.splice(at, 0, block);
      this.#restoreTerms(block.firstIndex, block.lastIndex, found);
    }
    const changes = new Set([...this.changes, ...found.changes]);
    this.changes.splice(0, this.changes.length, ...[...changes].sort((a, b) => a - b));
    this.#open = false;
  }

  /** Of a block that is known its end may not have counted any more, while nobody knew what stood there. */
  #extend(at: number, found: BlockRef, terms: LogIndex): void {
    const block = this.blocks[at]!;
    const next = this.blocks[at + 1]?.firstIndex ?? this.lastIndex + 1;
    const lastIndex = Math.min(found.lastIndex, next - 1);
    const isPart =
      block.segment === found.segment && block.at <= found.at && found.end <= block.end;
    if (!isPart || lastIndex <= block.lastIndex) return;
    this.#restoreTerms(block.lastIndex + 1, lastIndex, terms);
    block.lastIndex = lastIndex;
  }

  #restoreTerms(first: number, last: number, found: LogIndex): void {
    const next = last < this.lastIndex ? (this.term(last + 1) ?? UNKNOWN_TERM) : undefined;
    const runs = [
      ...this.terms.filter((run) => run.index < first),
      { index: first, term: found.term(first)! },
      ...found.terms.filter((run) => run.index > first && run.index <= last),
      ...(next === undefined ? [] : [{ index: last + 1, term: next }]),
      ...this.terms.filter((run) => run.index > last + 1),
    ];
    const distinct = runs.filter((run, i) => i === 0 || runs[i - 1]!.term !== run.term);
    this.terms.splice(0, this.terms.length, ...distinct);
  }

  /** The last entry of those whose term nobody knows; 0 when all are known. */
  get lastUnknownTerm(): number {
    const at = this.terms.findLastIndex(({ term }) => term === UNKNOWN_TERM);
    return at < 0 ? 0 : (this.terms[at + 1]?.index ?? this.lastIndex + 1) - 1;
  }

  /** The log holds nothing any more, and goes on with entry `firstIndex`. */
  reset(firstIndex: number): void {
    this.blocks.length = 0;
    this.terms.length = 0;
    this.changes.length = 0;
    this.firstIndex = firstIndex;
    this.lastIndex = firstIndex - 1;
    this.#open = false;
    this.epoch++;
  }

  /** The oldest segment is now `segment`, which begins with entry `firstIndex`. */
  dropSegmentsBelow(segment: number, firstIndex: number): void {
    this.firstIndex = firstIndex;
    let count = 0;
    while (count < this.blocks.length && this.blocks[count]!.segment < segment) count++;
    this.blocks.splice(0, count);
    let runs = 0;
    while (runs + 1 < this.terms.length && this.terms[runs + 1]!.index <= firstIndex) runs++;
    this.terms.splice(0, runs);
    while (this.changes.length > 0 && this.changes[0]! < firstIndex) this.changes.shift();
  }

  /** The block that holds an entry; -1 when none does. */
  find(index: number): number {
    const at = this.#lastBegunBy(index);
    const block = this.blocks[at];
    return block !== undefined && index <= block.lastIndex ? at : -1;
  }

  /** The last block that begins at entry `index` or before; -1 when none does. */
  #lastBegunBy(index: number): number {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.blocks[middle]!.firstIndex <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The block that holds an entry, else the next one that holds any; undefined behind the last. */
  blockFrom(index: number): BlockRef | undefined {
    let at = Math.max(0, this.#lastBegunBy(index));
    while (at < this.blocks.length && this.blocks[at]!.lastIndex < index) at++;
    return this.blocks[at];
  }

  /** Undefined when the entry is not in the log, or lost with its term. */
  term(index: number): number | undefined {
    if (index < this.firstIndex || index > this.lastIndex) return undefined;
    let low = 0;
    let high = this.terms.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.terms[middle]!.index <= index) low = middle + 1;
      else high = middle;
    }
    const term = this.terms[low - 1]?.term;
    return term === UNKNOWN_TERM ? undefined : term;
  }
}
