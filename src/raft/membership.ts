/** Applying changes of the configuration and snapshots, and leaving a joint configuration. */
import type { Changed } from "./changer.ts";
import {
  type ConfChange,
  encodeConfChange,
  entersJoint,
  LEAVE_JOINT,
  leavesJoint,
} from "./conf-change.ts";
import { describeConfig, hex } from "./describe.ts";
import { ProposalDropped } from "./errors.ts";
import { abortTransfer, maybeCommit } from "./leader.ts";
import type { Raft } from "./raft.ts";
import { broadcastAppend, maybeSendAppend } from "./replication.ts";
import { trace } from "./trace.ts";
import { Tracker } from "./tracker.ts";
import { type ConfState, EntryType, message, NONE, type Snapshot } from "./types.ts";

/** Throws ConfChangeRefused: then the change was committed without the core's validation. */
export function applyConfChange(raft: Raft, change: ConfChange): ConfState {
  const changer = raft.changer();
  const joint = entersJoint(change);
  if (leavesJoint(change)) return switchApplied(raft, changer.leaveJoint());
  if (joint !== null) {
    return switchApplied(raft, changer.enterJoint(joint.autoLeave, change.changes));
  }
  return switchApplied(raft, changer.simple(change.changes));
}

function switchApplied(raft: Raft, changed: Changed): ConfState {
  const newconf = changed.config.voters.incoming.map(String);
  trace(raft, "ApplyConfChange", { prop: { cc: { newconf } } });
  return switchToConfig(raft, changed);
}

export function switchToConfig(raft: Raft, { config, progress }: Changed): ConfState {
  const { tracker } = raft;
  tracker.config = config;
  tracker.progress = progress;
  raft.logger.info(`${hex(raft.id)} switched to configuration ${describeConfig(config)}`);
  const state = tracker.confState();
  const own = progress.get(raft.id);
  raft.isLearner = own?.learner ?? false;
  if (raft.leads && (own === undefined || own.learner)) {
    if (raft.config.stepDownOnRemoval) raft.becomeFollower(raft.term, NONE);
    return state;
  }
  if (!raft.leads || state.voters.length === 0) return state;
  if (maybeCommit(raft)) {
    // A smaller quorum may have committed more at once.
    broadcastAppend(raft);
  } else {
    // New ones need not wait for the next heartbeat.
    tracker.visit((id) => {
      if (id !== raft.id) maybeSendAppend(raft, id, false);
    });
  }
  if (raft.leadTransferee !== NONE && !tracker.voterIds().includes(raft.leadTransferee)) {
    abortTransfer(raft);
  }
  return state;
}

/** The application is at `index`. A leader then leaves a joint configuration that wants that. */
export function appliedTo(raft: Raft, index: number, size: number): void {
  const applied = Math.max(index, raft.log.applied);
  raft.log.appliedTo(applied, size);
  const { config } = raft.tracker;
  if (!config.autoLeave || !raft.leads || applied < raft.pendingConfIndex) return;
  const entry = {
    index: 0,
    term: 0,
    type: EntryType.CONF_CHANGE_V2,
    data: encodeConfChange(LEAVE_JOINT),
  };
  const described = describeConfig(config);
  try {
    // Never refused for its size; while leadership is handed over it is, and is tried again.
    raft.step(message("MsgProp", { from: raft.id, entries: [entry] }));
    raft.logger.info(`initiating automatic transition out of joint configuration ${described}`);
  } catch (error) {
    if (!(error instanceof ProposalDropped)) throw error;
    raft.logger.debug(
      `not initiating automatic transition out of joint configuration ${described}: ${error.message}`,
    );
  }
}

export function appliedSnapshot(raft: Raft, { index }: Snapshot): void {
  raft.log.unstable.stableSnapshotTo(index);
  appliedTo(raft, index, 0);
}

/** Takes a leader's snapshot for our log. False when we have all of it, or are not meant. */
export function restoreSnapshot(raft: Raft, snapshot: Snapshot): boolean {
  const { log } = raft;
  const { index, term, conf } = snapshot;
  if (index <= log.committed) return false;
  if (raft.role !== "follower") {
    raft.logger.warn(
      `${hex(raft.id)} attempted to restore snapshot as leader; should never happen`,
    );
    raft.becomeFollower(raft.term + 1, NONE);
    return false;
  }
  if (![...conf.voters, ...conf.learners, ...conf.votersOutgoing].includes(raft.id)) {
    raft.logger.warn(
      `${hex(raft.id)} attempted to restore snapshot but it is not in the ConfState; should never happen`,
    );
    return false;
  }
  if (log.applying > log.applied) {
    // A change of the configuration among them would be applied on top of the snapshot's own. The
    // leader sends it again.
    raft.logger.debug(`${hex(raft.id)} is applying entries; the snapshot must wait`);
    return false;
  }
  const before = log.lastId();
  if (log.matchTerm({ index, term })) {
    raft.logger.info(
      `${hex(raft.id)} [commit: ${log.committed}, lastindex: ${before.index}, lastterm: ${before.term}] ` +
        `fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`,
    );
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  raft.tracker = new Tracker();
  switchToConfig(raft, raft.changer().restore(conf));
  const last = log.lastId();
  raft.logger.info(
    `${hex(raft.id)} [commit: ${log.committed}, lastindex: ${last.index}, lastterm: ${last.term}] ` +
      `restored snapshot [index: ${index}, term: ${term}]`,
  );
  return true;
}
