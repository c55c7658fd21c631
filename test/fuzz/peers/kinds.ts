/** Kinds of frames that are played: with their type or their method. */
import type { MessageType } from "../../../src/raft/types.ts";

export const TYPES: readonly MessageType[] = [
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
];
const METHODS = [
  "join",
  "introduce",
  "invite",
  "head",
  "vouch",
  "present",
  "would-lead",
  "operation",
  "nonsense",
];
const PLAIN: readonly string[] = [
  "REFUSE",
  "STATUS",
  "ANSWER",
  "FETCH",
  "ENTRIES",
  "PACKED",
  "HELLO",
];

/** Each must have been sent, or the run has shown nothing about it. */
export const ALL_KINDS: readonly string[] = [
  ...TYPES.map((type) => `RAFT ${type}`),
  ...METHODS.map((method) => `CALL ${method}`),
  ...PLAIN,
];
