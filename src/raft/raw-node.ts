/**
 * The core as a driver uses it (contract: types.ts). Synchronous, and of one thread of control:
 * each call runs to its end, and what is to be done gathers for the next Ready.
 */
import { assert } from "../base/assert.ts";
import { type ConfChange, encodeConfChange } from "./conf-change.ts";
import type { RaftConfig } from "./config.ts";
import { LocalMessage, PeerNotFound } from "./errors.ts";
import { appliedTo, applyConfChange } from "./membership.ts";
import { Raft, sameHardState } from "./raft.ts";
import { resumeAwaiting } from "./replication.ts";
import { entriesSize } from "./sizes.ts";
import {
  appendMessage,
  appendResponse,
  applyMessage,
  applyResponse,
  needsAppend,
} from "./storage-messages.ts";
import { trace } from "./trace.ts";
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type ConfState,
  EMPTY_HARD_STATE,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  type MessageType,
  message,
  NONE,
  type Ready,
  type SoftState,
} from "./types.ts";

const LOCAL: ReadonlySet<MessageType> = new Set([
  "MsgHup",
  "MsgBeat",
  "MsgUnreachable",
  "MsgSnapStatus",
  "MsgCheckQuorum",
  "MsgStorageAppend",
  "MsgStorageAppendResp",
  "MsgStorageApply",
  "MsgStorageApplyResp",
]);
const RESPONSES: ReadonlySet<MessageType> = new Set([
  "MsgAppResp",
  "MsgVoteResp",
  "MsgPreVoteResp",
  "MsgHeartbeatResp",
  "MsgReadIndexResp",
  "MsgUnreachable",
  "MsgStorageAppendResp",
  "MsgStorageApplyResp",
]);

export class RawNode {
  readonly raft: Raft;
  readonly #config: RaftConfig;
  #soft: SoftState;
  #hard: HardState;
  /** Without asynchronous writes: what the node says to itself once a Ready was done. */
  #onAdvance: Message[] = [];
  #out: Ready | null = null;

  constructor(config: RaftConfig) {
    assert(config.id > NONE && config.id < APPLY_THREAD, "an id is above 0 and below 2^53 - 2");
    assert(config.heartbeatTick > 0, "a heartbeat takes a tick or more");
    assert(config.electionTick > config.heartbeatTick, "an election takes more than a heartbeat");
    this.#config = config;
    this.raft = new Raft(config);
    this.#soft = this.raft.softState;
    this.#hard = this.raft.hardState;
  }

  get role(): SoftState["role"] {
    return this.raft.role;
  }
  get term(): number {
    return this.raft.term;
  }
  get leader(): number {
    return this.raft.leader;
  }
  get commit(): number {
    return this.raft.log.committed;
  }
  get lastIndex(): number {
    return this.raft.log.lastIndex();
  }
  /**
   * Up to here entries are committed, and durable on this node as they were committed. What the disk
   * has between this and `commit` may be what is about to be replaced.
   */
  get appliable(): number {
    return this.raft.log.durableCommitted;
  }
  get isOnlyVoter(): boolean {
    const { tracker, id } = this.raft;
    return tracker.isSingleton() && tracker.voterIds()[0] === id;
  }

  /** Ticks since a leader was heard of. */
  get leaderlessTicks(): number {
    return this.raft.leaderlessTicks;
  }

  /** A node whose disk hangs or is full follows and votes, and lets others lead. */
  setMayCampaign(may: boolean): void {
    this.raft.mayCampaign = may;
  }

  /** One tick of logical time. */
  tick(): void {
    this.raft.tick();
  }

  /** Starts an election now, if this node may. */
  campaign(): void {
    this.raft.step(message("MsgHup", { from: this.raft.id }));
  }

  /** Appends a payload, or forwards it to the leader. Throws ProposalDropped. */
  propose(data: Uint8Array): void {
    this.#propose({ index: 0, term: 0, type: EntryType.NORMAL, data });
  }

  /** Version 1 is a single change without a joint configuration. Throws ProposalDropped. */
  proposeConfChange(change: ConfChange, version: 1 | 2 = 2): void {
    const type = version === 1 ? EntryType.CONF_CHANGE : EntryType.CONF_CHANGE_V2;
    this.#propose({ index: 0, term: 0, type, data: encodeConfChange(change) });
  }

