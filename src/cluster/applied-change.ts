/**
 * A change of the configuration as it is applied: on every node, whatever was committed. What cannot be
 * done is nothing, on all nodes alike: it follows from the entry and the configuration before it.
 */
import { MalformedBytes } from "../base/bytes.ts";
import { type ConfChange, decodeConfChange } from "../raft/conf-change.ts";
import { ConfChangeRefused } from "../raft/errors.ts";
import type { ConfState, Entry } from "../raft/types.ts";
import { unknownEntry } from "./command.ts";

/** Of the format that this version knows (raft/conf-change.ts). */
const FORMAT = 1;

/** Null: the entry is none. Throws BinraftError for a format that this version does not know. */
export function confChangeOf({ data, index }: Entry): ConfChange | null {
  try {
    return decodeConfChange(data);
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
    if (data[0] !== FORMAT) throw unknownEntry(`entry ${index}, a change of format ${data[0]}`);
    return null;
  }
}

/** What the change makes of the configuration; null when it cannot be made, and nothing was. */
export function madeOf(apply: () => ConfState): ConfState | null {
  try {
    return apply();
  } catch (error) {
    if (!(error instanceof ConfChangeRefused)) throw error;
    return null;
  }
}
