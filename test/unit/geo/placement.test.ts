import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lint } from "../../../geo/lint.ts";
import { costOf, plan } from "../../../geo/placement.ts";
import { capOf, quorumOf } from "../../../geo/quorum.ts";
import { estimateRttMs } from "../../../geo/rtt.ts";
import type { PlacementMap, PlacementNode } from "../../../src/cluster/policies.ts";
import { asMap, CODES, maps } from "./maps.ts";

const rttMs = (from: string, to: string): number => estimateRttMs(from, to)!;

function nodesOf(text: string): PlacementNode[] {
  // "iad:v fra syd:-" : a voter, a learner, one that may not vote now.
  return text.split(" ").map((word, at) => {
    const [region, flags = ""] = word.split(":") as [string, string?];
    const node = { id: at + 1, name: `${region}-${at + 1}`, region };
    return { ...node, voter: flags.includes("v"), eligible: !flags.includes("-") };
  });
}

function map(text: string, voters = 3, leaderRegion: string | null = null): PlacementMap {
  return { nodes: nodesOf(text), voters, leaderRegion, rttMs };
}

test("a plan of voters: over three regions has one voter in each, with the leader near the source", () => {
  const made = plan(map("iad:v iad iad fra fra syd syd", 3, "iad"))!;
  assert.deepEqual([made.voters, made.promote, made.demote], [[1, 4, 6], [4, 6], []]);
  assert.equal(made.leaderRegion, "iad");
  assert.equal(Math.round(made.commitMs), Math.round(rttMs("iad", "fra")));
  assert.equal(Math.round(made.degradedMs!), Math.round(rttMs("iad", "syd")));
  assert.equal(made.worthIt, true);
  assert.match(made.reasons.join("\n"), /any one region can be lost/);
});

test("a plan of voters: takes the nearest regions of many", () => {
  const made = plan(map("iad syd nrt ewr sin ord", 3, "iad"))!;
  assert.deepEqual(made.voters, [1, 4, 6]);
});

test("a plan of voters: of five has at most two in a region, also near the source", () => {
  const made = plan(map("iad iad iad fra fra fra syd syd", 5, "iad"))!;
  assert.deepEqual(made.voters, [1, 2, 4, 5, 7]);
  assert.deepEqual(made.findings, []);
});

test("a plan of voters: keeps those that vote already where others are as good", () => {
  const made = plan(map("iad iad:v fra fra:v syd syd:v", 3, "iad"))!;
  assert.deepEqual([made.voters, made.promote, made.demote], [[2, 4, 6], [], []]);
  assert.equal(made.worthIt, false);
});

test("a plan of voters: replaces a voter that is gone by its neighbour", () => {
  const made = plan(map("iad:v fra:v- fra syd:v", 3, "iad"))!;
  assert.deepEqual([made.promote, made.demote], [[3], [2]]);
  assert.equal(made.worthIt, true);
});

test("a plan of voters: of one node, and of two, has one voter; three in one region all vote", () => {
  assert.deepEqual(plan(map("iad"))!.voters, [1]);
  assert.deepEqual(plan(map("iad:v fra", 3, "iad"))!.voters, [1]);
  assert.deepEqual(plan(map("iad:v iad iad"))!.voters, [1, 2, 3]);
  assert.equal(plan(map("iad:- fra:-")), null);
});

test("a plan of voters: over two regions has the majority where the leader is, and says so", () => {
  const made = plan(map("iad iad fra fra", 3, "iad"))!;
  assert.deepEqual(made.voters, [1, 2, 3]);
  assert.match(made.findings.join("\n"), /Losing region iad stops commits/);
});

test("a plan of voters: without a wish for the leader finds the middle", () => {
  assert.equal(plan(map("sin fra bom"))!.leaderRegion, "bom");
});

test("a plan of voters: where no node of the wanted region can vote, the leader is where the way is shortest", () => {
  const made = plan(map("ewr syd sin fra iad:-", 3, "iad"))!;
  assert.equal(made.leaderRegion, "ewr");
  assert.match(made.reasons.join("\n"), /No node of iad can vote/);
});

test("a plan of voters: a small change of a distance changes no voter", () => {
  const near = (from: string, to: string): number =>
    [from, to].includes("ord") && [from, to].includes("iad") ? 27 : rttMs(from, to);
  const nodes = nodesOf("iad:v ord:v ewr fra:v");
  const made = plan({ nodes, voters: 3, leaderRegion: "iad", rttMs: near })!;
  assert.ok(made.promote.length > 0);
  const gain = { nodes, voters: 3, leaderRegion: "iad" };
  const close = (from: string, to: string): number =>
    from === to ? 1 : 27 + (to === "fra" ? 2 : 0);
  assert.equal(plan({ ...gain, rttMs: close })!.worthIt, false);
});

