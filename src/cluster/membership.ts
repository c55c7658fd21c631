/**
 * Who belongs to the cluster: the leader's side of it. New nodes are learners; a voter is made of one
 * that has caught up; what would leave the cluster without a quorum is refused. One change at a time.
 */
import type { Logger } from "../base/logger.ts";
import { printable } from "../base/logger.ts";
import { CallFailed } from "../peers/calls.ts";
import { MAX_MEMBERS } from "../peers/protocol.ts";
import { shaped } from "../peers/shapes.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { Address } from "../platform/net.ts";
import type { ConfChangeStep } from "../raft/conf-change.ts";
import type { ConfState } from "../raft/types.ts";
import type { History } from "./cluster-settings.ts";
import { findMember } from "./find-member.ts";
import type { Place } from "./formation.ts";
import type { HandOver } from "./hand-over.ts";
import { encodeContext } from "./member-context.ts";
import { type Announcement, isVoter, type Member, parseAddress } from "./members.ts";
import type { NodeCore } from "./node-core.ts";
import { OperationError } from "./operations.ts";
import type { GeoPolicies } from "./policies.ts";
import { hasHistory, isCaughtUp, lacksEntries } from "./readiness.ts";
import { announcement } from "./shapes.ts";

const JOIN_MS = 60_000;
const LOOK_MS = 50;

export interface MembershipParts {
  readonly core: NodeCore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connected: (raftId: number) => boolean;
  /** Asks it now: a link outlives by seconds the node behind it. */
  readonly answers: (raftId: number) => Promise<boolean>;
  /** One question to a node that is no member. */
  readonly ask: (
    address: Address,
    method: string,
    args: unknown,
    timeoutMs: number,
  ) => Promise<unknown>;
  /** Where the others reach this node. */
  readonly ownPeer: string;
  readonly handOver: HandOver;
  readonly policies: GeoPolicies;
}

