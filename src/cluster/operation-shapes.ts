/**
 * What the leader takes as the arguments of an operation that another node sends on, by its name; and what
 * the leader's answer may be where the asking node acts on it.
 */
import { z } from "zod";
import { plainText, raftId, whole } from "../peers/shapes.ts";
import {
  accountName,
  accountSettings,
  fileName,
  metCluster,
  placementChange,
  retention,
  sourceChange,
} from "./command-shapes.ts";
import { announcement, history, peerAddress, placeShape, running } from "./shapes.ts";

/** An id or a name. */
const member = plainText(255);
const confirm = plainText(255);
const memberId = whole(2 ** 32 - 1).refine((id) => id > 0);
const nothing = z.tuple([]);

export const OPERATION_ARGS: Readonly<Record<string, z.ZodType<readonly unknown[]>>> = {
  addMember: z.tuple([peerAddress]),
  promoteMember: z.tuple([member]),
  demoteMember: z.tuple([member]),
  removeMember: z.tuple([member]),
  replaceMember: z.tuple([member, member]),
  transferLeader: z.tuple([member]),
  placement: nothing,
  setPlacement: z.tuple([placementChange]),
  applyPlacement: nothing,
  join: z.tuple([announcement, history]),
  metCluster: z.tuple([metCluster]),
  announce: z.tuple([memberId, announcement]),
  purge: z.tuple([fileName, z.boolean()]),
  setSource: z.tuple([sourceChange]),
  startSyncer: nothing,
  stopSyncer: nothing,
  syncer: nothing,
  timeline: nothing,
  checkSource: nothing,
  // What is wrong with the text the operator is told in words.
  acceptGap: z.tuple([z.string().max(8 * 1024 * 1024), confirm]),
  acceptUnproved: z.tuple([confirm]),
  newTimeline: z.tuple([confirm]),
  setAccount: z.tuple([accountName, accountSettings]),
  removeAccount: z.tuple([z.string().max(256)]),
  setRetention: z.tuple([retention]),
  setServer: z.tuple([memberId, running]),
};

/** Of those that are not here the answer is only shown, and cut to its declared fields by the API. */
export const OPERATION_ANSWERS: Readonly<Record<string, z.ZodType>> = {
  addMember: raftId,
  promoteMember: raftId,
  demoteMember: raftId,
  replaceMember: raftId,
  transferLeader: raftId,
  join: placeShape,
  timeline: whole(Number.MAX_SAFE_INTEGER),
  purge: z.array(fileName),
};
