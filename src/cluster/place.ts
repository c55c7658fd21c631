/** The places of nodes in a cluster: of those that form it, and of who asks a node that has one. */
import { EMPTY_CONF_STATE } from "../raft/types.ts";
import type { Identity } from "../storage/manifest.ts";
import type { Introduction, Place } from "./formation.ts";
import type { Announcement, Member } from "./members.ts";
import type { FirstState } from "./node-state.ts";

/** As it comes out of the list of those that form it: each of them finds the same. */
export function placeOf(
  fresh: readonly Announcement[],
  diskUuid: string,
  clusterId: string,
  foundedMs: number,
): Place {
  const sorted = [...fresh].sort(
    (a, b) => compare(a.name, b.name) || compare(a.diskUuid, b.diskUuid),
  );
  const members: Member[] = sorted.map((one, at) => ({ ...one, id: at + 1, server: "running" }));
  const own = members.find((member) => member.diskUuid === diskUuid)!;
  const conf = { ...EMPTY_CONF_STATE, voters: members.map(({ id }) => id) };
  return {
    identity: { raftId: own.id, clusterId, diskUuid, foundedMs },
    first: { conf, members },
    startsAt: 0,
    peers: [],
  };
}

/** The answer of a node that has a place. */
export function introduce(
  first: FirstState,
  { clusterId, foundedMs }: Pick<Identity, "clusterId" | "foundedMs">,
  diskUuid: string,
  leader: string,
): Introduction {
  const member = first.members.find((one) => one.diskUuid === diskUuid);
  const place =
    member === undefined
      ? null
      : {
          identity: { raftId: member.id, clusterId, diskUuid, foundedMs },
          first,
          startsAt: 0,
          peers: [],
        };
  return { clusterId, leader, place };
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
