/**
 * Changes of the configuration as they stand in the log (thesis §4.3), and their encoding.
 *
 * A change of one voter at a time may be applied at once; any other goes through a joint
 * configuration, in which both the old and the new majority decide, and which is left by a second
 * entry: by the leader itself (auto, implicit) or by an operator (explicit).
 *
 *   u8 format = 1 · u8 transition · u32 count · (u8 type · u64 id)… · context
 *
 * The change that leaves a joint configuration is empty when it has no context: an entry without
 * payload is never refused for its size, and leaving must always be possible.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { EntryType, NO_BYTES } from "./types.ts";

export type ConfChangeType = "add-node" | "remove-node" | "update-node" | "add-learner";
export type Transition = "auto" | "implicit" | "explicit";

export interface ConfChangeStep {
  readonly type: ConfChangeType;
  /** 0 is passed over: an application refuses a committed change by blanking it. */
  readonly id: number;
}

export interface ConfChange {
  readonly transition: Transition;
  readonly changes: readonly ConfChangeStep[];
  /** The application's own; not looked at. */
  readonly context: Uint8Array;
}

export const LEAVE_JOINT: ConfChange = { transition: "auto", changes: [], context: NO_BYTES };

/** Whether it enters a joint configuration, and whether the leader leaves that by itself. */
export function entersJoint(change: ConfChange): { readonly autoLeave: boolean } | null {
  if (change.transition === "auto" && change.changes.length <= 1) return null;
  return { autoLeave: change.transition !== "explicit" };
}

export function leavesJoint(change: ConfChange): boolean {
  return change.transition === "auto" && change.changes.length === 0;
}

const FORMAT = 1;
const TRANSITIONS: readonly Transition[] = ["auto", "implicit", "explicit"];
const TYPES: readonly ConfChangeType[] = ["add-node", "remove-node", "update-node", "add-learner"];

export function encodeConfChange(change: ConfChange): Uint8Array {
  if (leavesJoint(change) && change.context.length === 0) return NO_BYTES;
  const writer = new ByteWriter(8 + change.changes.length * 9 + change.context.length);
  writer.u8(FORMAT).u8(TRANSITIONS.indexOf(change.transition)).u32(change.changes.length);
  for (const { type, id } of change.changes) writer.u8(TYPES.indexOf(type)).u64(id);
  return writer.raw(change.context).finish();
}

/** Throws MalformedBytes; a format above ours says so. */
export function decodeConfChange(data: Uint8Array): ConfChange {
  if (data.length === 0) return LEAVE_JOINT;
  const reader = new ByteReader(data);
  const format = reader.u8("conf change format");
  if (format !== FORMAT) {
    reader.fail(`conf change format ${format}; this binraft knows ${FORMAT}: use a newer one`);
  }
  const transition = TRANSITIONS[reader.u8("transition")] ?? reader.fail("transition");
  const count = reader.u32("changes");
  reader.need(count * 9, "changes");
  const changes: ConfChangeStep[] = [];
  for (let i = 0; i < count; i++) {
    const type = TYPES[reader.u8("change type")] ?? reader.fail("change type");
    changes.push({ type, id: reader.u64n("node id") });
  }
  return { transition, changes, context: reader.rest() };
}

export function isConfChange(type: EntryType): boolean {
  return type !== EntryType.NORMAL;
}
