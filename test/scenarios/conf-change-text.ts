/** Changes of the configuration as tokens: `v1` voter, `l2` learner, `r3` removed, `u4` updated. */
import type { ConfChangeStep, ConfChangeType } from "../../src/raft/conf-change.ts";
import { toNumber } from "./args.ts";
import { Refused } from "./refused.ts";

const TYPES: Readonly<Record<string, ConfChangeType>> = {
  v: "add-node",
  l: "add-learner",
  r: "remove-node",
  u: "update-node",
};

export function parseConfChanges(text: string): ConfChangeStep[] {
  const tokens = text.trim().split(/\s+/);
  return tokens.filter((token) => token !== "").map(parseStep);
}

function parseStep(token: string): ConfChangeStep {
  const type = TYPES[token[0]!];
  if (token.length < 2) throw new Refused(`unknown token ${token}`);
  if (type === undefined) throw new Refused(`unknown input: ${token}`);
  return { type, id: toNumber(token.slice(1)) };
}

export function describeConfChanges(changes: readonly ConfChangeStep[]): string {
  const letter = (type: ConfChangeType): string =>
    Object.keys(TYPES).find((key) => TYPES[key] === type)!;
  return changes.map(({ type, id }) => `${letter(type)}${id}`).join(" ");
}
