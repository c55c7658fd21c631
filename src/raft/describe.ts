/** Short forms of states for log lines. Ids are hexadecimal, as in all lines of the core. */
import type { ConfChange, ConfChangeType, Transition } from "./conf-change.ts";
import type { Progress } from "./progress.ts";
import type { Config } from "./tracker.ts";

export function hex(id: number): string {
  return id.toString(16);
}

function ids(list: readonly number[]): string {
  return `(${list.map(hex).join(" ")})`;
}

export function describeConfig(config: Config): string {
  const { voters, learners, learnersNext, autoLeave } = config;
  let text = `voters=${ids(voters.incoming)}`;
  if (voters.outgoing.length > 0) text += `&&${ids(voters.outgoing)}`;
  if (learners.length > 0) text += ` learners=${ids(learners)}`;
  if (learnersNext.length > 0) text += ` learners_next=${ids(learnersNext)}`;
  return autoLeave ? `${text} autoleave` : text;
}

const STATES = { probe: "StateProbe", replicate: "StateReplicate", snapshot: "StateSnapshot" };

export function describeProgress(progress: Progress): string {
  const { match, next, inflights, pendingSnapshot } = progress;
  let text = `${STATES[progress.state]} match=${match} next=${next}`;
  if (progress.learner) text += " learner";
  if (progress.isPaused) text += " paused";
  if (pendingSnapshot > 0) text += ` pendingSnap=${pendingSnapshot}`;
  if (!progress.recentActive) text += " inactive";
  if (inflights.count > 0) text += ` inflight=${inflights.count}${inflights.full ? "[full]" : ""}`;
  return text;
}

const TRANSITIONS: Readonly<Record<Transition, string>> = {
  auto: "ConfChangeTransitionAuto",
  implicit: "ConfChangeTransitionJointImplicit",
  explicit: "ConfChangeTransitionJointExplicit",
};
const TYPES: Readonly<Record<ConfChangeType, string>> = {
  "add-node": "ConfChangeAddNode",
  "remove-node": "ConfChangeRemoveNode",
  "update-node": "ConfChangeUpdateNode",
  "add-learner": "ConfChangeAddLearnerNode",
};

export function describeConfChange(change: ConfChange): string {
  const steps = change.changes.map(
    ({ type, id }) => ` changes:{type:${TYPES[type]} node_id:${id}}`,
  );
  return `transition:${TRANSITIONS[change.transition]}${steps.join("")}`;
}
