/**
 * GTID sets as text and back, in statements: a set may have a million intervals, so the text is
 * made a piece at a time, and a text is parsed once in a statement, however often it is named.
 */
import { GtidSet, GtidSyntaxError } from "../gtid/gtid-set.ts";
import { sidTag, sidUuid } from "../gtid/sid.ts";
import { malformedGtidText } from "../mysql/errors.ts";
import type { Work } from "./work.ts";

/** About a millisecond. */
const PIECE_INTERVALS = 10_000;
/** Longer texts are parsed by nobody: where a statement has one, its set is known. */
const MAX_TEXT_LENGTH = 256 * 1024;
/** Intervals in memory: two numbers of any size, and their places. */
const INTERVAL_BYTES = 80;

/** As `toString`, with turns of the event loop between the pieces of a large set, which may grow meanwhile. */
export async function growingGtidText(set: GtidSet, work: Work): Promise<string> {
  return gtidText(set.intervalCount <= PIECE_INTERVALS ? set : set.clone(), work);
}

/** The same of a set that nobody changes. */
export async function gtidText(set: GtidSet, work: Work): Promise<string> {
  const count = set.intervalCount;
  work.spend(count);
  if (count <= PIECE_INTERVALS) return set.toString();
  work.hold(INTERVAL_BYTES * count);
  const parts: string[] = [];
  let lastUuid = "";
  for (const sid of set.sids()) {
    const uuid = sidUuid(sid);
    if (uuid !== lastUuid) parts.push(lastUuid === "" ? uuid : `,${uuid}`);
    lastUuid = uuid;
    const tag = sidTag(sid);
    if (tag !== "") parts.push(`:${tag}`);
    const { firsts, lasts } = set.view(sid)!;
    for (let at = 0; at < firsts.length; at += PIECE_INTERVALS) {
      parts.push(intervalsText(firsts, lasts, at));
      await work.turn();
    }
  }
  const text = parts.join("");
  work.spendText(text.length);
  return text;
}

/** Whether `a` has all of `b`, with turns between pieces. */
export async function containsInTurns(a: GtidSet, b: GtidSet, work: Work): Promise<boolean> {
  work.spend(a.intervalCount + b.intervalCount);
  for (const piece of b.pieces(PIECE_INTERVALS)) {
    if (!a.containsSet(piece)) return false;
    if (b.intervalCount > PIECE_INTERVALS) await work.turn();
  }
  return true;
}

/** What `a` has and `b` has not, likewise. */
export async function subtractInTurns(a: GtidSet, b: GtidSet, work: Work): Promise<GtidSet> {
  work.spend(a.intervalCount + b.intervalCount);
  const rest = new GtidSet();
  for (const piece of a.pieces(PIECE_INTERVALS)) {
    rest.append(piece.subtract(b));
    if (a.intervalCount > PIECE_INTERVALS) await work.turn();
  }
  return rest;
}

function intervalsText(firsts: readonly bigint[], lasts: readonly bigint[], from: number): string {
  const end = Math.min(firsts.length, from + PIECE_INTERVALS);
  let out = "";
  for (let i = from; i < end; i++) {
    out += firsts[i] === lasts[i] ? `:${firsts[i]}` : `:${firsts[i]}-${lasts[i]}`;
  }
  return out;
}

/** Texts of one statement that were parsed. */
export class ParsedGtids {
  readonly #work: Work;
  readonly #sets = new Map<string, GtidSet>();

  constructor(work: Work) {
    this.#work = work;
  }

  /** A text whose set is known, which must not change any more. */
  remember(text: string, set: GtidSet): void {
    this.#sets.set(text, set);
  }

  /** Throws 1772, or 1226 when it is too long. The set is shared: nobody may change it. */
  async parse(text: string): Promise<GtidSet> {
    const known = this.#sets.get(text);
    if (known !== undefined) {
      // Finding it compares the text.
      this.#work.spendText(text.length);
      return known;
    }
    if (text.length > MAX_TEXT_LENGTH) throw this.#work.exceeded("gtid_text", text.length);
    this.#work.spend(text.length);
    // A text of 64 KiB takes some milliseconds.
    await this.#work.turn();
    const set = parsed(text);
    this.#work.hold(INTERVAL_BYTES * set.intervalCount + 2 * text.length);
    this.#sets.set(text, set);
    return set;
  }
}

function parsed(text: string): GtidSet {
  try {
    return GtidSet.parse(text);
  } catch (error) {
    if (error instanceof GtidSyntaxError) throw malformedGtidText(error.message);
    throw error;
  }
}
