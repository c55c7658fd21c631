/**
 * What sources have written, by GTID and by bytes: the same transaction stands at other places in the
 * files of two servers, and one number may have been given to two transactions.
 */

/** One commit; its copies on other servers are the same one. */
export interface Transaction {
  readonly sid: string;
  readonly gno: number;
}

/** A transaction as it stands in a file of a server. */
export interface Written {
  readonly transaction: Transaction;
  readonly server: string;
  readonly file: string;
  readonly end: number;
  readonly events: readonly Uint8Array[];
  /** What the server wrote before it. */
  readonly before: Written | null;
}

export class Ledger {
  /** What each server has now, in its order. */
  readonly #live = new Map<string, Written[]>();
  /** All that was ever written, by where it ended. */
  readonly #byPlace = new Map<string, Written[]>();
  readonly #oldest = new Map<string, string>();

  wrote(place: Omit<Written, "before">): void {
    const log = this.#logOf(place.server);
    const written = { ...place, before: log.at(-1) ?? null };
    log.push(written);
    const key = placeKey(place.server, place.file, place.end);
    this.#byPlace.set(key, [...(this.#byPlace.get(key) ?? []), written]);
  }

  /** The oldest file that the server has left. */
  purged(server: string, oldest: string): void {
    this.#oldest.set(server, oldest);
  }

  isPurged({ server, file }: Written): boolean {
    return file < (this.#oldest.get(server) ?? "");
  }

  #logOf(server: string): Written[] {
    const log = this.#live.get(server) ?? [];
    this.#live.set(server, log);
    return log;
  }

  /** An older copy took the place of what the server had. */
  cutBack(server: string, count: number): void {
    this.#logOf(server).splice(count);
  }

  count(server: string): number {
    return this.#logOf(server).length;
  }

  /** Whatever ended there: more than one where a source was put back. */
  at(server: string, file: string, end: number): readonly Written[] {
    return this.#byPlace.get(placeKey(server, file, end)) ?? [];
  }

  /** The last transaction that the server has up to there. */
  lastUpTo(server: string, file: string, position: number): Written | null {
    const isBefore = (one: Written): boolean =>
      one.file < file || (one.file === file && one.end <= position);
    return this.#logOf(server).findLast(isBefore) ?? null;
  }

  /** The last transaction of a server before its file of this name. */
  lastBefore(server: string, file: string): Written | null {
    return this.#logOf(server).findLast((one) => one.file < file) ?? null;
  }
}

export function placeKey(server: string, file: string, end: number): string {
  return `${server} ${file} ${end}`;
}
