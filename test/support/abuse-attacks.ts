/** All attacks of `npm run soak -- abuse`, in the order in which they are played. */
import { ADMIN } from "./abuse-admin.ts";
import type { Attack } from "./abuse-attack.ts";
import { PEERS } from "./abuse-peers.ts";
import { REPLICAS } from "./abuse-replicas.ts";
import { SILENCE } from "./abuse-silence.ts";
import { STATEMENTS } from "./abuse-statements.ts";

export const ATTACKS: readonly Attack[] = [
  ...SILENCE,
  ...STATEMENTS,
  ...REPLICAS,
  ...ADMIN,
  ...PEERS,
];

/** Throws with the names there are. */
export function attackNamed(name: string): Attack {
  const found = ATTACKS.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = ATTACKS.map((one) => one.name).join(", ");
  throw new Error(`There is no attack "${name}": choose from ${names}`);
}
