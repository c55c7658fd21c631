/**
 * The messages that carry a Ready's writes to the log's own threads, and their answers.
 *
 * Why the answer to an append names the last entry of the whole unstable log, in the term of now:
 * an entry may be overwritten and written again while the first write is still under way. Only an
 * answer of the newest term speaks for the log as it is; one of an earlier term is ignored, and so
 * every append is answered as long as anything is unstable.
 */
import type { Raft } from "./raft.ts";
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type Entry,
  type Message,
  message,
  type Ready,
} from "./types.ts";

type Writes = Pick<Ready, "entries" | "hardState" | "snapshot">;

export function needsAppend(raft: Raft, ready: Writes): boolean {
  const { entries, hardState, snapshot } = ready;
  return (
    entries.length > 0 ||
    hardState !== null ||
    snapshot !== null ||
    raft.messagesAfterAppend.length > 0
  );
}

export function appendMessage(raft: Raft, ready: Writes): Message {
  const { entries, hardState, snapshot } = ready;
  const response = appendResponse(raft, ready);
  return message("MsgStorageAppend", {
    to: APPEND_THREAD,
    from: raft.id,
    entries,
    ...(hardState ?? {}),
    snapshot,
    responses:
      response === null ? raft.messagesAfterAppend : [...raft.messagesAfterAppend, response],
  });
}

export function appendResponse(raft: Raft, { snapshot }: Writes): Message | null {
  const unstable = raft.log.unstable.entries.length > 0;
  if (!unstable && snapshot === null) return null;
  const last = raft.log.lastId();
  return message("MsgStorageAppendResp", {
    to: raft.id,
    from: APPEND_THREAD,
    term: raft.term,
    snapshot,
    ...(unstable ? { index: last.index, logTerm: last.term } : {}),
  });
}

export function applyMessage(raft: Raft, entries: readonly Entry[]): Message {
  const responses = [applyResponse(raft, entries)];
  return message("MsgStorageApply", { to: APPLY_THREAD, from: raft.id, entries, responses });
}

export function applyResponse(raft: Raft, entries: readonly Entry[]): Message {
  return message("MsgStorageApplyResp", { to: raft.id, from: APPLY_THREAD, entries });
}
