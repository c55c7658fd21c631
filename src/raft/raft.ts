/**
 * The state of one node and how roles change (thesis chapter 3). What a role does with a message
 * stands in a file of its own: election.ts, leader.ts, follower.ts; sending in replication.ts,
 * changes of the configuration in membership.ts.
 *
 * Messages to be sent are gathered in two lists: `messages` may leave at once, those in
 * `messagesAfterAppend` promise something (a vote, an acknowledgement) and leave once what was
 * decided with them is durable.
 */
import { Changer } from "./changer.ts";
import type { RaftConfig } from "./config.ts";
import { hex } from "./describe.ts";
import {
  campaignOnTimeout,
  handleVoteRequest,
  hup,
  ignoresVoteRequest,
  learnCommitted,
  refuseVote,
} from "./election.ts";
import { ProposalDropped, RaftBroken } from "./errors.ts";
import { stepCandidate, stepFollower } from "./follower.ts";
import { Inflights } from "./inflights.ts";
import { abortTransfer, appendAsLeader, stepLeader } from "./leader.ts";
import { appliedSnapshot, appliedTo, switchToConfig } from "./membership.ts";
import { Progress } from "./progress.ts";
import { RaftLog } from "./raft-log.ts";
import { PendingReads } from "./reads.ts";
import { entriesSize, payloadsSize } from "./sizes.ts";
import { trace, traceMessage } from "./trace.ts";
import { Tracker } from "./tracker.ts";
import {
  EMPTY_HARD_STATE,
  type HardState,
  type Message,
  type MessageType,
  message,
  NO_BYTES,
  NONE,
  type RaftLogger,
  type ReadState,
  type Role,
  type SoftState,
} from "./types.ts";

/** What leaves only when what was decided with it is durable. */
const AFTER_APPEND: ReadonlySet<MessageType> = new Set([
  "MsgAppResp",
  "MsgVoteResp",
  "MsgPreVoteResp",
]);
const VOTES: ReadonlySet<MessageType> = new Set([
  "MsgVote",
  "MsgVoteResp",
  "MsgPreVote",
  "MsgPreVoteResp",
]);
/** Forwarded: they are no claim of this node in its term. */
const WITHOUT_TERM: ReadonlySet<MessageType> = new Set(["MsgProp", "MsgReadIndex"]);

