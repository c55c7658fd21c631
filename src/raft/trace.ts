/**
 * What a core did, step by step, in the vocabulary of etcd raft's state trace, so that a run can be
 * checked against the TLA+ specification of etcd raft (its tla/ folder, Traceetcdraft). Off unless
 * the configuration brings a tracer; then each event is told at the moment that the specification
 * means: `Replicate` before the append, `Commit` after the counting, `Receive…` before the term of
 * the message is looked at.
 *
 * The specification knows neither pre-vote nor leases, read index, transfers or asynchronous writes:
 * a trace that is to be checked is of a cluster without them.
 */
import type { ConfChange, ConfChangeType } from "./conf-change.ts";
import { decodeConfChange, isConfChange } from "./conf-change.ts";
import type { Raft } from "./raft.ts";
import type { Entry, Message, MessageType, Role } from "./types.ts";

/** Ids are decimal text. */
export interface TraceEvent {
  readonly name: string;
  readonly nid: string;
  readonly state: { readonly term: number; readonly vote: string; readonly commit: number };
  readonly role: string;
  /** Index of the last entry. */
  readonly log: number;
  /** Incoming and outgoing voters. */
  readonly conf: readonly [readonly string[], readonly string[]];
  readonly msg?: object;
  readonly prop?: object;
}

export type Tracer = (event: TraceEvent) => void;

const ROLES: Readonly<Record<Role, string>> = {
  follower: "StateFollower",
  "pre-candidate": "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};
/** What a message is called when it is sent or received; others are not traced. */
const NAMES: Partial<Record<MessageType, string>> = {
  MsgApp: "AppendEntriesRequest",
  MsgHeartbeat: "AppendEntriesRequest",
  MsgSnap: "AppendEntriesRequest",
  MsgAppResp: "AppendEntriesResponse",
  MsgHeartbeatResp: "AppendEntriesResponse",
  MsgVote: "RequestVoteRequest",
  MsgVoteResp: "RequestVoteResponse",
};
const ACTIONS: Partial<Record<ConfChangeType, string>> = {
  "add-node": "AddNewServer",
  "remove-node": "RemoveServer",
  "add-learner": "AddLearner",
};

type Detail = Pick<TraceEvent, "msg" | "prop">;

export function trace(raft: Raft, name: string, detail: Detail = {}): void {
  const { tracer } = raft.config;
  if (tracer === null) return;
  const { incoming, outgoing } = raft.tracker.config.voters;
  tracer({
    name,
    nid: String(raft.id),
    state: { term: raft.term, vote: String(raft.vote), commit: raft.log.committed },
    role: ROLES[raft.role],
    log: raft.log.lastIndex(),
    conf: [incoming.map(String), outgoing.map(String)],
    ...detail,
  });
}

export function traceMessage(raft: Raft, way: "Send" | "Receive", m: Message): void {
  if (raft.config.tracer === null) return;
  const name = NAMES[m.type];
  if (name === undefined) return;
  const own = raft.tracker.progress.get(m.from);
  const isAppend = way === "Send" && m.type === "MsgApp" && own !== undefined;
  const prop = isAppend ? { prop: { match: own.match, next: own.next } } : {};
  trace(raft, way + name, { msg: described(m), ...prop });
}

function described(m: Message): object {
  const { type, term, commit, reject, rejectHint, snapshot } = m;
  return {
    type,
    term,
    from: String(m.from),
    to: String(m.to),
    // A snapshot stands for all entries up to its index.
    entries: snapshot?.index ?? m.entries.length,
    logTerm: snapshot === null ? m.logTerm : 0,
    index: snapshot === null ? m.index : 0,
    commit,
    vote: String(m.vote),
    reject,
    rejectHint,
  };
}

/** What a leader is about to append. */
export function traceAppend(raft: Raft, entries: readonly Entry[]): void {
  if (raft.config.tracer === null) return;
  for (const { type, data } of entries) {
    if (!isConfChange(type)) trace(raft, "Replicate");
    else traceChange(raft, decodeConfChange(data));
  }
}

function traceChange(raft: Raft, { changes }: ConfChange): void {
  const steps = changes
    .filter(({ type }) => ACTIONS[type] !== undefined)
    .map(({ type, id }) => ({ nid: String(id), action: ACTIONS[type] }));
  if (steps.length > 0) trace(raft, "ChangeConf", { prop: { cc: { changes: steps } } });
}
