/**
 * What a Raft message can mean at all, whoever receives it (pure). Codec and frames have bounded its
 * bytes; this bounds its numbers and makes its fields agree with each other, so that the core meets only
 * what some honest node could have said. What it can mean here and now: cluster/message-edge.ts.
 */
import type { ConfState, Entry, Message, MessageType, Snapshot } from "../raft/types.ts";
import { MAX_INDEX, MAX_MEMBERS, MAX_RAFT_ID, MAX_TERM } from "./protocol.ts";

/** The leader puts a MiB into one message, and an entry without a payload takes nine bytes of that. */
const MAX_ENTRIES = 128 * 1024;
const MAX_ENTRY_BYTES = 16 * 1024 * 1024;
const CONTEXT_BYTES = 16;
const TRANSFER_BYTES = 1;

interface Form {
  /** Bytes of context at most, and whether there must be some. */
  readonly context?: number;
  readonly mustHaveContext?: boolean;
  readonly mayReject?: boolean;
  /** It is a claim of its sender in a term. */
  readonly hasTerm: boolean;
}

/** Of each message that nodes send each other; what is not here is said by nobody. */
const FORMS: Partial<Record<MessageType, Form>> = {
  MsgApp: { hasTerm: true },
  MsgAppResp: { hasTerm: true, mayReject: true },
  MsgVote: { hasTerm: true, context: TRANSFER_BYTES },
  MsgVoteResp: { hasTerm: true, mayReject: true },
  MsgPreVote: { hasTerm: true },
  MsgPreVoteResp: { hasTerm: true, mayReject: true },
  MsgSnap: { hasTerm: true },
  MsgHeartbeat: { hasTerm: true, context: CONTEXT_BYTES },
  MsgHeartbeatResp: { hasTerm: true, context: CONTEXT_BYTES },
  MsgTimeoutNow: { hasTerm: true },
  // It is asked without a term: whoever leads may answer.
  MsgReadIndex: { hasTerm: false, context: CONTEXT_BYTES, mustHaveContext: true },
  MsgReadIndexResp: { hasTerm: true, context: CONTEXT_BYTES, mustHaveContext: true },
};

/** Null: it makes sense. Else what does not, for a line in the log. */
export function nonsenseIn(m: Message): string | null {
  const form = FORMS[m.type];
  if (form === undefined) return `${m.type}, which nodes do not send each other`;
  return numbersTrouble(m, form) ?? partsTrouble(m, form) ?? entriesTrouble(m.entries, m);
}

function numbersTrouble(m: Message, { hasTerm }: Form): string | null {
  const { from, to, term, logTerm, index, commit, known } = m;
  for (const id of [from, to]) if (id < 1 || id > MAX_RAFT_ID) return `the id ${id}`;
  for (const one of [term, logTerm, known.term]) if (one > MAX_TERM) return `the term ${one}`;
  for (const one of [index, commit, m.rejectHint, known.index])
    if (one > MAX_INDEX) return `the index ${one}`;
  // A node that was never in a term can refuse, and no more.
  if (hasTerm && term === 0 && !m.reject) return `${m.type} of no term`;
  if (!hasTerm && term !== 0) return `${m.type} of term ${term}`;
  // A candidate's log is of earlier terms. A refusal tells the log's term where both may agree.
  if (hasTerm && !m.reject && logTerm > term) return `a log of term ${logTerm} in term ${term}`;
  if (index === 0 && logTerm !== 0 && !m.reject) return `term ${logTerm} of no entry`;
  if (known.term === 0 && known.index !== 0) return `entry ${known.index} committed in no term`;
  if (m.type === "MsgAppResp" && m.reject && m.rejectHint > index)
    return `a hint at ${m.rejectHint}, behind ${index}, which was rejected`;
  return null;
}

function partsTrouble(m: Message, form: Form): string | null {
  if (m.reject && form.mayReject !== true) return `${m.type} that rejects`;
  if (m.context.length > (form.context ?? 0))
    return `${m.type} with a context of ${m.context.length} bytes`;
  if (form.mustHaveContext === true && m.context.length === 0) return `${m.type} without a context`;
  if (m.entries.length > 0 && m.type !== "MsgApp") return `${m.type} with entries`;
  if ((m.type === "MsgSnap") !== (m.snapshot !== null))
    return m.snapshot === null ? "MsgSnap without a snapshot" : `${m.type} with a snapshot`;
  return m.snapshot === null ? null : snapshotTrouble(m.snapshot, m.term);
}

/** Of entries behind `index`, the last of which is of `term` at most. Their own indexes follow by their form. */
export function entriesTrouble(
  entries: readonly Entry[],
  {
    index,
    logTerm,
    term,
  }: { readonly index: number; readonly logTerm: number; readonly term: number },
): string | null {
  if (entries.length > MAX_ENTRIES) return `${entries.length} entries`;
  if (index + entries.length > MAX_INDEX) return `entries up to ${index + entries.length}`;
  let last = Math.max(1, logTerm);
  for (const entry of entries) {
    if (entry.term < last || entry.term > term)
      return `entry ${entry.index} of term ${entry.term}, behind term ${last} and in term ${term}`;
    if (entry.data.length > MAX_ENTRY_BYTES)
      return `entry ${entry.index} of ${entry.data.length} bytes`;
    last = entry.term;
  }
  return null;
}

function snapshotTrouble({ index, term, conf }: Snapshot, inTerm: number): string | null {
  if (index < 1 || index > MAX_INDEX) return `a snapshot of entry ${index}`;
  if (term < 1 || term > inTerm) return `a snapshot of term ${term} in term ${inTerm}`;
  return confTrouble(conf);
}

/** As the core makes them: nobody has two places at a time. */
export function confTrouble(conf: ConfState): string | null {
  const { voters, learners, votersOutgoing, learnersNext, autoLeave } = conf;
  const lists = [voters, learners, votersOutgoing, learnersNext];
  for (const list of lists) {
    if (list.length > MAX_MEMBERS) return `a configuration with ${list.length} members`;
    if (new Set(list).size < list.length) return "a configuration that names a member twice";
    if (list.some((id) => !Number.isSafeInteger(id) || id < 1 || id > MAX_RAFT_ID))
      return "a configuration with an id out of range";
  }
  if (voters.length === 0) return "a configuration without voters";
  if (learners.some((id) => voters.includes(id) || votersOutgoing.includes(id)))
    return "a configuration with a learner that votes";
  if (learnersNext.some((id) => !votersOutgoing.includes(id) || voters.includes(id)))
    return "a configuration with a learner to be that does not leave the voters";
  if (votersOutgoing.length === 0 && (learnersNext.length > 0 || autoLeave))
    return "a configuration that leaves nothing";
  return null;
}
