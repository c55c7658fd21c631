/** What a change of the configuration carries: the member that it brings (members.ts), as the value {member}. */
import { decodePacked, encodePacked } from "../base/packed.ts";
import type { ConfChange } from "../raft/conf-change.ts";
import { NO_BYTES } from "../raft/types.ts";
import type { Member } from "./members.ts";
import { member } from "./shapes.ts";

export function encodeContext(brought: Member | null): Uint8Array {
  return brought === null ? NO_BYTES : encodePacked({ member: brought });
}

/** The member that a change brings; null for one that brings none, or something else. */
export function memberOf({ context }: ConfChange): Member | null {
  if (context.length === 0) return null;
  try {
    const given = decodePacked(context) as { readonly member?: unknown } | null;
    return member.safeParse(given?.member).data ?? null;
  } catch {
    return null;
  }
}
