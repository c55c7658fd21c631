/**
 * The Raft core of one node at work: its ticks, its writes, its messages (contract: raft/types.ts,
 * asynchronous storage writes).
 *
 * Invariants
 * 1. No message of a term leaves before the hard state with that term and vote is durable. A
 *    pre-vote and its answer claim nothing and may.
 * 2. Acknowledgements leave when what they speak of is durable; a leader's appends leave before its
 *    own write.
 * 3. Ticks and messages never wait for the disk. Who may vote and lead with a disk that hangs, is full or
 *    is damaged, says fitness.ts; a leader that may not, or whose disk becomes full, steps down if there
 *    is another voter.
 * 4. What a call of the core makes it say is sent in the same turn: payloads lie in buffers used again.
 * 5. A node that was fenced (its disk is not what it had promised, or it was removed) takes no part
 *    any more: it neither votes nor acknowledges nor campaigns.
 */
import type { Logger } from "../base/logger.ts";
import { type Service, Wakeup } from "../base/service.ts";
import type { Cancel, Clock } from "../platform/clock.ts";
import type { ConfChange } from "../raft/conf-change.ts";
import { isRefusal, ProposalDropped } from "../raft/errors.ts";
import type { RawNode } from "../raft/raw-node.ts";
import { APPEND_THREAD, type ConfState, type Message, type Snapshot } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";
import { madeOf } from "./applied-change.ts";
import type { ConsensusParts, RaftTiming } from "./consensus-parts.ts";
import { Fitness } from "./fitness.ts";
import { LeaderHistory } from "./leader-history.ts";
import type { PeerLinks } from "./links.ts";
import { LogWriter } from "./log-writer.ts";
import { PeerReads } from "./peer-reads.ts";
import { forReceiver, hasSnapshot } from "./peer-snapshot.ts";
import type { LogStorage } from "./raft-storage.ts";
import { ReadBarriers } from "./read-barriers.ts";

/** Of messages that wait for their term to be durable; Raft stands the loss of the rest. */
const MAX_HELD = 256;

export class Consensus implements Service {
  readonly node: RawNode;
  readonly #log: DurableLog;
  readonly #storage: LogStorage;
  readonly #links: PeerLinks;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timing: RaftTiming;
  readonly #writer: LogWriter;
  readonly #reads: PeerReads;
  readonly #barriers: ReadBarriers;
  readonly fitness: Fitness;
  #held: Message[] = [];
  #fail: (error: Error) => void = () => {};
  #failure: Error | null = null;
  #lastAppliable = 0;
  #wasLeading = false;
  /** Why this node takes no part. */
  fenced: string | null = null;
  onFenced: () => void = () => {};
  /** Set by who applies: a snapshot took the place of the log. */
  onInstalled: (snapshot: Snapshot) => void = () => {};
  /** What must be applied is lost on this disk. */
  cannotApply = false;
  /** The entry with which this node opened its term; 0 when it does not lead. */
  termStart = 0;
  proposals = 0;
  readonly history: LeaderHistory;
  /** Wakes when this node's role or the leader that it knows changes. */
  readonly roleChanged: Wakeup = new Wakeup();
  /** Wakes when more may be applied. */
  readonly committed: Wakeup = new Wakeup();
  /** Wakes when a batch is durable or what is uncommitted became less. */
  readonly progressed: Wakeup = new Wakeup();

