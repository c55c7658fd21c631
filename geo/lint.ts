/** What a set of voters does not stand, as sentences: shown in plans, and looked at before each change. */
import { quorumOf } from "./quorum.ts";

/** `regions` are those in which there are nodes. */
export function lint(voterRegions: readonly string[], regions: readonly string[]): string[] {
  const all = new Set(regions);
  if (all.size < 2 || voterRegions.length === 0) return [];
  const findings: string[] = [];
  const total = voterRegions.length;
  const quorum = quorumOf(total);
  for (const region of new Set(voterRegions)) {
    const here = voterRegions.filter((other) => other === region).length;
    if (total - here >= quorum) continue;
    findings.push(
      `Losing region ${region} stops commits: it has ${here} of ${total} voters, and ${quorum} are needed`,
    );
  }
  if (total > 1 && total % 2 === 0) {
    findings.push(`${total} voters stand no more losses than ${total - 1}`);
  }
  if (all.size === 2)
    findings.push("The nodes are in two regions: with a third the loss of any one can be stood");
  return findings;
}
