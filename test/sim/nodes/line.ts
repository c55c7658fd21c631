/**
 * The stream of the cluster as the world sees it: what was applied first anywhere, in its order. Nodes
 * and replicas are judged by it, and what was acknowledged or given to a replica is a part of it.
 *
 *   B3   what a replica gets are bytes that the source wrote for this GTID
 *   B4   transactions come in the order of the line, none twice, none left out
 *   B5   nothing comes that no node has applied
 *   B9   a transaction of the line follows the one that its server wrote before it: else two
 *        histories were mixed, or one was left out
 */
import type { Chunk } from "../../../src/binlog/chunk.ts";
import { UnitKind } from "../../../src/binlog/chunk.ts";
import type { BinlogFile } from "../../../src/binlog/file-view.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Violation } from "../ghost.ts";
import { type Ledger, placeKey, type Transaction, type Written } from "./ledger.ts";

export interface LineItem {
  readonly sid: string;
  readonly gno: number;
  readonly entry: number;
  /** Who may have written it; one, as soon as its bytes were seen. */
  written: readonly Written[];
}

export interface Place {
  readonly entry: number;
  /** So many transactions end there or before. */
  readonly length: number;
}

export class Line {
  readonly #ledger: Ledger;
  items: LineItem[] = [];
  #byGtid = new Map<string, LineItem>();
  /** Where the visible end has been. */
  readonly #places = new Map<string, Place>();
  /** The last entry seen. */
  #entry = 0;
  epoch = 1;
  /** So many transactions were acknowledged, and given to a replica. */
  acked = 0;
  given = 0;
  /** What an operator gave up, or what the source had purged when the line began. */
  gap: GtidSet = new GtidSet();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  get length(): number {
    return this.items.length;
  }

  /** Of an accepted chunk, once it is in; `file` is the stream's newest. */
  took(entry: number, chunk: Chunk, file: BinlogFile): void {
    if (entry <= this.#entry) return;
    this.#entry = entry;
    const units = chunk.units();
    const complete = units.lastOpen ? units.length - 1 : units.length;
    const gtids = gtidsOf(chunk);
    let end = chunk.fileOffset;
    for (let i = 0; i < complete; i++) {
      end += units.eventBytes[i]!;
      if (units.kinds[i] !== UnitKind.TRANSACTION) continue;
      const { sid, gno } = gtids.next().value!;
      const written = this.#ledger
        .at(file.sourceUuid, file.sourceName, end)
        .filter(({ transaction }) => transaction.sid === sid && transaction.gno === gno);
      if (written.length === 0)
        throw new Violation("B3", `${sid}:${gno} never ended at ${file.sourceName}:${end}`);
      const item = { sid, gno, entry, written };
      this.items.push(item);
      this.#byGtid.set(`${sid}:${gno}`, item);
      if (written.length === 1) this.#checkOrder(item, written[0]!);
    }
    const key = placeKey(file.sourceUuid, file.sourceName, file.size);
    if (!this.#places.has(key)) this.#places.set(key, { entry, length: this.items.length });
  }

  has(transaction: Transaction): boolean {
    const item = this.#byGtid.get(`${transaction.sid}:${transaction.gno}`);
    return item?.written.some((one) => one.transaction === transaction) === true;
  }

  /** Where the visible end stood in this file of this server; null when it never did. */
  placeOf(server: string, file: string, position: number): Place | null {
    return this.#places.get(placeKey(server, file, position)) ?? null;
  }

  #checkOrder({ sid, gno }: LineItem, { before, file, server }: Written): void {
    if (before === null || this.has(before.transaction)) return;
    const { transaction } = before;
    if (this.items.length === 1 && this.#ledger.isPurged(before)) {
      // The line begins with the oldest file that the server still has.
      for (let one: Written | null = before; one !== null; one = one.before)
        this.gap.add(one.transaction.sid, BigInt(one.transaction.gno));
      return;
    }
    if (this.gap.has(transaction.sid, BigInt(transaction.gno))) return;
    const other = this.#byGtid.has(`${transaction.sid}:${transaction.gno}`)
      ? "another transaction of that number is there"
      : "it was left out";
    throw new Violation(
      "B9",
      `${sid}:${gno} of ${server} ${file} follows ${transaction.sid}:${transaction.gno}: ${other}`,
    );
  }

  /** A replica got what stands at this place of the line. */
  judge(at: number, sid: string, gno: number, events: readonly Uint8Array[]): void {
    const item = this.items[at];
    if (item === undefined)
      throw new Violation("B5", `transaction ${sid}:${gno} was applied nowhere`);
    if (item.sid !== sid || item.gno !== gno)
      throw new Violation("B4", `${sid}:${gno} came where ${item.sid}:${item.gno} was to come`);
    const same = item.written.filter((one) => equalEvents(one.events, events));
    if (same.length === 0)
      throw new Violation("B3", `transaction ${sid}:${gno} has other bytes than the source's`);
    if (item.written.length > 1) this.#checkOrder(item, same[0]!);
    item.written = same;
    this.given = Math.max(this.given, at + 1);
  }

  /** The first so many transactions. */
  setOf(length: number): GtidSet {
    const set = this.gap.clone();
    for (const { sid, gno } of this.items.slice(0, length)) set.add(sid, BigInt(gno));
    return set;
  }

  /** An operator began anew, or gave something up; at the first node that applied it. */
  newTimeline(entry: number): boolean {
    if (entry <= this.#entry) return false;
    this.#entry = entry;
    this.epoch++;
    this.items = [];
    this.#byGtid = new Map();
    this.acked = 0;
    this.given = 0;
    this.gap = new GtidSet();
    return true;
  }

  acceptGap(entry: number, set: GtidSet): boolean {
    if (entry <= this.#entry) return false;
    this.#entry = entry;
    this.gap.addSet(set);
    return true;
  }
}

/** Of all transactions that have bytes in it, in their order. */
function* gtidsOf(chunk: Chunk): Generator<Transaction, undefined> {
  for (const { sid, first, count } of chunk.runs)
    for (let i = 0; i < count; i++) yield { sid, gno: Number(first) + i };
}

function equalEvents(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((event, at) => Buffer.compare(event, b[at]!) === 0);
}
