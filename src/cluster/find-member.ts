/** Which member a text means: its id, or its name if that is one member's alone. */
import { printable } from "../base/logger.ts";
import { OperationError } from "./operations.ts";

export function findMember<M extends { readonly id: number; readonly name: string }>(
  members: readonly M[],
  given: string,
): M {
  // An id is never anybody else's; a name may look like one.
  const byId = members.find((member) => String(member.id) === given);
  if (byId !== undefined) return byId;
  const [found, other] = members.filter((member) => member.name === given);
  const shown = printable(given, 64);
  if (other !== undefined) {
    throw new OperationError(
      "conflict",
      `Several members are called "${shown}": name it by its id`,
      "binraft member list",
    );
  }
  if (found === undefined)
    throw new OperationError("not-found", `There is no member "${shown}"`, "binraft member list");
  return found;
}