test("findings: name the region whose loss stops commits", () => {
  assert.deepEqual(lint(["iad", "fra", "syd"], ["iad", "fra", "syd"]), []);
  assert.match(lint(["iad", "iad", "fra"], ["iad", "fra", "syd"])[0]!, /region iad/);
  assert.match(lint(["iad", "fra", "syd", "syd"], ["iad", "fra", "syd"])[0]!, /region syd/);
  assert.deepEqual(lint(["iad"], ["iad"]), []);
});

/** What counts, in this order. */
function worth(given: PlacementMap, ids: readonly number[], leaderRegion: string): number[] {
  const voters = given.nodes.filter(({ id }) => ids.includes(id));
  const { commitMs, degradedMs } = costOf(
    voters.map(({ region }) => region),
    leaderRegion,
    given.rttMs,
  )!;
  const ways = voters.map(({ region }) =>
    region === leaderRegion ? 0 : given.rttMs(leaderRegion, region),
  );
  const fresh = voters.filter(({ voter }) => !voter).length;
  return [commitMs, degradedMs ?? Number.POSITIVE_INFINITY, ways.reduce((a, b) => a + b, 0), fresh];
}

function compareWorth(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

function subsets(ids: readonly number[]): number[][] {
  const all: number[][] = [[]];
  for (const id of ids) all.push(...all.map((one) => [...one, id]));
  return all;
}

test("random maps: with three regions no region ever holds a quorum, and any one can be lost", () => {
  fc.assert(
    fc.property(maps, (given) => {
      const made = plan(asMap(given));
      const eligible = given.nodes.filter((node) => node.eligible);
      if (made === null) return assert.equal(eligible.length, 0);
      const regions = made.voters.map((id) => given.nodes[id - 1]!.region);
      assert.equal(regions.length % 2, 1);
      assert.ok(made.voters.every((id) => given.nodes[id - 1]!.eligible));
      if (new Set(eligible.map(({ region }) => region)).size < 3 || given.voters < 3) return;
      for (const region of CODES) {
        const here = regions.filter((other) => other === region).length;
        assert.ok(here < quorumOf(regions.length));
        assert.ok(regions.length - here >= quorumOf(regions.length));
      }
    }),
    { numRuns: 3_000 },
  );
});

test("random maps: the plan is as good as the best of all sets", () => {
  fc.assert(
    fc.property(maps, (given) => {
      const whole = asMap(given);
      const made = plan(whole);
      if (made === null) return;
      const eligible = whole.nodes.filter((node) => node.eligible);
      const regions = new Set(eligible.map(({ region }) => region));
      const fits = (ids: readonly number[]): boolean => {
        const cap = capOf(ids.length, regions.size);
        const all = ids.map((id) => whole.nodes[id - 1]!.region);
        return [...regions].every(
          (region) => all.filter((other) => other === region).length <= cap,
        );
      };
      const sets = subsets(eligible.map(({ id }) => id)).filter(
        (ids) => ids.length % 2 === 1 && ids.length <= whole.voters && fits(ids),
      );
      // No more voters could be had.
      assert.equal(made.voters.length, Math.max(...sets.map((ids) => ids.length)));
      const own = worth(whole, made.voters, made.leaderRegion);
      for (const ids of sets) {
        if (ids.length !== made.voters.length) continue;
        if (!ids.some((id) => whole.nodes[id - 1]!.region === made.leaderRegion)) continue;
        const other = worth(whole, ids, made.leaderRegion);
        assert.ok(
          compareWorth(own, other) <= 0,
          `${made.voters} ${own} is worse than ${ids} ${other}`,
        );
      }
      if (whole.leaderRegion !== null) return;
      // Of all regions that the leader could be in, too.
      for (const ids of sets.filter((one) => one.length === made.voters.length))
        for (const region of new Set(ids.map((id) => whole.nodes[id - 1]!.region)))
          assert.ok(compareWorth(own.slice(0, 2), worth(whole, ids, region).slice(0, 2)) <= 0);
    }),
    { numRuns: 1_500 },
  );
});

test("random maps: a plan that was applied has nothing left to do", () => {
  fc.assert(
    fc.property(maps, (given) => {
      const whole = asMap(given);
      const made = plan(whole);
      if (made === null) return;
      const nodes = whole.nodes.map((node) => ({
        ...node,
        voter: made.voters.includes(node.id),
      }));
      const again = plan({ ...whole, nodes })!;
      assert.deepEqual([again.voters, again.promote, again.demote], [made.voters, [], []]);
      assert.equal(again.worthIt, false);
    }),
    { numRuns: 1_000 },
  );
});
