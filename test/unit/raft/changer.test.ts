/** Random changes of the configuration: one by one or joint, they reach the same, and quorums meet. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Changer } from "../../../src/raft/changer.ts";
import type { ConfChangeStep } from "../../../src/raft/conf-change.ts";
import { ConfChangeRefused } from "../../../src/raft/errors.ts";
import { type JointConfig, majorityVote } from "../../../src/raft/quorum.ts";
import { Tracker } from "../../../src/raft/tracker.ts";
import type { ConfState } from "../../../src/raft/types.ts";
import { conf } from "./member.ts";

const IDS = 6;
const OPTIONS = { lastIndex: 10, maxInflightMessages: 4, maxInflightBytes: 0 };

const step: fc.Arbitrary<ConfChangeStep> = fc.record({
  type: fc.constantFrom("add-node", "remove-node", "update-node", "add-learner"),
  id: fc.integer({ min: 1, max: IDS }),
});
const steps = fc.array(step, { minLength: 1, maxLength: 8 });
const start: fc.Arbitrary<ConfState> = fc
  .array(fc.constantFrom("voter", "learner", "none"), { minLength: IDS, maxLength: IDS })
  .map((kinds) => {
    const of = (kind: string): number[] => kinds.flatMap((k, i) => (k === kind ? [i + 1] : []));
    return conf(of("voter"), { learners: of("learner") });
  })
  .filter(({ voters }) => voters.length > 0);

function tracker(state: ConfState): Tracker {
  const made = new Tracker();
  Object.assign(made, new Changer(made, OPTIONS).restore(state));
  return made;
}

/** One by one; null when a step on the way would leave no voter. */
function oneByOne(state: ConfState, changes: readonly ConfChangeStep[]): Tracker[] | null {
  const trackers = [tracker(state)];
  for (const one of changes) {
    const next = new Tracker();
    const before = trackers.at(-1)!;
    try {
      Object.assign(next, new Changer(before, OPTIONS).simple([one]));
    } catch (error) {
      assert.ok(error instanceof ConfChangeRefused);
      return null;
    }
    trackers.push(next);
  }
  return trackers;
}

/** Which sets of nodes decide. */
function decides({ incoming, outgoing }: JointConfig, mask: number): boolean {
  const yes = (id: number): boolean => (mask & (1 << (id - 1))) !== 0;
  return majorityVote(incoming, yes) === "won" && majorityVote(outgoing, yes) === "won";
}

/** Two quorums of which no node is in both would be two leaders. */
function quorumsMeet(a: JointConfig, b: JointConfig): boolean {
  const all = 2 ** IDS - 1;
  // Whatever decides in one, its complement must not decide in the other.
  for (let mask = 0; mask <= all; mask++) {
    if (decides(a, mask) && decides(b, all & ~mask)) return false;
  }
  return true;
}

function shape(of: Tracker): unknown {
  const peers = [...of.progress].map(([id, { learner, next, match }]) => ({
    id,
    learner,
    next,
    match,
  }));
  return { state: of.confState(), peers: peers.sort((a, b) => a.id - b.id) };
}

test("changes one by one and through a joint configuration lead to the same", () => {
  let compared = 0;
  fc.assert(
    fc.property(start, steps, fc.boolean(), (state, changes, autoLeave) => {
      const simple = oneByOne(state, changes);
      if (simple === null) return;
      const joint = new Tracker();
      Object.assign(joint, new Changer(tracker(state), OPTIONS).enterJoint(autoLeave, changes));
      const left = new Tracker();
      Object.assign(left, new Changer(joint, OPTIONS).leaveJoint());
      assert.deepEqual(shape(left), shape(simple.at(-1)!));
      compared++;
    }),
    { numRuns: 1000 },
  );
  assert.ok(compared > 300, `${compared}`);
});

test("quorums of configurations that follow each other always meet", () => {
  fc.assert(
    fc.property(start, steps, (state, changes) => {
      const chain = oneByOne(state, changes) ?? [];
      const old = tracker(state);
      try {
        const joint = new Tracker();
        Object.assign(joint, new Changer(old, OPTIONS).enterJoint(true, changes));
        const left = new Tracker();
        Object.assign(left, new Changer(joint, OPTIONS).leaveJoint());
        for (const [a, b] of [
          [old, joint],
          [joint, joint],
          [joint, left],
        ] as const) {
          assert.ok(quorumsMeet(a.config.voters, b.config.voters));
        }
      } catch (error) {
        if (!(error instanceof ConfChangeRefused)) throw error;
      }
      for (let i = 1; i < chain.length; i++) {
        assert.ok(quorumsMeet(chain[i - 1]!.config.voters, chain[i]!.config.voters));
      }
    }),
    { numRuns: 300 },
  );
});

test("the check of quorums that meet can fail", () => {
  const config = (incoming: number[]): JointConfig => ({ incoming, outgoing: [] });
  assert.equal(quorumsMeet(config([1, 2, 3]), config([1, 4, 5])), false);
  assert.equal(quorumsMeet(config([1, 2]), config([1, 3, 4])), false);
  assert.equal(quorumsMeet(config([1, 2]), config([1, 2, 3])), true);
});

test("a change that is refused leaves the tracker as it was", () => {
  fc.assert(
    fc.property(start, steps, (state, changes) => {
      const one = tracker(state);
      const before = shape(one);
      for (const how of ["simple", "joint", "leave"] as const) {
        try {
          const changer = new Changer(one, OPTIONS);
          if (how === "simple") changer.simple(changes);
          else if (how === "joint") changer.enterJoint(false, changes);
          else changer.leaveJoint();
        } catch (error) {
          assert.ok(error instanceof ConfChangeRefused);
        }
        assert.deepEqual(shape(one), before);
      }
    }),
  );
});

test("any configuration comes back from its snapshot", () => {
  fc.assert(
    fc.property(start, steps, fc.boolean(), (state, changes, autoLeave) => {
      try {
        const joint = new Tracker();
        Object.assign(joint, new Changer(tracker(state), OPTIONS).enterJoint(autoLeave, changes));
        const saved = joint.confState();
        assert.deepEqual(tracker(saved).confState(), saved);
        assert.deepEqual(tracker(saved).voterIds(), joint.voterIds());
        for (const [id, { learner }] of joint.progress) {
          assert.equal(tracker(saved).progress.get(id)?.learner, learner);
        }
      } catch (error) {
        if (!(error instanceof ConfChangeRefused)) throw error;
      }
    }),
  );
});

test("two voters are not changed at once without a joint configuration", () => {
  const two = [
    { type: "add-node", id: 3 },
    { type: "add-node", id: 4 },
  ] as const;
  assert.throws(
    () => new Changer(tracker(conf([1, 2])), OPTIONS).simple(two),
    /more than one voter/,
  );
});
