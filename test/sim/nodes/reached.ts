/**
 * What runs of whole nodes have to reach: a simulator that never comes into a state proves nothing about
 * it. Counted by the observer and the faults; a run of many seeds fails when one of them stays zero.
 */
export const REACHED = {
  unfinishedTransactions: "a chunk ended inside a transaction",
  continuedTransactions: "a chunk went on with a transaction that another one had begun",
  brokenTails: "a pull broke inside a transaction, and the next one restarted",
  refusedChunks: "a committed chunk was not taken into the stream",
  sourceChanges: "chunks of another server than before were taken in",
  sourceReturns: "and of one that had been the source before",
  sourceCrashes: "the source died and began a file without ROTATE or STOP",
  recordedOnly: "another source was set, and the old one again before anything was pulled",
  reusedGtids: "a source was put back and gave its numbers to other transactions",
  haltFork: "the syncer stopped: FORK",
  haltGap: "the syncer stopped: GAP",
  haltRefused: "the syncer stopped: REFUSED",
  acceptedGaps: "an operator accepted a gap",
  newTimelines: "an operator began a new timeline",
  operatorStops: "an operator stopped the syncer and started it again",
  leaderKilledInside: "the leader died while a transaction was open",
  leaderPausedInside: "the leader stood still while a transaction was open, and came back",
  sourceCutInside: "the source's connection was cut while a transaction was open",
  readErrors: "sectors could not be read for a while (EIO)",
  flips: "bits of a log were flipped",
  sectorsLost: "sectors of a log were overwritten",
  damageDown: "one of these happened to a node that was down",
  damageUp: "one of these happened under a running node",
  repairedEntries: "damaged entries were written back from a peer",
  refusedStarts: "a node refused to start on a damaged disk",
  replacedNodes: "an operator replaced a node whose disk was lost or refused",
  failedSyncs: "a sync failed, and the process ended",
  hungSyncs: "a sync never returned",
  fullOne: "one disk was full",
  fullAll: "all disks were full at once",
  purges: "files were purged by an operator",
  retentionPurges: "files were purged by retention",
  snapshotsSent: "a leader sent a snapshot",
  snapshotsInstalled: "a node began anew behind a snapshot",
  learnersFromNow: "a node joined with the history from now on",
  formedByBootstrap: "a cluster formed from one node, the others were promoted",
  foreignMet: "a node of another cluster was met, and refused",
  lateOnSent: "a socket told late that memory is free",
  comparedFolds: "what the entries made of the stream was compared between nodes",
  judgedAcks: "an acknowledgement was judged to the byte",
} as const;
export type Reached = keyof typeof REACHED;
/**
 * Counted and printed, but 500 seeds need not reach them; an operator replaces the node in both.
 *
 *   unrepairable    it had lost what no peer has any more, and said so
 *   fencedByPeers   it had lost its last batch without a trace, and its peers remembered that it had it
 */
type Rare = "unrepairable" | "fencedByPeers";

/** How often each was reached. */
export class Counters {
  readonly counts: Record<string, number> = {};

  add(what: Reached | Rare, count = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + count;
  }
}

/** So many seeds reach every state, or a fault of the simulator hides one. */
export const SEEDS_FOR_ALL = 500;

/** Sentences about those that never were. */
export function unreached(counts: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(REACHED)
    .filter(([name]) => (counts[name] ?? 0) === 0)
    .map(([name, meaning]) => `${name} was never reached: ${meaning}`);
}