export class Raft {
  readonly config: RaftConfig;
  readonly id: number;
  readonly logger: RaftLogger;
  readonly log: RaftLog;
  tracker: Tracker;
  role: Role = "follower";
  term = 0;
  vote: number = NONE;
  leader: number = NONE;
  isLearner = false;
  messages: Message[] = [];
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];
  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTimeout = 0;
  /** Ticks since a leader was heard of: so long its priority can keep others from leading. */
  leaderlessTicks = 0;
  /** The highest entry that a leader said is committed, whether our log goes so far or not. */
  toldCommitted = 0;
  /** False while the driver does not want this node to lead. */
  mayCampaign = true;
  /** Of a leader. */
  leadTransferee: number = NONE;
  /** No change of the configuration is proposed while this entry is not applied. */
  pendingConfIndex = 0;
  uncommittedSize = 0;
  pendingReads: PendingReads = new PendingReads();
  /** Read requests that came before anything of this term was committed. */
  earlyReads: Message[] = [];

  constructor(config: RaftConfig) {
    this.config = config;
    this.id = config.id;
    this.logger = config.logger;
    this.log = new RaftLog(config.storage, config.logger, config.maxCommittedSizePerReady);
    this.tracker = new Tracker();
    const { hardState, conf } = config.storage.initialState();
    const last = this.log.lastId();
    switchToConfig(this, this.changer().restore(conf));
    this.#load(hardState);
    if (config.applied > 0) this.log.appliedTo(config.applied, 0);
    trace(this, "InitState");
    this.becomeFollower(this.term, NONE);
    const peers = this.tracker.voterIds().map(hex).join(",");
    this.logger.info(
      `newRaft ${hex(this.id)} [peers: [${peers}], term: ${this.term}, commit: ${this.log.committed}, ` +
        `applied: ${this.log.applied}, lastindex: ${last.index}, lastterm: ${last.term}]`,
    );
  }

  #load(state: HardState): void {
    if (sameHardState(state, EMPTY_HARD_STATE)) return;
    const { committed } = this.log;
    const last = this.log.lastIndex();
    if (state.commit < committed || state.commit > last) {
      throw new RaftBroken(
        `${hex(this.id)} state.commit ${state.commit} is out of range [${committed}, ${last}]`,
      );
    }
    this.log.committed = state.commit;
    this.term = state.term;
    this.vote = state.vote;
  }

  changer(): Changer {
    const { maxInflightMessages, maxInflightBytes } = this.config;
    return new Changer(this.tracker, {
      lastIndex: this.log.lastIndex(),
      maxInflightMessages,
      maxInflightBytes,
    });
  }

  get softState(): SoftState {
    return { leader: this.leader, role: this.role };
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  send(type: MessageType, to: number, fields: Partial<Omit<Message, "type" | "to">> = {}): void {
    const own = VOTES.has(type) || WITHOUT_TERM.has(type) ? {} : { term: this.term };
    const sent = message(type, { from: this.id, ...fields, ...own, to });
    traceMessage(this, "Send", sent);
    if (AFTER_APPEND.has(type)) this.messagesAfterAppend.push(sent);
    else this.messages.push(sent);
  }

  reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }
    this.leader = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    abortTransfer(this);
    this.tracker.resetVotes();
    const last = this.log.lastIndex();
    for (const [id, { learner }] of this.tracker.progress) {
      const { maxInflightMessages, maxInflightBytes } = this.config;
      const inflights = new Inflights(maxInflightMessages, maxInflightBytes);
      const match = id === this.id ? last : 0;
      this.tracker.progress.set(id, new Progress({ match, next: last + 1, inflights, learner }));
    }
    this.pendingConfIndex = 0;
    this.uncommittedSize = 0;
    this.pendingReads = new PendingReads();
    this.earlyReads = [];
  }

  drawElectionTimeout(): void {
    const { electionTick, random } = this.config;
    this.randomizedElectionTimeout = electionTick + random(electionTick);
  }

  becomeFollower(term: number, leader: number): void {
    this.reset(term);
    this.leader = leader;
    this.role = "follower";
    this.logger.info(`${hex(this.id)} became follower at term ${this.term}`);
    trace(this, "BecomeFollower");
  }

  becomeCandidate(): void {
    this.reset(this.term + 1);
    this.vote = this.id;
    this.role = "candidate";
    this.logger.info(`${hex(this.id)} became candidate at term ${this.term}`);
    trace(this, "BecomeCandidate");
  }

  /** Asks what an election would bring. Neither term nor vote change. */
  becomePreCandidate(): void {
    this.tracker.resetVotes();
    this.leader = NONE;
    this.role = "pre-candidate";
    this.logger.info(`${hex(this.id)} became pre-candidate at term ${this.term}`);
  }

  becomeLeader(): void {
    this.reset(this.term);
    this.leader = this.id;
    this.role = "leader";
    this.leaderlessTicks = 0;
    const own = this.tracker.progress.get(this.id)!;
    own.becomeReplicate();
    own.recentActive = true;
    // Somewhere in what is not applied yet there may be a change of the configuration.
    this.pendingConfIndex = this.log.lastIndex();
    trace(this, "BecomeLeader");
    // Entries of earlier terms are committed only through one of the own term (thesis §3.6.2).
    appendAsLeader(this, [{ type: 0, data: NO_BYTES }]);
    this.logger.info(`${hex(this.id)} became leader at term ${this.term}`);
  }

  tick(): void {
    if (this.role === "leader") this.#tickLeader();
    else campaignOnTimeout(this);
  }

  #tickLeader(): void {
    const { electionTick, heartbeatTick, checkQuorum } = this.config;
    this.heartbeatElapsed++;
    this.electionElapsed++;
    if (this.electionElapsed >= electionTick) {
      this.electionElapsed = 0;
      if (checkQuorum) this.step(message("MsgCheckQuorum", { from: this.id }));
      // Who could not take over in an election time-out is given up.
      if (this.leads) abortTransfer(this);
    }
    if (!this.leads || this.heartbeatElapsed < heartbeatTick) return;
    this.heartbeatElapsed = 0;
    this.step(message("MsgBeat", { from: this.id }));
  }

  get leads(): boolean {
    return this.role === "leader";
  }

  /** Throws ProposalDropped for a proposal that is not taken, RaftBroken (errors.ts). */
  step(m: Message): void {
    traceMessage(this, "Receive", m);
    if (m.reject && (m.type === "MsgVoteResp" || m.type === "MsgPreVoteResp"))
      learnCommitted(this, m);
    if (m.term > this.term) {
      if (!this.#stepHigherTerm(m)) return;
    } else if (m.term > 0 && m.term < this.term) {
      this.#stepLowerTerm(m);
      return;
    }
    switch (m.type) {
      case "MsgHup":
        hup(this, this.config.preVote ? "pre-election" : "election");
        return;
      case "MsgVote":
      case "MsgPreVote":
        handleVoteRequest(this, m);
        return;
      case "MsgStorageAppendResp":
        if (m.index !== 0) this.log.unstable.stableTo({ term: m.logTerm, index: m.index });
        if (m.snapshot !== null) appliedSnapshot(this, m.snapshot);
        return;
      case "MsgStorageApplyResp": {
        const last = m.entries.at(-1);
        if (last === undefined) return;
        appliedTo(this, last.index, entriesSize(m.entries));
        this.reduceUncommitted(payloadsSize(m.entries));
        return;
      }
      default:
        if (this.role === "leader") stepLeader(this, m);
        else if (this.role === "follower") stepFollower(this, m);
        else stepCandidate(this, m);
    }
  }

  /** False when the message is not to be looked at. */
  #stepHigherTerm(m: Message): boolean {
    const asks = m.type === "MsgVote" || m.type === "MsgPreVote";
    if (asks && ignoresVoteRequest(this, m)) return false;
    // Nobody's term changes by being asked what an election would bring, nor by a yes to that:
    // with it the answerer grants the future term that was asked for.
    if (m.type === "MsgPreVote" || (m.type === "MsgPreVoteResp" && !m.reject)) return true;
    this.logger.info(
      `${hex(this.id)} [term: ${this.term}] received a ${m.type} message with higher term from ` +
        `${hex(m.from)} [term: ${m.term}]`,
    );
    const fromLeader = m.type === "MsgApp" || m.type === "MsgHeartbeat" || m.type === "MsgSnap";
    this.becomeFollower(m.term, fromLeader ? m.from : NONE);
    return true;
  }

  #stepLowerTerm(m: Message): void {
    const { checkQuorum, preVote } = this.config;
    if ((checkQuorum || preVote) && (m.type === "MsgHeartbeat" || m.type === "MsgApp")) {
      // A node that was cut off may have a higher term, which it does not ask votes for inside a
      // lease. A leader of a lower term must learn of it, or the node would never join again.
      this.send("MsgAppResp", m.from);
    } else if (m.type === "MsgPreVote") {
      refuseVote(this, m);
    } else if (m.type === "MsgStorageAppendResp") {
      if (m.index !== 0) {
        // They may have been overwritten since, in a later term.
        this.logger.info(
          `${hex(this.id)} [term: ${this.term}] ignored entry appends from a ${m.type} message with ` +
            `lower term [term: ${m.term}]`,
        );
      }
      // A snapshot is committed state, whatever the term in which it was stored.
      if (m.snapshot !== null) appliedSnapshot(this, m.snapshot);
    } else {
      this.logger.info(
        `${hex(this.id)} [term: ${this.term}] ignored a ${m.type} message with lower term from ` +
          `${hex(m.from)} [term: ${m.term}]`,
      );
    }
  }

  /** Whether so much more may be uncommitted. A proposal without payload always may, and the first one. */
  increaseUncommitted(bytes: number): boolean {
    const { maxUncommittedSize } = this.config;
    const over = this.uncommittedSize + bytes > maxUncommittedSize;
    if (this.uncommittedSize > 0 && bytes > 0 && over) return false;
    this.uncommittedSize += bytes;
    return true;
  }

  reduceUncommitted(bytes: number): void {
    // Entries of earlier leaders were never counted.
    this.uncommittedSize = Math.max(0, this.uncommittedSize - bytes);
  }

  committedInTerm(): boolean {
    return this.log.termOrZero(this.log.committed) === this.term;
  }
}

export function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}

export function dropped(raft: Raft, why: string): ProposalDropped {
  raft.logger.info(`${hex(raft.id)} ${why}; dropping proposal`);
  return new ProposalDropped();
}
