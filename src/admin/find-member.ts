/** Which member a text means: its id, or its name if that is one member's alone. */
import { type MemberStatus, OperationError } from "../cluster/operations.ts";

export function findMember(members: readonly MemberStatus[], named: string): MemberStatus {
  // An id is never anybody else's; a name may look like one.
  const byId = members.find((member) => String(member.id) === named);
  if (byId !== undefined) return byId;
  const [found, other] = members.filter((member) => member.name === named);
  if (other !== undefined) {
    throw new OperationError(
      "conflict",
      `The name "${named}" is that of more than one member`,
      "use the id: binraft member list",
    );
  }
  if (found === undefined) {
    throw new OperationError("not-found", `There is no member "${named}"`, "binraft member list");
  }
  return found;
}
