/** What a set of voters does not stand, as sentences: shown in plans, and looked at before each change. */
import { quorumOf } from "./quorum.ts";

/** Regions that have a quorum by themselves. */
export function quorumRegions(voterRegions: readonly string[]): string[] {
  const quorum = quorumOf(voterRegions.length);
  const has = (region: string): number => voterRegions.filter((other) => other === region).length;
  return [...new Set(voterRegions)].filter((region) => has(region) >= quorum);
}

/** Regions whose loss takes the quorum away. */
export function criticalRegions(voterRegions: readonly string[]): string[] {
  const total = voterRegions.length;
  return [...new Set(voterRegions)].filter((region) => {
    const here = voterRegions.filter((other) => other === region).length;
    return total - here < quorumOf(total);
  });
}

/** `regions` are those in which there are nodes. */
export function lint(voterRegions: readonly string[], regions: readonly string[]): string[] {
  const all = new Set(regions);
  if (all.size < 2 || voterRegions.length === 0) return [];
  const findings: string[] = [];
  const total = voterRegions.length;
  const quorum = quorumOf(total);
  for (const region of criticalRegions(voterRegions)) {
    const here = voterRegions.filter((other) => other === region).length;
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
