/**
 * The text of GTID sets (manual, "GTID Sets"), read as a 9.7 server reads it:
 *
 *   set       = [entry] *("," [entry])          blanks and newlines may stand between all tokens
 *   entry     = uuid *(":" (interval / tag))    a tag holds for the intervals behind it
 *   interval  = first ["-" last]                1 … 2^63-2; last < first means nothing
 *
 * Upper case, uuids without dashes or in braces, repeated uuids and tags, and intervals in any
 * order are all accepted. What is written is canonical (`formatGtidText`).
 */
import { printable } from "../base/logger.ts";
import { type Interval, IntervalList, MAX_GNO } from "./interval-list.ts";
import { isTag, makeSid, normalizeUuid, sidTag, sidUuid } from "./sid.ts";

/** A text that is no GTID set; the message names the part that is wrong. */
export class GtidSyntaxError extends Error {
  constructor(what: string, part: string) {
    super(`Malformed GTID set: ${what} "${printable(part, 80)}"`);
    this.name = "GtidSyntaxError";
  }
}

export function parseGtidText(text: string): Map<string, IntervalList> {
  const found = new Map<string, Interval[]>();
  for (const entry of text.split(",")) {
    if (entry.trim() !== "") parseEntry(entry, found);
  }
  const lists = new Map<string, IntervalList>();
  for (const [sid, intervals] of found) lists.set(sid, IntervalList.fromUnsorted(intervals));
  return lists;
}

function parseEntry(entry: string, found: Map<string, Interval[]>): void {
  const parts = entry.split(":");
  const uuidText = parts[0]!.trim();
  const uuid = normalizeUuid(uuidText);
  if (uuid === null) throw new GtidSyntaxError("expected a uuid, got", uuidText);
  let sid = uuid;
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i]!.trim();
    const tag = part.toLowerCase();
    if (isTag(tag)) {
      sid = makeSid(uuid, tag);
      continue;
    }
    const interval = parseInterval(part);
    if (interval.last < interval.first) continue;
    const intervals = found.get(sid);
    if (intervals === undefined) found.set(sid, [interval]);
    else intervals.push(interval);
  }
}

function parseInterval(part: string): Interval {
  const match = /^([0-9]{1,40})(?:\s*-\s*([0-9]{1,40}))?$/.exec(part);
  if (match === null) {
    throw new GtidSyntaxError('expected a tag or an interval such as "1-5", got', part);
  }
  const first = BigInt(match[1]!);
  const last = match[2] === undefined ? first : BigInt(match[2]);
  if (first < 1n || first > MAX_GNO || last > MAX_GNO) {
    throw new GtidSyntaxError("number outside 1-9223372036854775806 in", part);
  }
  return { first, last };
}

/** `uuid:1-3:7:tag:1-2,uuid2:…`; sids must come sorted and lists must not be empty. */
export function formatGtidText(entries: Iterable<readonly [string, IntervalList]>): string {
  let out = "";
  let lastUuid = "";
  for (const [sid, list] of entries) {
    const uuid = sidUuid(sid);
    if (uuid !== lastUuid) out += out === "" ? uuid : `,${uuid}`;
    lastUuid = uuid;
    const tag = sidTag(sid);
    if (tag !== "") out += `:${tag}`;
    for (let i = 0; i < list.length; i++) {
      const first = list.firsts[i]!;
      const last = list.lasts[i]!;
      out += first === last ? `:${first}` : `:${first}-${last}`;
    }
  }
  return out;
}
