/** Applied as one joint change, a plan never takes the quorum away: not before, between or behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { plan } from "../../../geo/placement.ts";
import { Changer } from "../../../src/raft/changer.ts";
import type { ConfChangeStep } from "../../../src/raft/conf-change.ts";
import { type JointConfig, jointVote } from "../../../src/raft/quorum.ts";
import { Tracker } from "../../../src/raft/tracker.ts";
import { conf } from "../raft/member.ts";
import { asMap, maps } from "./maps.ts";

const OPTIONS = { lastIndex: 10, maxInflightMessages: 4, maxInflightBytes: 0 };

function next(before: Tracker, change: (changer: Changer) => object): Tracker {
  const made = new Tracker();
  Object.assign(made, change(new Changer(before, OPTIONS)));
  return made;
}

test("with the nodes that are there now, every configuration on the way has a quorum", () => {
  let applied = 0;
  fc.assert(
    fc.property(maps, (given) => {
      const map = asMap(given);
      const alive = new Set(map.nodes.filter(({ eligible }) => eligible).map(({ id }) => id));
      const ids = (voter: boolean): number[] =>
        map.nodes.filter((node) => node.voter === voter).map(({ id }) => id);
      const hasQuorum = (config: JointConfig, but: ReadonlySet<number> = new Set()): boolean =>
        jointVote(config, (id) => alive.has(id) && !but.has(id)) === "won";
      const start = conf(ids(true), { learners: ids(false) });
      if (start.voters.length === 0) return;
      const old = next(new Tracker(), (changer) => changer.restore(start));
      const made = plan(map);
      // Without a quorum nobody leads, and nothing is applied.
      if (made === null || !hasQuorum(old.config.voters)) return;
      const steps: ConfChangeStep[] = [
        ...made.promote.map((id) => ({ type: "add-node", id }) as const),
        ...made.demote.map((id) => ({ type: "add-learner", id }) as const),
      ];
      if (steps.length === 0) return;
      const joint = next(old, (changer) => changer.enterJoint(true, steps));
      const last = next(joint, (changer) => changer.leaveJoint());
      assert.ok(hasQuorum(joint.config.voters));
      assert.ok(hasQuorum(last.config.voters));
      assert.deepEqual(
        [...last.config.voters.incoming].sort((a, b) => a - b),
        made.voters,
      );
      // What both ends stand, the way between them stands: here, the loss of a region.
      for (const region of new Set(map.nodes.map((node) => node.region))) {
        const lost = new Set(map.nodes.filter((n) => n.region === region).map(({ id }) => id));
        if (hasQuorum(old.config.voters, lost) && hasQuorum(last.config.voters, lost))
          assert.ok(hasQuorum(joint.config.voters, lost), region);
      }
      applied++;
    }),
    { numRuns: 3_000 },
  );
  assert.ok(applied > 500, `${applied}`);
});