export class Membership {
  readonly #parts: MembershipParts;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  get #conf(): ConfState {
    return this.#parts.core.state.conf;
  }
  get #ownId(): number {
    return this.#parts.core.log.identity.raftId;
  }

  /** One after the other: the core takes a change only when the one before is applied. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.catch(() => {}).then(work);
    this.#last = mine;
    return mine;
  }

  /** A fresh node wants to belong: it becomes a learner. Asked again it gets the same answer. */
  join(joins: Announcement, history: History): Promise<Place> {
    return this.#alone(async () => {
      const { core, logger } = this.#parts;
      const { state } = core;
      let member = [...state.members.values()].find((one) => one.diskUuid === joins.diskUuid);
      if (member === undefined) {
        const named = [...state.members.values()].find((one) => one.name === joins.name);
        if (named !== undefined) {
          logger.warn(
            "A node joins under the name of a member whose disk is another: the old member stays until it is removed",
            { name: joins.name, old: named.id },
          );
        }
        if (state.members.size >= MAX_MEMBERS)
          throw new OperationError(
            "conflict",
            `The cluster has ${state.members.size} members, which is the most`,
            "remove those that are gone for good: binraft member remove",
          );
        const { file, files } = state.stream;
        const startsAt = history === "from-now" && file !== files[0] ? file!.startEntry : 0;
        member = {
          ...joins,
          id: state.highestId + 1,
          server: "running",
          ...(startsAt > 0 ? { startsAt } : {}),
        };
        await this.#change([{ type: "add-learner", id: member.id }], member);
        logger.info("A node joined as a learner", {
          id: member.id,
          name: member.name,
          region: member.region,
        });
      }
      const { clusterId, foundedMs } = core.log.identity;
      return {
        identity: { raftId: member.id, clusterId, diskUuid: member.diskUuid, foundedMs },
        first: state.first,
        startsAt: member.startsAt ?? 0,
        peers: [...state.members.values()].map(({ peer }) => peer),
      };
    });
  }

  /** Invites the fresh node at an address; resolves with its id once it has joined. */
  async add(peerAddress: string): Promise<number> {
    const { ask, core, clock, ownPeer } = this.#parts;
    const address = parseAddress(peerAddress);
    if (address === null)
      throw new OperationError("invalid", `"${printable(peerAddress, 64)}" is no HOST:PORT`);
    let invited: Announcement;
    try {
      const told = await ask(address, "invite", { address: ownPeer }, 5_000);
      invited = shaped(announcement, told, "announcement");
    } catch (error) {
      const text = printable((error as Error).message, 256);
      const isMember = error instanceof CallFailed && error.kind === "invalid";
      throw isMember
        ? new OperationError("conflict", `The node at ${peerAddress} is of a cluster already`)
        : new OperationError(
            "unavailable",
            `The node at ${peerAddress} cannot be invited: ${text}`,
            "start it with [cluster] secret_file or tls_cert as on this node, and an empty data directory",
          );
    }
    const deadline = clock.mono() + JOIN_MS;
    for (;;) {
      for (const member of core.state.members.values()) {
        if (member.diskUuid === invited.diskUuid) return member.id;
      }
      if (clock.mono() > deadline)
        throw new OperationError(
          "unavailable",
          `The node at ${peerAddress} was invited and has not joined yet`,
        );
      await delay(clock, LOOK_MS);
    }
  }

  find(given: string): Member {
    return findMember([...this.#parts.core.state.members.values()], given);
  }

  promote(given: string): Promise<number> {
    return this.#alone(async () => {
      const member = this.find(given);
      if (isVoter(this.#conf, member.id)) return member.id;
      this.#mustBeCaughtUp(member);
      this.#mustHaveHistory(member);
      const voters = [...this.#conf.voters, member.id];
      this.#mustSpread(voters, `promoting "${member.name}"`);
      await this.#mustKeepQuorum(voters, `promoting "${member.name}"`);
      await this.#change([{ type: "add-node", id: member.id }], null);
      return member.id;
    });
  }

  demote(given: string): Promise<number> {
    return this.#alone(async () => {
      const member = this.find(given);
      if (!isVoter(this.#conf, member.id)) return member.id;
      await this.#mustKeepQuorum(this.#without(member.id), `demoting "${member.name}"`);
      await this.#handOver(member.id);
      await this.#change([{ type: "add-learner", id: member.id }], null);
      return member.id;
    });
  }

  remove(given: string): Promise<void> {
    return this.#alone(async () => {
      const member = this.find(given);
      if (isVoter(this.#conf, member.id)) {
        await this.#mustKeepQuorum(this.#without(member.id), `removing "${member.name}"`);
        await this.#handOver(member.id);
      }
      await this.#change([{ type: "remove-node", id: member.id }], null);
    });
  }

  replace(old: string, fresh: string): Promise<number> {
    return this.#alone(async () => {
      const [goes, comes] = [this.find(old), this.find(fresh)];
      if (goes.id === comes.id)
        throw new OperationError("invalid", "A member cannot replace itself");
      this.#mustBeCaughtUp(comes);
      if (isVoter(this.#conf, goes.id)) this.#mustHaveHistory(comes);
      const voters = [...this.#without(goes.id), comes.id];
      const what = `replacing "${goes.name}" by "${comes.name}"`;
      this.#mustSpread(voters, what);
      await this.#mustKeepQuorum(voters, what);
      await this.#handOver(goes.id);
      await this.#change(
        [
          { type: "remove-node", id: goes.id },
          { type: "add-node", id: comes.id },
        ],
        null,
      );
      return comes.id;
    });
  }

  /** To the voters of a plan, in one step: who goes on as a learner can come back. */
  arrange(promote: readonly number[], demote: readonly number[]): Promise<void> {
    return this.#alone(async () => {
      const { voters } = this.#conf;
      const comes = promote.filter((id) => !voters.includes(id));
      const goes = demote.filter((id) => voters.includes(id));
      if (comes.length + goes.length === 0) return;
      for (const id of comes) {
        const member = this.find(String(id));
        this.#mustBeCaughtUp(member);
        this.#mustHaveHistory(member);
      }
      const after = [...voters.filter((id) => !goes.includes(id)), ...comes];
      await this.#mustKeepQuorum(after, "this plan");
      if (goes.includes(this.#ownId)) await this.#handOver(this.#ownId);
      await this.#change(
        [
          ...comes.map((id) => ({ type: "add-node", id }) as const),
          ...goes.map((id) => ({ type: "add-learner", id }) as const),
        ],
        null,
      );
    });
  }

  /** A region that has a quorum by itself takes all others with it when it is lost. */
  #mustSpread(voters: readonly number[], what: string): void {
    const { policies, core } = this.#parts;
    const { members } = core.state;
    const regionOf = (id: number): string => members.get(id)?.region ?? "";
    const regions = [...members.keys()].map(regionOf);
    if (new Set(regions).size < 3) return;
    const before = policies.quorumRegions(this.#conf.voters.map(regionOf));
    const after = policies.quorumRegions(voters.map(regionOf));
    const fresh = after.find((region) => !before.includes(region));
    if (fresh === undefined) return;
    throw new OperationError(
      "conflict",
      `After ${what} region ${fresh} would have a quorum by itself: losing it would stop commits`,
      "binraft cluster placement shows which members should vote",
    );
  }

  /** A leader that is to lose its vote lets another lead first; the caller asks that one again. */
  async #handOver(goes: number): Promise<void> {
    if (goes !== this.#ownId) return;
    const { name } = this.find(String(goes));
    if (!(await this.#parts.handOver.leave()))
      throw new OperationError(
        "conflict",
        `"${name}" leads and nobody can take over`,
        "binraft member list",
      );
    throw new CallFailed("not-leading", "Leadership was handed over");
  }

  #without(id: number): number[] {
    return this.#conf.voters.filter((voter) => voter !== id);
  }

  async #mustKeepQuorum(voters: readonly number[], what: string): Promise<void> {
    if (voters.length === 0)
      throw new OperationError(
        "conflict",
        `After ${what} there would be no voter`,
        "binraft member promote another first",
      );
    const quorum = Math.floor(voters.length / 2) + 1;
    const answers = voters.map((id) => id === this.#ownId || this.#parts.answers(id));
    const heard = (await Promise.all(answers)).filter((answer) => answer);
    if (heard.length >= quorum) return;
    throw new OperationError(
      "conflict",
      `After ${what} ${quorum} of ${voters.length} voters are needed, and ${heard.length} are heard of now`,
      "bring back the others first, or remove those that are gone for good",
    );
  }

  #mustBeCaughtUp(member: Member): void {
    const { core } = this.#parts;
    if (isCaughtUp(core, member.id)) return;
    const lacks = lacksEntries(core, member.id);
    throw new OperationError(
      "conflict",
      `"${member.name}" is not caught up: it lacks ${lacks} entries`,
      "wait; binraft member list shows how far it is",
    );
  }

  /** A voter may come to lead, and then serves what others lack. */
  #mustHaveHistory(member: Member): void {
    const { core } = this.#parts;
    if (hasHistory(core, member)) return;
    const oldest = core.state.stream.files[0]!;
    throw new OperationError(
      "conflict",
      `"${member.name}" joined from now and lacks files from "${oldest.name}" on`,
      "wait until they are purged, or let a node join with cluster.history = all",
    );
  }

  async #change(changes: readonly ConfChangeStep[], member: Member | null): Promise<void> {
    const { core, clock } = this.#parts;
    if (this.#conf.votersOutgoing.length > 0)
      throw new OperationError(
        "conflict",
        "A change of the members is under way",
        "try again in a moment",
      );
    const transition = changes.length > 1 ? "implicit" : "auto";
    await core.driver.changeMembers({ transition, changes, context: encodeContext(member) });
    const deadline = clock.mono() + JOIN_MS;
    while (this.#conf.votersOutgoing.length > 0 && clock.mono() < deadline)
      await delay(clock, LOOK_MS);
    // The core blanks a change that comes while another one is not applied.
    for (const { type, id } of changes) {
      const { voters, learners } = this.#conf;
      const has =
        type === "add-node" ? voters.includes(id) : type === "add-learner" && learners.includes(id);
      const gone = type === "remove-node" && !voters.includes(id) && !learners.includes(id);
      if (!has && !gone)
        throw new OperationError(
          "conflict",
          "Another change of the members came first",
          "try again",
        );
    }
  }
}
