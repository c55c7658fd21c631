/** The active configuration, the progress of everybody in it, and the votes of an election. */

import type { Progress } from "./progress.ts";
import {
  ascending,
  type JointConfig,
  jointCommitted,
  jointIds,
  jointVote,
  type VoteResult,
} from "./quorum.ts";
import type { ConfState } from "./types.ts";

/** Invariant: learners and learnersNext have no voter of `incoming`; learnersNext ⊆ `outgoing`. */
export interface Config {
  readonly voters: JointConfig;
  readonly autoLeave: boolean;
  /** Ascending. */
  readonly learners: readonly number[];
  /** Voters of the outgoing half that become learners when it is left. */
  readonly learnersNext: readonly number[];
}

export const EMPTY_CONFIG: Config = {
  voters: { incoming: [], outgoing: [] },
  autoLeave: false,
  learners: [],
  learnersNext: [],
};

export function isJoint(config: Config): boolean {
  return config.voters.outgoing.length > 0;
}

export class Tracker {
  config: Config = EMPTY_CONFIG;
  progress: Map<number, Progress> = new Map();
  readonly #votes = new Map<number, boolean>();

  confState(): ConfState {
    const { voters, learners, learnersNext, autoLeave } = this.config;
    return {
      voters: voters.incoming,
      votersOutgoing: voters.outgoing,
      learners,
      learnersNext,
      autoLeave,
    };
  }

  /** A cluster of one commits what its own disk has. */
  isSingleton(): boolean {
    const { incoming, outgoing } = this.config.voters;
    return incoming.length === 1 && outgoing.length === 0;
  }

  committed(): number {
    return jointCommitted(this.config.voters, (id) => this.progress.get(id)?.match ?? 0);
  }

  /** In ascending order of ids: the order of messages is part of the behaviour. */
  visit(fn: (id: number, progress: Progress) => void): void {
    for (const id of ascending(this.progress.keys())) fn(id, this.progress.get(id)!);
  }

  /** Whether a quorum was heard of since this was last reset. */
  quorumActive(): boolean {
    const active = (id: number): boolean | undefined => {
      const progress = this.progress.get(id);
      return progress === undefined || progress.learner ? undefined : progress.recentActive;
    };
    return jointVote(this.config.voters, (id) => active(id) ?? false) === "won";
  }

  voterIds(): number[] {
    return jointIds(this.config.voters);
  }

  learnerIds(): readonly number[] {
    return this.config.learners;
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** The first answer of a node counts. */
  recordVote(id: number, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  tally(): { granted: number; rejected: number; result: VoteResult } {
    let granted = 0;
    let rejected = 0;
    for (const [id, progress] of this.progress) {
      const vote = this.#votes.get(id);
      if (progress.learner || vote === undefined) continue;
      if (vote) granted++;
      else rejected++;
    }
    return { granted, rejected, result: this.voteResult() };
  }

  voteResult(): VoteResult {
    return jointVote(this.config.voters, (id) => this.#votes.get(id));
  }

  /** How the voters among `acks` stand as a vote. */
  ackResult(acks: ReadonlySet<number>): VoteResult {
    return jointVote(this.config.voters, (id) => (acks.has(id) ? true : undefined));
  }
}
