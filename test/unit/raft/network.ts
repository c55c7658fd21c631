/** A few members with a network between them that delivers in order, and loses what it is told to. */
import assert from "node:assert/strict";
import { PeerNotFound, ProposalDropped } from "../../../src/raft/errors.ts";
import type { Message } from "../../../src/raft/types.ts";
import { bytes, Member, type MemberSetup, type Options } from "./member.ts";

export interface NetworkSetup {
  readonly options?: Options;
  readonly learners?: readonly number[];
  readonly each?: (id: number) => MemberSetup;
}

export class Network {
  readonly members: Map<number, Member> = new Map();
  /** Everything that was sent, also what got lost. */
  sent: Message[] = [];
  #queue: Message[] = [];
  readonly #voters: readonly number[];
  readonly #learners: readonly number[];
  readonly #filters: ((m: Message) => boolean)[] = [];

  constructor(voters: readonly number[], setup: NetworkSetup = {}) {
    const { learners = [], options = {}, each = (): MemberSetup => ({}) } = setup;
    this.#voters = voters;
    this.#learners = learners;
    for (const id of [...voters, ...learners]) {
      const own = each(id);
      const all = { learners, ...own, options: { ...options, ...own.options } };
      this.members.set(id, new Member(id, voters, all));
    }
  }

  /** A node with an empty log that starts from the first configuration and is not in it. */
  join(id: number, options: Options = {}): Member {
    const member = new Member(id, this.#voters, { options, learners: this.#learners });
    this.members.set(id, member);
    return member;
  }

  at(id: number): Member {
    const member = this.members.get(id);
    assert.ok(member !== undefined, `there is a member ${id}`);
    return member;
  }

  /** Loses the messages for which `lost` holds. */
  drop(lost: (m: Message) => boolean): void {
    this.#filters.push(lost);
  }

  isolate(...ids: number[]): void {
    this.drop((m) => ids.includes(m.from) || ids.includes(m.to));
  }

  heal(): void {
    this.#filters.length = 0;
  }

  /** Takes what is to be sent now, without delivering it. */
  gather(): void {
    for (const member of this.members.values()) {
      for (const m of member.drain()) {
        this.sent.push(m);
        if (!this.#filters.some((lost) => lost(m))) this.#queue.push(m);
      }
    }
  }

  /** Delivers until nothing is under way. */
  settle(): void {
    this.gather();
    for (let rounds = 0; this.#queue.length > 0; rounds++) {
      assert.ok(rounds < 10_000, "the network comes to rest");
      const [next, ...rest] = this.#queue;
      this.#queue = rest;
      this.deliver(next!);
      this.gather();
    }
  }

  /** A copy may be delivered again, or late. */
  deliver(m: Message): void {
    try {
      this.members.get(m.to)?.node.step(m);
    } catch (error) {
      if (!(error instanceof ProposalDropped || error instanceof PeerNotFound)) throw error;
    }
  }

  tick(count = 1): void {
    for (let i = 0; i < count; i++) {
      for (const member of this.members.values()) member.node.tick();
      this.settle();
    }
  }

  campaign(id: number): void {
    this.at(id).node.campaign();
    this.settle();
  }

  elect(id: number): void {
    this.campaign(id);
    assert.equal(this.at(id).node.role, "leader", `${id} leads`);
  }

  propose(id: number, ...payloads: string[]): void {
    for (const payload of payloads) this.at(id).node.propose(bytes(payload));
    this.settle();
  }

  roles(): string {
    return [...this.members.values()].map(({ node }) => node.role).join(" ");
  }

  leaders(): number[] {
    return [...this.members.values()].filter(({ node }) => node.role === "leader").map((m) => m.id);
  }

  commits(): number[] {
    return [...this.members.values()].map(({ node }) => node.commit);
  }
}
