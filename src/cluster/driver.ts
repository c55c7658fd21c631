/**
 * The ready loop of one node: what the Raft core wants durable goes to the log, what is committed
 * is applied, and the two do not wait for each other more than they must.
 *
 * - One batch is written at a time; what is proposed meanwhile becomes the next (group commit).
 * - Apply runs as soon as a batch is durable, before the next one's sync, in slices that yield.
 * - Nothing is acknowledged here: apply tells its observers, and they decide.
 * - When the disk is full the loop waits with the batch in hand: nothing was written of it.
 */
import { assert } from "../base/assert.ts";
import { MalformedBytes } from "../base/bytes.ts";
import type { Logger } from "../base/logger.ts";
import { type Service, Wakeup } from "../base/service.ts";
import { type Chunk, isChunk } from "../binlog/chunk.ts";
import type { Outcome } from "../binlog/stream-state.ts";
import { type Clock, delay } from "../platform/clock.ts";
import { ProposalDropped } from "../raft/errors.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { Entry, HardState, Ready } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";
import { EntryDamaged, LogFull } from "../storage/storage.ts";
import { type Command, decodeCommand, encodeCommand, isCommand } from "./command.ts";
import type { NodeState } from "./node-state.ts";
import { chunkOf } from "./stream-reader.ts";

/** Payload bytes in one batch; a Ready with more is written in several, and answered once. */
const BATCH_BYTES = 8 * 1024 * 1024;
const APPLY_BYTES = 2 * 1024 * 1024;
const FULL_RETRY_MS = 500;

export interface ApplyObserver {
  /** After each chunk, accepted or not. */
  chunkApplied(chunk: Chunk, outcome: Outcome): void;
}

export class Driver implements Service {
  readonly #node: RawNode;
  readonly #log: DurableLog;
  readonly #state: NodeState;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #work = new Wakeup();
  readonly #observers = new Set<ApplyObserver>();
  #waiters: { index: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  #pendingBytes = 0;
  /** The newest of the core; what is written carries it. */
  #hardState: HardState;
  #stopped: Error | null = null;
  /** Set when an entry that must be applied is lost on this disk. */
  damaged: EntryDamaged | null = null;
  /** Wakes when a batch has been written: pending bytes fell, a new chunk would be taken at once. */
  readonly progressed: Wakeup = new Wakeup();
  /** Wakes when the visible end moved or the list of files changed. */
  readonly advanced: Wakeup = new Wakeup();
  readonly roleChanged: Wakeup = new Wakeup();

  constructor(node: RawNode, log: DurableLog, state: NodeState, clock: Clock, logger: Logger) {
    this.#node = node;
    this.#log = log;
    this.#hardState = log.hardState;
    this.#state = state;
    this.#clock = clock;
    this.#logger = logger;
  }

  get term(): number {
    return this.#node.term;
  }
  get commit(): number {
    return this.#node.commit;
  }
  get applied(): number {
    return this.#state.stream.applied;
  }
  get pendingBytes(): number {
    return this.#pendingBytes;
  }
  /** Leads, and all entries up to its own term's first are applied: it may act for the cluster. */
  get leads(): boolean {
    return this.#node.role === "leader" && this.#leaderFrom > 0 && this.applied >= this.#leaderFrom;
  }
  #leaderFrom = 0;