  constructor(parts: ConsensusParts) {
    this.node = parts.node;
    this.#log = parts.log;
    this.#storage = parts.storage;
    this.#links = parts.links;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#timing = parts.timing;
    this.#writer = new LogWriter(parts.log, parts.clock, {
      onDurable: (responses) => this.#durable(responses),
      onInstalled: (snapshot) => this.onInstalled(snapshot),
    });
    this.#reads = new PeerReads(parts.log, parts.storage, parts.clock, parts.logger, {
      onRead: () => this.#do(() => this.node.entriesArrived()),
      // A whole node can send it, if there is one that may lead.
      onDamaged: () => {
        if (!this.node.isOnlyVoter) this.#do(() => this.node.stepDown());
      },
    });
    this.#barriers = new ReadBarriers(parts.clock, parts.random, (context) =>
      this.#do(() => this.node.readIndex(context)),
    );
    this.fitness = new Fitness(parts.log, parts.node);
    this.#lastAppliable = parts.node.appliable;
    this.history = new LeaderHistory(parts.clock, parts.node.term);
  }

  /** Payload bytes not durable here yet. */
  get unsyncedBytes(): number {
    return this.#writer.unsyncedBytes;
  }
  /** Of payloads that this node proposed as the leader and that are not applied yet. */
  get uncommittedBytes(): number {
    return this.node.raft.uncommittedSize;
  }
  /** What the leader sent waits for space, or the disk hangs: this node must not lead. */
  get stuck(): boolean {
    return this.#writer.full || this.#writer.writingMs > this.#timing.electionMs;
  }

  get heartbeatMs(): number {
    return this.#timing.heartbeatMs;
  }
  get electionMs(): number {
    return this.#timing.electionMs;
  }
  /** From the next tick on; the number of ticks of an election stays. */
  setTiming(timing: RaftTiming): void {
    this.#timing = timing;
  }
  /** Since a leader was last heard of, milliseconds; 0 on the leader, null when none ever was. */
  get leaderSilentMs(): number | null {
    if (this.node.role === "leader") return 0;
    return this.history.silentMs;
  }
  /** A snapshot waits to be on the disk: what is committed before it must not be applied any more. */
  get installing(): boolean {
    return this.node.raft.log.unstable.snapshot !== null;
  }

  /** This node takes no part from now on. */
  fence(reason: string): void {
    if (this.fenced !== null) return;
    this.fenced = reason;
    this.#logger.error("This node takes no part in the cluster any more", { reason });
    if (this.node.role === "leader") this.#do(() => this.node.stepDown());
    this.onFenced();
    this.roleChanged.wake();
  }

  /** What was committed when this was called lies at or below it. Rejects with ProposalDropped when nobody confirms. */
  readIndex(timeoutMs: number): Promise<number> {
    return this.#barriers.begin(timeoutMs);
  }

  /** Something for a peer was dropped on the way: it must be asked anew where it is. */
  unreachable(id: number): void {
    this.#do(() => {
      this.node.reportUnreachable(id);
      // Of a snapshot the core hears from the peer or from nobody: it would wait for ever.
      this.node.reportSnapshot(id, false);
    });
  }

  /** A message of a peer, of whatever term; ignored when this node cannot use it. */
  step(message: Message): void {
    // Entries would pile up in memory: the leader sends them again.
    if (this.#writer.full && message.type === "MsgApp" && message.entries.length > 0) return;
    if (this.fenced !== null) return;
    const { type, from } = message;
    if (this.fitness.membershipIsLost && (type === "MsgVote" || type === "MsgPreVote")) return;
    this.#do(() => this.node.step(message));
    if (hasSnapshot(this.node, from)) this.#do(() => this.node.reportSnapshot(from, true));
    if (from === this.node.leader) this.history.heard();
  }

  /** Throws ProposalDropped. */
  propose(payload: Uint8Array): void {
    this.#do(() => this.node.propose(payload), true);
    this.proposals++;
  }

  /** Throws ProposalDropped. */
  proposeConfChange(change: ConfChange): void {
    this.#do(() => this.node.proposeConfChange(change), true);
  }

  /** Hands leadership to a voter; given up after an election time-out. */
  transferLeader(to: number): void {
    // A follower would ask its leader in that node's name.
    if (this.node.role === "leader") this.#do(() => this.node.transferLeader(to));
  }

  /** To be told how far apply is: of its slices, with their payload bytes. */
  applied(index: number, payloadBytes: number): void {
    this.#do(() => this.node.appliedTo(index, payloadBytes));
    this.progressed.wake();
  }

  /** Runs one call of the core and carries out what follows from it. */
  #do(call: () => void, wantsDropped = false): void {
    if (this.#failure !== null) return;
    try {
      call();
      this.#pump();
    } catch (error) {
      if (error instanceof ProposalDropped && wantsDropped) throw error;
      // Of what a peer sent: somebody who was removed, or a proposal that nobody can take now.
      if (!isRefusal(error)) this.#end(error as Error);
    }
  }

  #end(error: Error): void {
    this.#failure ??= error;
    this.#fail(this.#failure);
  }

  #pump(): void {
    const { node } = this;
    while (node.hasReady()) {
      const ready = node.ready();
      for (const message of ready.messages) {
        if (message.to === APPEND_THREAD) this.#writer.push(message);
        else this.#send(message);
      }
      for (const read of ready.readStates) this.#barriers.passed(read);
    }
    this.#storage.unstage();
    if (this.#storage.wanted.size > 0 || this.#storage.wantsSnapshot) this.#reads.wake();
    this.#noteRole();
    const { appliable } = node;
    if (appliable !== this.#lastAppliable) this.committed.wake();
    this.#lastAppliable = appliable;
  }

  #noteRole(): void {
    const leading = this.node.role === "leader";
    const { leader, term } = this.node;
    if (this.history.note(term, leader) || leading !== this.#wasLeading) {
      this.#barriers.leaderChanged();
      this.roleChanged.wake();
    }
    if (leading === this.#wasLeading) return;
    this.#wasLeading = leading;
    this.termStart = leading ? this.node.lastIndex : 0;
    this.#logger.info(leading ? "Leading" : "Not leading any more", { term: this.node.term });
  }

  #send(message: Message): void {
    if (this.#mayLeave(message)) this.#links.send(forReceiver(message));
    else if (this.#held.length < MAX_HELD && message.entries.length === 0) this.#held.push(message);
  }

  #mayLeave({ type, term }: Message): boolean {
    const asks = type === "MsgPreVote" || type === "MsgPreVoteResp";
    return asks || term <= this.#log.hardState.term;
  }

  #durable(responses: readonly Message[]): void {
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#send(message);
    for (const response of responses) {
      if (response.to === this.node.raft.id) this.#do(() => this.node.step(response));
      else this.#send(response);
    }
    this.progressed.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    const stop = new AbortController();
    const wake = (): void => this.#reads.wake();
    const end = (): void => stop.abort();
    signal.addEventListener("abort", end, { once: true });
    stop.signal.addEventListener("abort", wake, { once: true });
    const cancelTicks = this.#tick(stop.signal);
    const parts = [this.#writer.run(stop.signal), this.#reads.run(stop.signal)];
    try {
      if (this.#failure !== null) throw this.#failure;
      this.node.setMayCampaign(this.mayLead);
      // The only voter has no leader to wait for. A fenced one may not be the only one: damage hides members.
      if (this.node.isOnlyVoter && this.fenced === null) this.#do(() => this.node.campaign());
      await Promise.race([failed, Promise.all(parts)]);
    } finally {
      this.#barriers.end();
      cancelTicks();
      signal.removeEventListener("abort", end);
      stop.abort();
      await Promise.allSettled(parts);
    }
  }

  #tick(signal: AbortSignal): Cancel {
    let cancel: Cancel = () => {};
    const next = (): void => {
      if (signal.aborted) return;
      cancel = this.#clock.after(this.#timing.heartbeatMs, next);
      this.#onTick();
    };
    cancel = this.#clock.after(this.#timing.heartbeatMs, next);
    return () => cancel();
  }

  /** However late it comes, it is one tick: a pause of this process is not a silence of the leader. */
  #onTick(): void {
    const { node } = this;
    const becameFull = this.#noteSpace();
    const may = this.mayLead;
    node.setMayCampaign(may);
    if (node.role === "leader" && (!may || (becameFull && !node.isOnlyVoter))) {
      this.#logger.warn("The disk hangs, is full or is damaged: another node shall lead");
      this.#do(() => node.stepDown());
    }
    this.#do(() => node.tick());
  }

  /** True when the disk was found full just now. */
  #noteSpace(): boolean {
    const change = this.fitness.spaceChange();
    if (change === null) return false;
    if (change === "full")
      this.#logger.error(
        "The disk is full (BR1203): no further segment of the log can be made. This node takes in what is on " +
          "its way and then nothing, and leads only if all others are full, too; it goes on by itself when " +
          "there is space. Free some, or purge binlogs",
      );
    else this.#logger.info("There is space on the disk again: this node goes on");
    this.progressed.wake();
    return change === "full";
  }

  /** Nothing of its own disk or log speaks against its leading. */
  get mayLead(): boolean {
    const { electionMs, heartbeatMs } = this.#timing;
    if (this.fenced !== null) return false;
    return this.fitness.mayLead(this.stuck, this.cannotApply, electionMs / heartbeatMs);
  }

  /** Entries, or their terms, that were lost are there again: whoever waited for them is fed. */
  mended(): void {
    this.cannotApply = false;
    this.#do(() => this.node.entriesArrived());
    this.committed.wake();
  }

  /** A committed change of the members, when its entry is applied; null for one that cannot be made. */
  applyConfChange(change: ConfChange): ConfState | null {
    const conf = madeOf(() => this.node.applyConfChange(change));
    this.#do(() => {});
    return conf;
  }
}
