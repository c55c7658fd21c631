/** `propose-conf-change 1 v1=true transition=explicit`; without input a joint one is left. */
import type { Transition } from "../../../src/raft/conf-change.ts";
import { NO_BYTES } from "../../../src/raft/types.ts";
import { firstNumber, keyedValues, toBoolean } from "../args.ts";
import { parseConfChanges } from "../conf-change-text.ts";
import type { Directive } from "../datadriven.ts";
import { Refused } from "../refused.ts";
import type { Environment } from "./environment.ts";

const TRANSITIONS: readonly Transition[] = ["auto", "implicit", "explicit"];

export function proposeConfChange(env: Environment, directive: Directive): void {
  const { raw } = env.node(firstNumber(directive));
  let isV1 = false;
  let transition: Transition = "auto";
  for (const [key, value] of keyedValues(directive.args.slice(1))) {
    if (key === "v1") isV1 = toBoolean(value);
    else if (key === "transition") transition = toTransition(value);
    else throw new Refused(`unknown command ${key}`);
  }
  const changes = parseConfChanges(directive.input);
  if (isV1 && (changes.length !== 1 || transition !== "auto")) {
    throw new Refused("v1 conf change can only have one operation and no transition");
  }
  raw.proposeConfChange({ transition, changes, context: NO_BYTES }, isV1 ? 1 : 2);
}

function toTransition(name: string): Transition {
  const known = TRANSITIONS.find((one) => one === name);
  if (known === undefined) throw new Refused(`unknown transition ${name}`);
  return known;
}
