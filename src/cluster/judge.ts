/** Whether a node may speak as the member that it says it is (pure). */
import type { Hello, Refusal } from "../peers/protocol.ts";
import type { Member } from "./members.ts";
import { isBefore, type Remembered } from "./peer-memory.ts";

export interface Judges {
  readonly own: {
    readonly clusterId: string;
    readonly foundedMs: number | null;
    readonly diskUuid: string;
    readonly nonce: string;
  };
  readonly members: ReadonlyMap<number, Member>;
  /** The highest id that was ever given. */
  readonly highestId: number;
  readonly remembered: (diskUuid: string) => Remembered | null;
  /**
   * While this node leads: its term, and the last entry that the member acknowledged to it. That is newer
   * than what is remembered, which is told once a second. Null while it does not lead.
   */
  readonly acknowledged: (
    raftId: number,
  ) => { readonly term: number; readonly index: number } | null;
}

const REJOIN =
  "stop it, move its data directory away and start it with an empty one: it joins as a new learner; " +
  "then promote that and remove the old member";

/** Null: it may. The sentence is for the operator of the node that is refused. */
export function judge(
  hello: Hello,
  { own, members, highestId, remembered, acknowledged }: Judges,
): Refusal | null {
  const who = `Node ${hello.raftId} ("${hello.name}", disk ${hello.diskUuid})`;
  if (hello.clusterId !== own.clusterId) {
    const { clusterId, foundedMs } = own;
    return {
      code: "other-cluster",
      message:
        `${who} is of cluster ${hello.clusterId}, this is cluster ${clusterId}: check its cluster.join, or ` +
        "empty its directory if it is to join this one",
      cluster: { clusterId, foundedMs },
    };
  }
  if (hello.nonce === own.nonce) return refusal("unknown", "This node has called itself");
  if (hello.diskUuid === own.diskUuid) {
    return refusal(
      "clone",
      `${who} has the disk of the node that it calls: it is a copy; ${REJOIN}`,
    );
  }
  const member = members.get(hello.raftId);
  if (member === undefined) {
    // With a higher id it came when we were away, or while we catch up: the log, or a member, will tell
    // us (senders.ts). It may have a disk that was a member's under another id (refound.ts).
    if (hello.raftId > highestId) return null;
    return refusal("removed", `${who} was removed from the cluster; to use it again ${REJOIN}`);
  }
  if (member.diskUuid !== hello.diskUuid) {
    return refusal(
      "other-disk",
      `${who} is not the member of that id, whose disk is ${member.diskUuid}; ${REJOIN}`,
    );
  }
  const known = remembered(hello.diskUuid);
  if (known === null) return null;
  if (hello.boots < known.boots || (hello.boots === known.boots && hello.nonce !== known.nonce)) {
    return refusal(
      "clone",
      `${who} says that it is start ${hello.boots} of this disk, and start ${known.boots} was seen: its ` +
        `disk was restored, or copied; ${REJOIN}`,
    );
  }
  // Let in before: since then it has grown. What it said on this link may be older than what came over another.
  if (hello.nonce === known.nonce) return null;
  // A later term may have cut it since.
  const had = acknowledged(hello.raftId);
  if (had !== null && hello.term <= had.term && hello.lastIndex < had.index) {
    return refusal(
      "reverted",
      `${who} shows a log up to entry ${hello.lastIndex}, and had acknowledged entry ${had.index}: its disk ` +
        `was restored from a copy, or lost what it had acknowledged; ${REJOIN}`,
    );
  }
  if (hello.term < known.term || forgotVote(hello, known)) {
    return refusal(
      "reverted",
      `${who} shows term ${hello.term} and had been in term ${known.term}, or shows another vote than it had ` +
        `given: its disk was restored from a copy; ${REJOIN}`,
    );
  }
  if (isBefore(hello, known)) {
    return refusal(
      "reverted",
      `${who} shows a log up to entry ${hello.lastIndex} of term ${hello.lastTerm}, and had ${known.lastIndex} ` +
        `of term ${known.lastTerm}: its disk was restored from a copy, or lost what it had acknowledged; ${REJOIN}`,
    );
  }
  return null;
}

function forgotVote(hello: Hello, known: Remembered): boolean {
  return hello.term === known.term && known.vote !== 0 && hello.vote !== known.vote;
}

function refusal(code: Refusal["code"], message: string): Refusal {
  return { code, message };
}