  #propose(entry: Entry): void {
    this.raft.step(message("MsgProp", { from: this.raft.id, entries: [entry] }));
  }

  /** To be called when a committed change is applied, also for one that the application blanked. */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.raft, change);
  }

  /** A message of a peer. Throws LocalMessage, PeerNotFound, ProposalDropped, RaftBroken. */
  step(m: Message): void {
    const own = m.from === APPEND_THREAD || m.from === APPLY_THREAD;
    if (LOCAL.has(m.type) && !own) throw new LocalMessage();
    if (RESPONSES.has(m.type) && !own && !this.raft.tracker.progress.has(m.from)) {
      throw new PeerNotFound();
    }
    this.raft.step(m);
  }

  get #appliesUnstable(): boolean {
    return !this.#config.asyncStorageWrites;
  }

  hasReady(): boolean {
    const { raft } = this;
    if (this.#out !== null) return false;
    const { unstable } = raft.log;
    return (
      !sameSoftState(raft.softState, this.#soft) ||
      this.#newHardState() !== null ||
      unstable.nextSnapshot() !== null ||
      unstable.hasNextEntries ||
      raft.messages.length > 0 ||
      raft.messagesAfterAppend.length > 0 ||
      raft.readStates.length > 0 ||
      (this.#config.deliverCommitted && raft.log.hasNextCommitted(this.#appliesUnstable))
    );
  }

  #newHardState(): HardState | null {
    const now = this.raft.hardState;
    if (sameHardState(now, EMPTY_HARD_STATE) || sameHardState(now, this.#hard)) return null;
    return now;
  }

  /** What is to be done now. Without asynchronous writes `advance` must come before the next one. */
  ready(): Ready {
    assert(this.#out === null, "the Ready before was advanced");
    const { raft } = this;
    const { log } = raft;
    trace(raft, "Ready");
    const hardState = this.#newHardState();
    const entries = log.unstable.nextEntries();
    const snapshot = log.unstable.nextSnapshot();
    const committedEntries = this.#config.deliverCommitted
      ? log.nextCommitted(this.#appliesUnstable)
      : [];
    const soft = raft.softState;
    const ready: Ready = {
      softState: sameSoftState(soft, this.#soft) ? null : soft,
      hardState,
      readStates: raft.readStates,
      entries,
      snapshot,
      committedEntries,
      messages: this.#outgoing({ hardState, entries, snapshot }, committedEntries),
      mustSync:
        entries.length > 0 || raft.vote !== this.#hard.vote || raft.term !== this.#hard.term,
    };
    this.#accept(ready);
    return ready;
  }

  #outgoing(
    writes: Pick<Ready, "hardState" | "entries" | "snapshot">,
    committed: readonly Entry[],
  ): Message[] {
    const { raft } = this;
    if (!this.#config.asyncStorageWrites) {
      return raft.messages.concat(raft.messagesAfterAppend.filter(({ to }) => to !== raft.id));
    }
    const out = raft.messages.slice();
    if (needsAppend(raft, writes)) out.push(appendMessage(raft, writes));
    if (committed.length > 0) out.push(applyMessage(raft, committed));
    return out;
  }

  #accept(ready: Ready): void {
    const { raft } = this;
    const { log } = raft;
    if (ready.softState !== null) this.#soft = ready.softState;
    if (ready.hardState !== null) this.#hard = ready.hardState;
    raft.readStates = [];
    if (!this.#config.asyncStorageWrites) {
      this.#out = ready;
      this.#onAdvance = raft.messagesAfterAppend.filter(({ to }) => to === raft.id);
      const response = appendResponse(raft, ready);
      if (response !== null) this.#onAdvance.push(response);
      if (ready.committedEntries.length > 0) {
        this.#onAdvance.push(applyResponse(raft, ready.committedEntries));
      }
    }
    raft.messages = [];
    raft.messagesAfterAppend = [];
    log.unstable.acceptInProgress();
    const last = ready.committedEntries.at(-1);
    if (last !== undefined) {
      log.acceptApplying(last.index, entriesSize(ready.committedEntries), this.#appliesUnstable);
    }
  }

  /** What `ready` asked for was done: it is durable, sent, applied. */
  advance(ready: Ready): void {
    assert(this.#out === ready, "advance follows its own ready");
    this.#out = null;
    const messages = this.#onAdvance;
    this.#onAdvance = [];
    for (const own of messages) this.raft.step(own);
  }

  /** Without `deliverCommitted`: the application has applied all up to `index`, of so many payload bytes. */
  appliedTo(index: number, payloadBytes: number): void {
    appliedTo(this.raft, index, 0);
    this.raft.reduceUncommitted(payloadBytes);
  }

  /** Entries that the storage had answered PENDING for can be read now. */
  entriesArrived(): void {
    this.raft.log.awaitsCommitted = false;
    resumeAwaiting(this.raft);
  }

  /** Hands leadership to a voter; given up after an election time-out. */
  transferLeader(to: number): void {
    this.raft.step(message("MsgTransferLeader", { from: to }));
  }

  /** A leader that cannot do its work, as with a disk that hangs, lets another be elected. */
  stepDown(): void {
    if (this.raft.leads) this.raft.becomeFollower(this.raft.term, NONE);
  }

  /** This follower takes part in an election before its lease on the leader ends. */
  forgetLeader(): void {
    this.raft.step(message("MsgForgetLeader"));
  }

  /** The answer comes as a ReadState in a Ready, or never: then ask again. */
  readIndex(context: Uint8Array): void {
    this.raft.step(message("MsgReadIndex", { context }));
  }

  reportUnreachable(id: number): void {
    this.raft.step(message("MsgUnreachable", { from: id }));
  }

  reportSnapshot(id: number, delivered: boolean): void {
    this.raft.step(message("MsgSnapStatus", { from: id, reject: !delivered }));
  }
}

function sameSoftState(a: SoftState, b: SoftState): boolean {
  return a.leader === b.leader && a.role === b.role;
}
