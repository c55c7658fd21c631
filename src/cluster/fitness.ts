/**
 * What a node's own disk and log allow it in elections.
 *
 * - While an entry that changes the members is lost and not applied, who votes is not known: it neither
 *   votes nor leads, the only voter included.
 * - While terms inside its log are lost it does not lead others: it could not say what they must match.
 * - Whose write hangs, or who waits for space with entries of the leader, does not lead.
 * - Whose log is damaged or whose disk is full lets all others try first. If nobody else leads, it does:
 *   others may be worse off, and only a leader can purge.
 */
import type { RawNode } from "../raft/raw-node.ts";
import type { DurableLog } from "../storage/log.ts";

/** So many election time-outs pass before a node with a damaged log or a full disk tries to lead. */
const LAST_RESORT_ELECTIONS = 6;

export class Fitness {
  readonly #log: DurableLog;
  readonly #node: RawNode;
  #wasFull = false;

  constructor(log: DurableLog, node: RawNode) {
    this.#log = log;
    this.#node = node;
  }

  /** An entry that changes the members is lost here, until a repair. */
  get membershipIsLost(): boolean {
    const { applied } = this.#node.raft.log;
    return this.#log.damage.some(({ fromIndex, toIndex }) =>
      this.#log.hasConfChange(Math.max(fromIndex, applied + 1), toIndex + 1),
    );
  }

  /** `stuck`: the disk hangs, or entries wait for space. `electionTicks`: of one election time-out. */
  mayLead(stuck: boolean, cannotApply: boolean, electionTicks: number): boolean {
    if (this.membershipIsLost) return false;
    if (this.#node.isOnlyVoter) return true;
    if (stuck || cannotApply || this.#log.lacksTerms) return false;
    const lastResortTicks = LAST_RESORT_ELECTIONS * electionTicks;
    const isFirst = this.#node.role !== "leader" && this.#node.leaderlessTicks < lastResortTicks;
    return (this.#log.damage.length === 0 && !this.#log.full) || !isFirst;
  }

  /** Whether the disk was found full, or with space again, since this was asked last. */
  spaceChange(): "full" | "space" | null {
    const { full } = this.#log;
    if (full === this.#wasFull) return null;
    this.#wasFull = full;
    return full ? "full" : "space";
  }
}
