/** How far each voter is, as bars: the longer, the more voters are strictly behind it. */
import type { MajorityConfig } from "../../src/raft/quorum.ts";

export function describeIndex(index: number): string {
  return index === Number.POSITIVE_INFINITY ? "∞" : String(index);
}

/** Voters without an index in `acked` have a question mark. */
export function quorumChart(voters: MajorityConfig, acked: ReadonlyMap<number, number>): string {
  if (voters.length === 0) return "<empty majority quorum>";
  const indexes = voters.map((id) => acked.get(id) ?? 0);
  const lines = voters.map((id, position) => {
    const index = indexes[position]!;
    const behind = indexes.filter((other) => other < index).length;
    const bar = acked.has(id) ? `${"x".repeat(behind)}>` : "?";
    const number = String(index).padStart(5);
    return `${bar.padEnd(voters.length + 1)} ${number}    (id=${id.toString(16)})\n`;
  });
  return `${" ".repeat(voters.length)}    idx\n${lines.join("")}`;
}
