/**
 * The shapes of what nodes tell each other and keep: announcements, places, statuses (contract:
 * peers/protocol.ts). Checked where a value comes in, before anything acts on it or proposes it.
 */
import { z } from "zod";
import { confTrouble } from "../peers/message-check.ts";
import { MAX_MEMBERS, MAX_RAFT_ID } from "../peers/protocol.ts";
import { foundedMs, index, plainText, raftId, term, times, whole } from "../peers/shapes.ts";
import type { ConfState } from "../raft/types.ts";
import type { FreshView, Introduction, Place } from "./formation.ts";
import type { HeadQuestion, Piece } from "./head.ts";
import { type Announcement, type Member, parseAddress } from "./members.ts";
import type { FirstState } from "./node-state.ts";
import type { PeerStatus } from "./peer-host.ts";

const memberId = whole(MAX_RAFT_ID).refine((id) => id > 0);
/** Of a disk, or of a cluster. */
export const uuid: z.ZodType<string> = z.string().regex(/^[0-9a-f]{32}$/);
export const regionName: z.ZodType<string> = plainText(64);
export const running: z.ZodType<"running" | "stopped"> = z.enum(["running", "stopped"]);
const place = plainText(300);
/** "host:port" where the others reach a node. */
export const peerAddress: z.ZodType<string> = place.refine((text) => parseAddress(text) !== null);

/** Also of a member that has not announced itself: of that nothing is known. */
const known = {
  name: plainText(255).refine((name) => name !== ""),
  region: regionName,
  mysql: place,
  admin: place,
  version: plainText(64),
  formatVersion: whole(2 ** 16),
};

export const announcement: z.ZodType<Announcement> = z.object({
  ...known,
  diskUuid: uuid,
  peer: peerAddress,
});

export const member: z.ZodType<Member> = z.object({
  ...known,
  id: memberId,
  diskUuid: z.union([uuid, z.literal("")]),
  peer: z.union([peerAddress, z.literal("")]),
  server: running,
  startsAt: index.optional(),
}) as z.ZodType as z.ZodType<Member>;

const ids = z.array(memberId).max(MAX_MEMBERS);

export const confState: z.ZodType<ConfState> = z.object({
  voters: ids,
  learners: ids,
  votersOutgoing: ids,
  learnersNext: ids,
  autoLeave: z.boolean(),
});

/** One by which a cluster can live. */
const wholeConf = confState.refine((conf) => confTrouble(conf) === null);

export const firstState: z.ZodType<FirstState> = z.object({
  conf: wholeConf,
  members: z.array(member).max(4 * MAX_MEMBERS),
});

export const placeShape: z.ZodType<Place> = z.object({
  identity: z.object({ raftId: memberId, clusterId: uuid, diskUuid: uuid, foundedMs }),
  first: firstState,
  startsAt: index,
  peers: z.array(place).max(4 * MAX_MEMBERS),
});

const freshView: z.ZodType<FreshView> = z.object({
  announcement,
  expect: whole(MAX_MEMBERS).nullable(),
  sees: z.array(uuid).max(MAX_MEMBERS),
  sinceMs: whole(2 ** 48),
});

/** What a fresh node says of itself, and may be answered. */
export const freshArgs: z.ZodType<{ readonly fresh: FreshView }> = z.object({ fresh: freshView });
export const introduction: z.ZodType<Introduction> = z.union([
  freshArgs,
  z.object({ clusterId: uuid, leader: place, place: placeShape.nullable() }),
]);
export const inviteArgs: z.ZodType<{ readonly address: string }> = z.object({
  address: peerAddress,
});

export const history: z.ZodType<"all" | "from-now"> = z.enum(["all", "from-now"]);
export interface JoinArgs {
  readonly announcement: Announcement;
  readonly history?: "all" | "from-now" | undefined;
}
export const joinArgs: z.ZodType<JoinArgs> = z.object({
  announcement,
  history: history.optional(),
});

export const headQuestion: z.ZodType<HeadQuestion> = z.object({ startsAt: index, offset: index });
export const piece: z.ZodType<Piece> = z.object({
  index,
  term,
  size: whole(2 ** 32),
  data: z.instanceof(Uint8Array),
});

export interface VouchArgs {
  readonly raftId: number;
  readonly diskUuid: string;
}
export const vouchArgs: z.ZodType<VouchArgs> = z.object({ raftId: memberId, diskUuid: uuid });

const rttMs = z.number().min(0).max(3_600_000);

export const peerStatus: z.ZodType<PeerStatus> = z.object({
  term,
  vote: raftId,
  lastTerm: term,
  lastIndex: index,
  installs: times,
  applied: index,
  full: z.boolean(),
  keptFrom: index,
  // Where no reader needs any, it is the largest number that there is.
  neededFrom: whole(Number.MAX_SAFE_INTEGER),
  hash: z.object({ index, hash: whole(2 ** 32 - 1) }).nullable(),
  rtts: z
    .array(z.tuple([raftId, rttMs, rttMs]))
    .max(MAX_MEMBERS)
    .optional(),
}) as z.ZodType as z.ZodType<PeerStatus>;
