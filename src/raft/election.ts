/**
 * Elections: starting one, asking for votes, giving them (thesis §3.4, §4.2.3, §9.6).
 *
 * Priority: of two logs that are equal the one of higher priority is preferred. A voter of higher
 * priority refuses the other, but never one with a longer log, never in a transfer, and only until
 * two election time-outs have passed without a leader: preference must not cost availability.
 *
 * Whoever was told that an entry is committed neither votes for a log that ends before it nor campaigns
 * with one. With honest disks such a log could not be elected; a disk that lost what it had
 * acknowledged is found out so.
 */
import { hex } from "./describe.ts";
import type { VoteResult } from "./quorum.ts";
import type { Raft } from "./raft.ts";
import { type EntryId, type Message, type MessageType, message, NO_BYTES, NONE } from "./types.ts";

export type CampaignKind = "pre-election" | "election" | "transfer";

/** Marks the vote requests of a transfer: they are granted inside the lease of the old leader. */
const TRANSFER: Uint8Array = Uint8Array.of(0x54);

export function isTransfer(m: Message): boolean {
  return m.context.length === 1 && m.context[0] === TRANSFER[0];
}

/** A tick of everybody who does not lead. */
export function campaignOnTimeout(raft: Raft): void {
  raft.electionElapsed++;
  raft.leaderlessTicks++;
  // Who does not campaign lets its lease on the old leader end: others need its vote.
  if (!raft.mayCampaign || !promotable(raft) || lacksCommitted(raft)) return;
  if (raft.electionElapsed < raft.randomizedElectionTimeout) return;
  raft.electionElapsed = 0;
  raft.step(message("MsgHup", { from: raft.id }));
}

/** A voter, as far as it knows, whose snapshot is no longer on its way to the disk. */
export function promotable(raft: Raft): boolean {
  const own = raft.tracker.progress.get(raft.id);
  return own !== undefined && !own.learner && raft.log.unstable.snapshot === null;
}

export function hup(raft: Raft, kind: CampaignKind): void {
  const id = hex(raft.id);
  if (raft.role === "leader") {
    raft.logger.debug(`${id} ignoring MsgHup because already leader`);
  } else if (!promotable(raft)) {
    raft.logger.warn(`${id} is unpromotable and can not campaign`);
  } else if (!raft.mayCampaign) {
    raft.logger.info(`${id} is not to lead now and does not campaign`);
  } else if (hasUnappliedConfChange(raft)) {
    // With a configuration that is not the newest committed one two leaders could be elected.
    raft.logger.warn(
      `${id} cannot campaign at term ${raft.term} since there are still pending configuration changes to apply`,
    );
  } else if (lacksCommitted(raft)) {
    raft.logger.warn(
      `${id} cannot campaign at term ${raft.term} since its log ends before entry ` +
        `${raft.toldCommitted}, which is committed`,
    );
  } else {
    raft.logger.info(`${id} is starting a new election at term ${raft.term}`);
    campaign(raft, kind);
  }
}

/** It was told that an entry is committed which its log does not hold, and so could not be elected. */
function lacksCommitted({ log, toldCommitted }: Raft): boolean {
  return log.lastIndex() < toldCommitted;
}

function hasUnappliedConfChange(raft: Raft): boolean {
  const { applied, committed } = raft.log;
  if (applied >= committed) return false;
  return raft.log.hasConfChange(applied + 1, committed + 1);
}

function responseType(request: MessageType): "MsgVoteResp" | "MsgPreVoteResp" {
  return request === "MsgVote" ? "MsgVoteResp" : "MsgPreVoteResp";
}

export function campaign(raft: Raft, kind: CampaignKind): void {
  const type = kind === "pre-election" ? "MsgPreVote" : "MsgVote";
  if (kind === "pre-election") raft.becomePreCandidate();
  else raft.becomeCandidate();
  // Of the term that is asked about; the own one has not changed yet.
  const term = kind === "pre-election" ? raft.term + 1 : raft.term;
  const last = raft.log.lastId();
  const context = kind === "transfer" ? TRANSFER : NO_BYTES;
  for (const to of raft.tracker.voterIds()) {
    if (to === raft.id) {
      // The own vote, too, counts once it is durable.
      raft.send(responseType(type), to, { term });
      continue;
    }
    raft.logger.info(
      `${hex(raft.id)} [logterm: ${last.term}, index: ${last.index}] sent ${type} request to ` +
        `${hex(to)} at term ${raft.term}`,
    );
    const { priority } = raft.config;
    const known = knownOf(raft);
    raft.send(type, to, { term, logTerm: last.term, index: last.index, context, priority, known });
  }
}