  observe(observer: ApplyObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Proposes a chunk; its fate is told to observers. Throws ProposalDropped. */
  propose(payload: Uint8Array): number {
    if (this.#stopped !== null) throw this.#stopped;
    if (!this.leads) throw new ProposalDropped();
    this.#node.propose(payload);
    const index = this.#node.lastIndex;
    this.#pendingBytes += payload.length;
    this.#work.wake();
    return index;
  }

  /** Resolves once the command is committed and applied here. */
  command(command: Command): Promise<void> {
    return this.#applied(this.propose(encodeCommand(command)));
  }

  /** Resolves once everything appended so far is committed and applied. */
  settled(): Promise<void> {
    return this.#applied(this.#node.lastIndex);
  }

  #applied(index: number): Promise<void> {
    if (this.#stopped !== null) return Promise.reject(this.#stopped);
    if (this.applied >= index) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ index, resolve, reject }));
  }

  /** Applies what is known to be committed, so that serving can start; `run` does the rest. */
  recover(): Promise<void> {
    return this.#apply();
  }

  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#work.wake();
    signal.addEventListener("abort", wake, { once: true });
    try {
      this.#node.campaign();
      while (!signal.aborted && this.damaged === null) {
        if (!this.#node.hasReady()) {
          await this.#work.wait();
          continue;
        }
        await this.#do(this.#node.ready(), signal);
        await this.#apply();
        this.progressed.wake();
      }
      // Reads go on from a damaged log; writing does not.
      while (!signal.aborted) await this.#work.wait();
    } finally {
      signal.removeEventListener("abort", wake);
      this.#stop(new Error("This node is stopping"));
    }
  }

  #stop(error: Error): void {
    this.#stopped = error;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
    this.progressed.wake();
  }

  /** What a Ready asks for, in the order of the core's contract; there is nobody to send to. */
  async #do(ready: Ready, signal: AbortSignal): Promise<void> {
    this.#hardState = ready.hardState ?? this.#hardState;
    // A commit index alone waits for the next batch: losing it costs time, and a sync costs more.
    if (ready.mustSync) {
      for (const entries of batchesOf(ready.entries)) await this.#write(entries, signal);
    }
    const before = this.#node.role;
    this.#node.advance(ready);
    if (this.#node.role === before || this.#node.role !== "leader") return;
    // The entry that opens the term: with it all before it is committed.
    this.#leaderFrom = this.#node.lastIndex;
    this.#logger.info("Leading", { term: this.#node.term });
  }

  async #write(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#log.append({ hardState: this.#hardState, entries });
        break;
      } catch (error) {
        if (!(error instanceof LogFull) || signal.aborted) throw error;
        await delay(this.#clock, FULL_RETRY_MS, signal);
      }
    }
    for (const entry of entries) this.#pendingBytes -= entry.data.length;
    this.progressed.wake();
  }

  async #apply(): Promise<void> {
    const led = this.leads;
    while (this.applied < this.#node.commit && this.damaged === null) {
      try {
        const lease = await this.#log.read(this.applied + 1, APPLY_BYTES);
        try {
          for (const entry of lease.entries) {
            if (entry.index > this.#node.commit) break;
            if (entry.index > this.applied) this.#applyEntry(entry);
          }
        } finally {
          lease.release();
        }
      } catch (error) {
        this.#cannotApply(error);
      }
      this.#wakeWaiters();
    }
    // The core only needs to know in order to bound what is uncommitted, and that is done by bytes here.
    this.#node.appliedTo(this.applied, 0);
    if (this.leads !== led) this.roleChanged.wake();
  }

  #cannotApply(error: unknown): void {
    const lost =
      error instanceof MalformedBytes ? new EntryDamaged(this.applied + 1, error.message) : error;
    if (!(lost instanceof EntryDamaged)) throw error;
    this.damaged = lost;
    this.#logger.error(
      "The log is damaged: this node serves what lies before, takes in nothing new and acknowledges " +
        "nothing. Restore the data directory from a backup, or start with " +
        "an empty one, which pulls again what the source still has",
      { entry: lost.index, reason: lost.message },
    );
  }

  #applyEntry(entry: Entry): void {
    const { stream } = this.#state;
    assert(entry.index === stream.applied + 1, `entry ${entry.index} follows ${stream.applied}`);
    if (isChunk(entry.data)) {
      const chunk = chunkOf(entry);
      const outcome = stream.applyChunk(entry.index, chunk);
      if (!outcome.accepted) {
        const { file, fileOffset, pull } = chunk;
        const fields = {
          entry: entry.index,
          reason: outcome.reason,
          file,
          fileOffset,
          pull: pull.id,
        };
        this.#logger.warn("A chunk was not taken into the stream", fields);
      } else if (outcome.visibleMoved) this.advanced.wake();
      for (const observer of this.#observers) observer.chunkApplied(chunk, outcome);
    } else if (isCommand(entry.data)) {
      this.#state.applyCommand(entry.index, decodeCommand(entry.data));
      this.advanced.wake();
    } else stream.pass(entry.index);
  }

  #wakeWaiters(): void {
    const done = this.#waiters.filter((waiter) => waiter.index <= this.applied);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.index > this.applied);
    for (const waiter of done) waiter.resolve();
  }
}

/** Entries in order, in runs of about BATCH_BYTES; one empty run for a hard state alone. */
function batchesOf(entries: readonly Entry[]): (readonly Entry[])[] {
  const batches: (readonly Entry[])[] = [];
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < entries.length; at++) {
    const size = entries[at]!.data.length;
    if (at > from && bytes + size > BATCH_BYTES) {
      batches.push(entries.slice(from, at));
      from = at;
      bytes = 0;
    }
    bytes += size;
  }
  batches.push(entries.slice(from));
  return batches;
}
