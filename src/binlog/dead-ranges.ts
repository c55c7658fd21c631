/**
 * Which bytes of the log are not in the stream: refused chunks, and what pulls left that broke off
 * inside a transaction.
 *
 * Invariant: ranges are in order and do not overlap, so the one that reaches into an entry is
 * found by bisection. No range reaches over an accepted chunk that stayed in the stream.
 */

/** A place in the log: body offset `offset` of the chunk in entry `entry`. */
export interface StreamPoint {
  readonly entry: number;
  readonly offset: number;
}

/** From a point to the end of an entry. */
export interface DeadRange {
  readonly from: StreamPoint;
  readonly toEntry: number;
  /** Bytes of events in it. */
  readonly bytes: number;
}

/**
 * Adds the newest range. It takes in those that it covers: chunks that were refused while the
 * transaction was open which is buried now.
 */
export function bury(dead: DeadRange[], { from, toEntry, bytes }: DeadRange): void {
  let start = from;
  let sum = bytes;
  for (let last = dead.at(-1); last !== undefined; last = dead.at(-1)) {
    const covered = last.from.entry > start.entry;
    const adjoins = start.offset === 0 && start.entry === last.toEntry + 1;
    if (!covered && !adjoins) break;
    if (adjoins) start = last.from;
    sum += last.bytes;
    dead.pop();
  }
  dead.push({ from: start, toEntry, bytes: sum });
}

/** The range that reaches into an entry. */
export function deadAt(dead: readonly DeadRange[], index: number): DeadRange | null {
  let low = 0;
  let high = dead.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (dead[middle]!.toEntry < index) low = middle + 1;
    else high = middle;
  }
  const range = dead[low];
  return range !== undefined && range.from.entry <= index ? range : null;
}
