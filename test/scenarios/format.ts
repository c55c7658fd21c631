/** States, entries and messages as etcd raft describes them, byte for byte. */

import { decodeConfChange } from "../../src/raft/conf-change.ts";
import { describeProgress } from "../../src/raft/describe.ts";
import type { Progress } from "../../src/raft/progress.ts";
import { ascending } from "../../src/raft/quorum.ts";
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  NONE,
  type Ready,
  type Role,
  type Snapshot,
} from "../../src/raft/types.ts";
import { describeConfChanges } from "./conf-change-text.ts";
import { list, quote } from "./go-text.ts";

const ROLE_NAMES: Readonly<Record<Role, string>> = {
  follower: "StateFollower",
  "pre-candidate": "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};
const ENTRY_NAMES: Readonly<Record<EntryType, string>> = {
  [EntryType.NORMAL]: "EntryNormal",
  [EntryType.CONF_CHANGE]: "EntryConfChange",
  [EntryType.CONF_CHANGE_V2]: "EntryConfChangeV2",
};

export function roleName(role: Role): string {
  return ROLE_NAMES[role];
}

export function describeEntry({ term, index, type, data }: Entry): string {
  const name = `${term}/${index} ${ENTRY_NAMES[type]}`;
  if (type === EntryType.NORMAL) return `${name} ${quote(data)}`;
  return `${name} ${describeConfChanges(decodeConfChange(data).changes)}`.trimEnd();
}

/** Each on a line of its own. */
export function describeEntries(entries: readonly Entry[]): string {
  return entries.map((entry) => `${describeEntry(entry)}\n`).join("");
}

export function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === NONE ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

export function describeConfState(conf: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = conf;
  const lists = `Voters:${list(voters)} VotersOutgoing:${list(votersOutgoing)}`;
  return `${lists} Learners:${list(learners)} LearnersNext:${list(learnersNext)} AutoLeave:${autoLeave}`;
}

export function describeSnapshot({ index, term, conf }: Snapshot): string {
  return `Index:${index} Term:${term} ConfState:${describeConfState(conf)}`;
}

export function describeProgressMap(progress: ReadonlyMap<number, Progress>): string {
  const ids = ascending(progress.keys());
  return ids.map((id) => `${id}: ${describeProgress(progress.get(id)!)}\n`).join("");
}

function describeTarget(id: number): string {
  if (id === NONE) return "None";
  if (id === APPEND_THREAD) return "AppendThread";
  return id === APPLY_THREAD ? "ApplyThread" : id.toString(16);
}

/** Without a newline at the end. Lines behind the first one are indented too. */
export function describeMessage(message: Message, indent = ""): string {
  const { type, from, to, term, logTerm, index, reject, rejectHint, commit, vote } = message;
  let text = `${indent}${describeTarget(from)}->${describeTarget(to)} ${type}`;
  text += ` Term:${term} Log:${logTerm}/${index}`;
  if (reject) text += ` Rejected (Hint: ${rejectHint})`;
  if (commit !== 0) text += ` Commit:${commit}`;
  if (vote !== NONE) text += ` Vote:${vote}`;
  const entries = message.entries.map(describeEntry);
  if (entries.length === 1) text += ` Entries:[${entries[0]}]`;
  else if (entries.length > 1) {
    text += ` Entries:[${entries.map((entry) => `\n${indent}  ${entry}`).join("")}\n${indent}]`;
  }
  const { snapshot, responses } = message;
  if (snapshot !== null && snapshot.index !== 0) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  }
  if (responses.length > 0) {
    const lines = responses.map((response) => `\n${describeMessage(response, `${indent}  `)}`);
    text += ` Responses:[${lines.join("")}\n${indent}]`;
  }
  return text;
}

/** Each on a line of its own, or on more than one. */
export function describeMessages(messages: readonly Message[]): string {
  return messages.map((message) => `${describeMessage(message)}\n`).join("");
}

export function describeReady(ready: Ready): string {
  const { softState, hardState, readStates, entries, snapshot, committedEntries } = ready;
  let text = "";
  if (softState !== null) text += `Lead:${softState.leader} State:${roleName(softState.role)}\n`;
  if (hardState !== null) text += `HardState ${describeHardState(hardState)}\n`;
  if (readStates.length > 0) {
    const states = readStates.map(({ index, context }) => `{${index} ${list(context)}}`);
    text += `ReadStates [${states.join(" ")}]\n`;
  }
  if (entries.length > 0) text += `Entries:\n${describeEntries(entries)}`;
  if (snapshot !== null) text += `Snapshot ${describeSnapshot(snapshot)}\n`;
  if (committedEntries.length > 0) {
    text += `CommittedEntries:\n${describeEntries(committedEntries)}`;
  }
  if (ready.messages.length > 0) text += `Messages:\n${describeMessages(ready.messages)}`;
  return text === "" ? "<empty Ready>" : `Ready MustSync=${ready.mustSync}:\n${text}`;
}
