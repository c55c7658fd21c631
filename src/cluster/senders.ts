/**
 * Whose Raft messages and statuses this node takes (contract: peers/protocol.ts, 6).
 *
 *   member    in the configuration that was applied or came with a snapshot, or named by an entry that a
 *             member sent
 *   unknown   its id is above all that were given, as far as this node knows: it came while this node was
 *             away, or it is nobody. It is a member once a member vouches for it and its disk; or when
 *             no leader was heard for some election time-outs: whoever leads may be one of these
 *   nobody    was a member, and is none any more
 *
 * Safety does not rest on it: it keeps strangers out, and what a stranger could do the bounds of
 * message-edge.ts limit. Liveness does: a node that is behind must get its log from members that it
 * does not know yet, also when all that it knows are gone.
 */
import type { Peers } from "../peers/peers.ts";
import type { Clock } from "../platform/clock.ts";
import { type ConfChange, decodeConfChange, isConfChange } from "../raft/conf-change.ts";
import type { Message } from "../raft/types.ts";
import { memberOf } from "./member-context.ts";
import type { Member } from "./members.ts";
import type { NodeCore } from "./node-core.ts";

/** Without a leader. By then those that this node knows would have elected one. */
export const PATIENCE_ELECTIONS = 4;
const ASK_EVERY_MS = 200;
/** Of members that are asked at a time. */
const MAX_ASKED = 8;
const MAX_NAMED = 64;

export interface SendersParts {
  readonly clock: Clock;
  readonly members: () => ReadonlyMap<number, Member>;
  /** The core's own: after a snapshot it knows before what is applied. */
  readonly isInCore: (raftId: number) => boolean;
  readonly highestId: () => number;
  /** Milliseconds; since its start when none was heard. */
  readonly leaderSilentMs: () => number;
  readonly electionMs: () => number;
  /** Linked now. */
  readonly linked: () => readonly number[];
  /** Asks a member whether that is one. */
  readonly vouch: (member: number, raftId: number, diskUuid: string) => Promise<boolean>;
}

export class Senders {
  readonly #parts: SendersParts;
  /** Ids that entries named which are not applied yet. */
  readonly #named = new Set<number>();
  /** Ids for which a member vouched, or which nobody contradicted in time; with their disks. */
  readonly #vouched = new Map<number, string>();
  readonly #askedMs = new Map<number, number>();

  constructor(parts: SendersParts) {
    this.#parts = parts;
  }

  isMember(raftId: number): boolean {
    const { members, isInCore } = this.#parts;
    return members().has(raftId) || isInCore(raftId);
  }

  /** Whether what it says counts. `diskUuid` is its own word. */
  counts(raftId: number, diskUuid: string): boolean {
    if (this.isMember(raftId) || this.#named.has(raftId)) return true;
    if (raftId <= this.#parts.highestId()) return false;
    if (this.#vouched.get(raftId) === diskUuid) return true;
    this.#ask(raftId, diskUuid);
    const { leaderSilentMs, electionMs } = this.#parts;
    if (leaderSilentMs() <= PATIENCE_ELECTIONS * electionMs()) return false;
    // From now on, or its first message would be the last: with that a leader was heard.
    this.#admit(raftId, diskUuid);
    return true;
  }

  #admit(raftId: number, diskUuid: string): void {
    if (this.#vouched.size < MAX_NAMED) this.#vouched.set(raftId, diskUuid);
  }

  /** Entries of somebody who counts, on their way to the log. */
  note(message: Message): void {
    for (const { type, data } of message.entries) {
      if (!isConfChange(type)) continue;
      const change = changeOf(data);
      if (change === null) continue;
      const ids = change.changes.map(({ id }) => id);
      for (const id of [...ids, memberOf(change)?.id ?? 0])
        if (id > this.#parts.highestId() && this.#named.size < MAX_NAMED) this.#named.add(id);
    }
  }

  /** What is applied says who belongs. */
  membersChanged(): void {
    const highest = this.#parts.highestId();
    for (const id of this.#named) if (id <= highest) this.#named.delete(id);
    for (const id of this.#vouched.keys()) if (id <= highest) this.#vouched.delete(id);
  }

  #ask(raftId: number, diskUuid: string): void {
    const { clock, linked, vouch } = this.#parts;
    const now = clock.mono();
    if (now - (this.#askedMs.get(raftId) ?? Number.NEGATIVE_INFINITY) < ASK_EVERY_MS) return;
    if (this.#askedMs.size >= MAX_NAMED) this.#askedMs.clear();
    this.#askedMs.set(raftId, now);
    const asked = linked().filter((id) => this.isMember(id) || this.#vouched.has(id));
    for (const id of asked.slice(0, MAX_ASKED)) {
      if (id === raftId) continue;
      vouch(id, raftId, diskUuid).then(
        (isOne) => {
          if (isOne) this.#admit(raftId, diskUuid);
        },
        () => {},
      );
    }
  }
}

/** Of a node that runs. */
export function sendersOf({ state, driver }: NodeCore, peers: Peers, clock: Clock): Senders {
  const { consensus } = driver;
  const startedMs = clock.mono();
  return new Senders({
    clock,
    members: () => state.members,
    isInCore: (id) => consensus.node.raft.tracker.progress.has(id),
    highestId: () => state.highestId,
    leaderSilentMs: () => consensus.leaderSilentMs ?? clock.mono() - startedMs,
    electionMs: () => consensus.electionMs,
    linked: () => peers.connected(),
    vouch: async (id, raftId, diskUuid) =>
      (await peers.call(id, "vouch", { raftId, diskUuid }, consensus.electionMs)) === true,
  });
}

/** What cannot be read names nobody; what it is apply says. */
function changeOf(data: Uint8Array): ConfChange | null {
  try {
    return decodeConfChange(data);
  } catch {
    return null;
  }
}
