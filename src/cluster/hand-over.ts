/**
 * Another node is to lead: by an operator's wish, by its place, or since this one goes. Whom nobody
 * would elect is not tried: before anything changes the voters are asked (a mock election), for a
 * transfer that fails stops commits for an election time-out.
 */
import { type Clock, delay } from "../platform/clock.ts";
import { findMember } from "./find-member.ts";
import type { Member } from "./members.ts";
import type { MockElection } from "./mock-election.ts";
import type { NodeCore } from "./node-core.ts";
import { OperationError } from "./operations.ts";

const LOOK_MS = 50;

export interface HandOverParts {
  readonly core: NodeCore;
  readonly clock: Clock;
  readonly connected: (raftId: number) => boolean;
  readonly election: MockElection;
}

export class HandOver {
  readonly #parts: HandOverParts;

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  get #ownId(): number {
    return this.#parts.core.log.identity.raftId;
  }
  get #voters(): readonly number[] {
    return this.#parts.core.state.conf.voters;
  }

  /** Resolves with the new leader's id; "" lets this node choose. */
  async transfer(given: string): Promise<number> {
    const { core, connected, election } = this.#parts;
    const target =
      given === "" ? this.#bestSuccessor() : findMember([...core.state.members.values()], given);
    if (target === null)
      throw new OperationError(
        "conflict",
        "There is no other voter that is heard of and caught up",
      );
    if (target.id === this.#ownId) return target.id;
    if (!this.#voters.includes(target.id))
      throw new OperationError(
        "conflict",
        `"${target.name}" has no vote`,
        `binraft member promote ${target.name}`,
      );
    if (!connected(target.id))
      throw new OperationError(
        "conflict",
        `"${target.name}" is not heard of`,
        "binraft member list",
      );
    const refused = await election.of(target.id);
    if (refused !== null)
      throw new OperationError(
        "conflict",
        `"${target.name}" would not be elected: ${refused}`,
        "binraft member list, on that node, shows who is not heard of",
      );
    return this.#transferTo(target);
  }

  async #transferTo(target: Member): Promise<number> {
    const { clock, core } = this.#parts;
    const { consensus } = core.driver;
    consensus.transferLeader(target.id);
    const deadline = clock.mono() + 2 * consensus.electionMs;
    while (consensus.node.leader !== target.id) {
      if (clock.mono() > deadline)
        throw new OperationError(
          "unavailable",
          `"${target.name}" did not take over in time`,
          "try again",
        );
      await delay(clock, LOOK_MS);
    }
    return target.id;
  }

  /** On the way out: true when another node leads. There is nothing to lose by trying. */
  async leave(): Promise<boolean> {
    const successor = this.#bestSuccessor();
    if (!this.#parts.core.driver.leads || successor === null) return false;
    return this.#transferTo(successor).then(
      () => true,
      () => false,
    );
  }

  /** The voter that is heard of and has most of the log. */
  #bestSuccessor(): Member | null {
    const { core, connected } = this.#parts;
    const { progress } = core.driver.consensus.node.raft.tracker;
    let best: Member | null = null;
    let match = -1;
    for (const id of this.#voters) {
      const has = progress.get(id)?.match ?? 0;
      if (id === this.#ownId || !connected(id) || has <= match) continue;
      best = core.state.members.get(id) ?? best;
      match = has;
    }
    return best;
  }
}
