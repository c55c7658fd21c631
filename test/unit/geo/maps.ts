/** Random maps of nodes in regions, with few distances so that there are many ties. */
import fc from "fast-check";
import type { PlacementMap } from "../../../src/cluster/policies.ts";

export const CODES = ["iad", "fra", "syd", "sin", "gru", "lhr"];

export const maps = fc.record({
  nodes: fc.array(
    fc.record({
      region: fc.constantFrom(...CODES),
      voter: fc.boolean(),
      eligible: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
    }),
    { minLength: 1, maxLength: 9 },
  ),
  voters: fc.constantFrom(1, 3, 5, 7, 9),
  leaderRegion: fc.option(fc.constantFrom(...CODES), { nil: null }),
  // Few values, so that there are many ties.
  ways: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 36, maxLength: 36 }),
});

/** As the policies take it; ids are places, from 1. */
export function asMap({
  nodes,
  voters,
  leaderRegion,
  ways,
}: typeof maps extends fc.Arbitrary<infer T> ? T : never): PlacementMap {
  const at = (code: string): number => CODES.indexOf(code);
  return {
    nodes: nodes.map((node, i) => ({ ...node, id: i + 1, name: `n${i + 1}` })),
    voters,
    leaderRegion,
    rttMs: (from, to) => 50 * ways[Math.min(at(from), at(to)) * 6 + Math.max(at(from), at(to))]!,
  };
}