/** Inside a leader's lease nobody needs another; a transfer is the leader's own wish. */
export function ignoresVoteRequest(raft: Raft, m: Message): boolean {
  const { checkQuorum, electionTick } = raft.config;
  const inLease = checkQuorum && raft.leader !== NONE && raft.electionElapsed < electionTick;
  if (!inLease || isTransfer(m)) return false;
  raft.logger.info(
    `${whoIs(raft)} ignored ${m.type} from ${hex(m.from)} [logterm: ${m.logTerm}, index: ${m.index}] ` +
      `at term ${raft.term}: lease is not expired (remaining ticks: ${electionTick - raft.electionElapsed})`,
  );
  return true;
}

function whoIs(raft: Raft): string {
  const last = raft.log.lastId();
  return `${hex(raft.id)} [logterm: ${last.term}, index: ${last.index}, vote: ${hex(raft.vote)}]`;
}

/** MsgVote, MsgPreVote of a term that is not lower than ours. */
export function handleVoteRequest(raft: Raft, m: Message): void {
  const free =
    raft.vote === m.from ||
    (raft.vote === NONE && raft.leader === NONE) ||
    (m.type === "MsgPreVote" && m.term > raft.term);
  const theirs = { term: m.logTerm, index: m.index };
  // A learner votes, too: it may have been promoted without knowing yet.
  const isWhole = m.index >= raft.toldCommitted;
  const granted = free && isWhole && raft.log.isUpToDate(theirs) && !prefersItself(raft, m);
  if (!granted) {
    refuseVote(raft, m);
    return;
  }
  logVote(raft, "cast", "for", m);
  // With the term that was asked for: of a pre-vote that is not ours.
  raft.send(responseType(m.type), m.from, { term: m.term });
  if (m.type === "MsgVote") {
    raft.electionElapsed = 0;
    raft.vote = m.from;
  }
}

function logVote(raft: Raft, verb: string, preposition: string, m: Message): void {
  const asked = `${m.type} ${preposition} ${hex(m.from)} [logterm: ${m.logTerm}, index: ${m.index}]`;
  raft.logger.info(`${whoIs(raft)} ${verb} ${asked} at term ${raft.term}`);
}

/**
 * Who has no vote, as far as it knows, and a candidate that asks for it know different configurations.
 * If that log is the longer one it insists on it like everybody, and cannot be elected itself: both
 * could wait for ever. So each tells the other what it knows to be committed: the candidate may learn
 * that the other left, or the other that it came to vote.
 */
export function refuseVote(raft: Raft, request: Message): void {
  logVote(raft, "rejected", "from", request);
  const hasVote = raft.tracker.voterIds().includes(raft.id);
  const known = hasVote ? {} : { known: knownOf(raft) };
  raft.send(responseType(request.type), request.from, { term: raft.term, reject: true, ...known });
  if (!hasVote) learnCommitted(raft, request);
}

function knownOf({ log }: Raft): EntryId {
  return { index: log.committed, term: log.termOrZero(log.committed) };
}

/** Takes in what the sender knows to be committed, of whichever term: it stays so. */
export function learnCommitted(raft: Raft, { from, known }: Message): void {
  const { log } = raft;
  const isNews = known.term > 0 && known.index > log.committed;
  if (raft.leads || !isNews || !log.matchTerm(known)) return;
  raft.logger.info(`${hex(raft.id)} learned from ${hex(from)} that ${known.index} is committed`);
  log.commitTo(known.index);
  // A change of the configuration may be among it: then a candidate asked for the wrong votes.
  if (raft.role !== "follower") raft.becomeFollower(raft.term, NONE);
}

function prefersItself(raft: Raft, m: Message): boolean {
  const { priority, electionTick } = raft.config;
  if (m.priority >= priority || isTransfer(m) || !promotable(raft)) return false;
  const last = raft.log.lastId();
  const equal = last.term === m.logTerm && last.index === m.index;
  return equal && raft.leaderlessTicks < 2 * electionTick;
}

/** Takes in an answer; how the election stands. */
export function poll(raft: Raft, m: Message): VoteResult {
  const what = m.reject ? `${m.type} rejection` : m.type;
  raft.logger.info(`${hex(raft.id)} received ${what} from ${hex(m.from)} at term ${raft.term}`);
  raft.tracker.recordVote(m.from, !m.reject);
  const { granted, rejected, result } = raft.tracker.tally();
  raft.logger.info(
    `${hex(raft.id)} has received ${granted} ${m.type} votes and ${rejected} vote rejections`,
  );
  return result;
}
