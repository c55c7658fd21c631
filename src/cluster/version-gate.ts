/**
 * Which format of entries may be written: the highest that all members can read, learners too. It is
 * an entry (`set-format`), effective when applied, and part of every snapshot; it never goes back. So
 * a node of an older version stops instead of reading what it does not know, and never skips it.
 */
import { BinraftError } from "../base/errors.ts";
import type { Member } from "./members.ts";

/** The newest that this version reads and writes. */
export const KNOWN_FORMAT = 3;
/** From this format on `set-placement` and `set-timing` may be written. */
export const PLACEMENT_FORMAT = 2;
/** From this format on an operator may let an account ask about the source's tables. */
export const METADATA_FORMAT = 3;
/** From this format on `set-source-values` may be written. */
export const SOURCE_VALUES_FORMAT = 3;

interface Gated {
  readonly members: ReadonlyMap<number, Member>;
  readonly formatVersion: number;
}

/** What the leader may lift the format to now; null when there is nothing to lift. */
export function nextFormat({ members, formatVersion }: Gated): number | null {
  if (members.size === 0) return null;
  const all = Math.min(KNOWN_FORMAT, ...[...members.values()].map((one) => one.formatVersion));
  return all > formatVersion ? all : null;
}

/** Whether all who read the log know entries of `format`. The log of a node of its own nobody else reads. */
export function mayWrite({ members, formatVersion }: Gated, format: number): boolean {
  return formatVersion >= format || members.size === 0;
}

/** Throws when the cluster writes what this version cannot read. */
export function mustKnowFormat({ formatVersion }: Gated): void {
  if (formatVersion <= KNOWN_FORMAT) return;
  throw new BinraftError(
    "BR1202",
    `The cluster writes log format ${formatVersion}; this binraft knows ${KNOWN_FORMAT}`,
    "start this node with the version that the other nodes run: a format never goes back",
  );
}
