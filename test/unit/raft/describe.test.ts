/** The short forms of states in log lines, which the data-driven files compare byte for byte. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  describeConfChange,
  describeConfig,
  describeProgress,
  hex,
} from "../../../src/raft/describe.ts";
import { Inflights } from "../../../src/raft/inflights.ts";
import { Progress } from "../../../src/raft/progress.ts";
import { EMPTY_CONFIG } from "../../../src/raft/tracker.ts";
import { NO_BYTES } from "../../../src/raft/types.ts";

function progress(learner = false, recentActive = true): Progress {
  return new Progress({
    match: 3,
    next: 5,
    inflights: new Inflights(2, 100),
    learner,
    recentActive,
  });
}

test("ids are hexadecimal, up to the largest one", () => {
  assert.equal(hex(0), "0");
  assert.equal(hex(0xab), "ab");
  assert.equal(hex(2 ** 53 - 3), "1ffffffffffffd");
});

test("a configuration names only the parts that it has", () => {
  assert.equal(describeConfig(EMPTY_CONFIG), "voters=()");
  const voters = { incoming: [1, 10, 17], outgoing: [] };
  assert.equal(describeConfig({ ...EMPTY_CONFIG, voters }), "voters=(1 a 11)");
  assert.equal(
    describeConfig({
      voters: { incoming: [1], outgoing: [1, 31] },
      learners: [2],
      learnersNext: [31],
      autoLeave: true,
    }),
    "voters=(1)&&(1 1f) learners=(2) learners_next=(1f) autoleave",
  );
});

test("a peer's progress: its state, and what is out of the ordinary", () => {
  assert.equal(describeProgress(progress()), "StateProbe match=3 next=5");
  assert.equal(
    describeProgress(progress(true, false)),
    "StateProbe match=3 next=5 learner inactive",
  );
  const probe = progress();
  probe.sentEntries(1, 10);
  assert.equal(describeProgress(probe), "StateProbe match=3 next=5 paused");
  const waits = progress();
  waits.awaitsEntries = true;
  assert.equal(describeProgress(waits), "StateProbe match=3 next=5 paused");
});

test("a window: how many are under way, and whether it takes no more, by count or by bytes", () => {
  const streams = progress();
  streams.becomeReplicate();
  streams.sentEntries(2, 10);
  assert.equal(describeProgress(streams), "StateReplicate match=3 next=6 inflight=1");
  streams.sentEntries(1, 10);
  assert.equal(describeProgress(streams), "StateReplicate match=3 next=7 paused inflight=2[full]");
  const large = progress();
  large.becomeReplicate();
  large.sentEntries(1, 100);
  assert.equal(describeProgress(large), "StateReplicate match=3 next=5 paused inflight=1[full]");
});

test("a snapshot under way pauses and is named", () => {
  const one = progress();
  one.becomeSnapshot(9);
  assert.equal(describeProgress(one), "StateSnapshot match=3 next=10 paused pendingSnap=9");
});

test("a change of the configuration, in the words of its encoding", () => {
  const context = NO_BYTES;
  assert.equal(
    describeConfChange({ transition: "auto", changes: [], context }),
    "transition:ConfChangeTransitionAuto",
  );
  const change = (transition: "implicit" | "explicit") =>
    describeConfChange({
      transition,
      changes: [
        { type: "add-node", id: 1 },
        { type: "remove-node", id: 20 },
        { type: "update-node", id: 3 },
        { type: "add-learner", id: 4 },
      ],
      context,
    });
  const steps =
    " changes:{type:ConfChangeAddNode node_id:1} changes:{type:ConfChangeRemoveNode node_id:20}" +
    " changes:{type:ConfChangeUpdateNode node_id:3} changes:{type:ConfChangeAddLearnerNode node_id:4}";
  assert.equal(change("implicit"), `transition:ConfChangeTransitionJointImplicit${steps}`);
  assert.equal(change("explicit"), `transition:ConfChangeTransitionJointExplicit${steps}`);
});
