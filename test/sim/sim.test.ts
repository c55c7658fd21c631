/** A few hundred seeds of the simulator; `npm run sim` runs as many as you like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfState, EMPTY_CONF_STATE, message } from "../../src/raft/types.ts";
import { Cluster } from "./cluster.ts";
import { drawEvents, drawOptions } from "./events.ts";
import { Ghost, intersect, Violation } from "./ghost.ts";
import { run, simulate } from "./simulate.ts";

const SEEDS = 2_000;
const EVENTS = 1_500;

test(`${SEEDS} seeds of ${EVENTS} events violate nothing and come to rest`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const failure = simulate(seed, EVENTS);
    assert.equal(failure, null, failure?.report() ?? "");
  }
});

test("a seed run twice leaves the same trace", () => {
  const traces = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const options = drawOptions(seed);
    const first = run(options, drawEvents(seed, EVENTS));
    const again = run(drawOptions(seed), drawEvents(seed, EVENTS));
    assert.equal(first.trace, again.trace);
    traces.add(first.trace);
  }
  assert.equal(traces.size, 20, "and no two seeds the same");
});

test("the ghost sees what it is there for", () => {
  const conf: ConfState = { ...EMPTY_CONF_STATE, voters: [1, 2, 3] };
  const cluster = new Cluster({ ...drawOptions(1), nodes: 3, voters: 3 });
  const [node] = cluster.nodes;
  const ghost = new Ghost(conf, 1);
  const sends = (type: "MsgVoteResp" | "MsgApp", term: number): void =>
    ghost.sent(node!, message(type, { from: 1, to: 2, term }));
  assert.throws(() => sends("MsgApp", 9), Violation);
  assert.throws(() => sends("MsgVoteResp", 1), /vote that is durable for 0/);
  ghost.configured(5, { ...conf, voters: [1, 2] });
  assert.throws(() => ghost.configured(6, { ...conf, voters: [3] }), /need not meet/);
  assert.throws(() => ghost.configured(5, conf), /two configurations/);
});

test("quorums that need not meet are seen", () => {
  const half = (...voters: number[]) => ({ incoming: voters, outgoing: [] });
  assert.ok(intersect(half(1, 2, 3), half(1, 2)));
  assert.ok(!intersect(half(1, 2, 3), half(3, 4, 5)));
  assert.ok(intersect({ incoming: [3, 4, 5], outgoing: [1, 2, 3] }, half(1, 2, 3)));
});

test("a deposed leader that does not know it may lack what a later one committed", () => {
  // Entries of term 3, committed by the leader of term 6, are no business of term 4's.
  assert.equal(simulate(44_942, EVENTS), null);
});

test("a learner of a higher term is reached by who is elected anew, where nothing else tells the leader", () => {
  // Neither pre-vote nor lease; the only voter leads in a term below its learner's.
  assert.equal(simulate(107_651, EVENTS), null);
});

test("a removed node that acknowledged an entry elects nobody who lacks it", () => {
  assert.equal(simulate(517_823, EVENTS), null);
});

test("who needs the vote of a leader that removed itself learns that it left", () => {
  assert.equal(simulate(74_679, EVENTS), null);
});
