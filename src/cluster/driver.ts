/**
 * What one node does with its log: proposes, and applies what is committed and durable here. The
 * Raft core's own work, with disk and peers, is in consensus.ts.
 *
 * - Apply runs beside the writing of the next batch, in slices that yield.
 * - Nothing is acknowledged here: apply tells its observers, and they decide.
 * - Who waits for an entry is told when it was applied, or that another one took its place.
 */
import { assert } from "../base/assert.ts";
import { MalformedBytes } from "../base/bytes.ts";
import type { Logger } from "../base/logger.ts";
import { type Service, Wakeup } from "../base/service.ts";
import { type Chunk, isChunk } from "../binlog/chunk.ts";
import type { Outcome } from "../binlog/stream-state.ts";
import { decodeConfChange, isConfChange } from "../raft/conf-change.ts";
import { ProposalDropped } from "../raft/errors.ts";
import type { ConfState, Entry } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";
import { EntryDamaged } from "../storage/storage.ts";
import { type Command, decodeCommand, encodeCommand, isCommand } from "./command.ts";
import type { Consensus } from "./consensus.ts";
import type { NodeState } from "./node-state.ts";
import { chunkOf } from "./stream-reader.ts";

const APPLY_BYTES = 2 * 1024 * 1024;

export interface ApplyObserver {
  /** Before each entry. */
  entryApplied?(entry: Entry): void;
  /** After a change of the configuration. */
  confApplied?(index: number, conf: ConfState): void;
  /** After each chunk, accepted or not. */
  chunkApplied?(chunk: Chunk, outcome: Outcome): void;
}

interface Waiter {
  readonly index: number;
  readonly term: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Driver implements Service {
  readonly consensus: Consensus;
  readonly #log: DurableLog;
  readonly #state: NodeState;
  readonly #logger: Logger;
  readonly #observers = new Set<ApplyObserver>();
  /** By index. */
  #waiters: Waiter[] = [];
  #stopped: Error | null = null;
  /** Set when an entry that must be applied is lost on this disk. */
  damaged: EntryDamaged | null = null;
  /** Wakes when the visible end moved or the list of files changed. */
  readonly advanced: Wakeup = new Wakeup();

  constructor(consensus: Consensus, log: DurableLog, state: NodeState, logger: Logger) {
    this.consensus = consensus;
    this.#log = log;
    this.#state = state;
    this.#logger = logger;
  }

  get term(): number {
    return this.consensus.node.term;
  }
  get commit(): number {
    return this.consensus.node.commit;
  }
  get applied(): number {
    return this.#state.stream.applied;
  }
  /** Wakes when a batch is durable, or what is uncommitted became less. */
  get progressed(): Wakeup {
    return this.consensus.progressed;
  }
  /** Leads, and all entries up to its own term's first are applied: it may act for the cluster. */
  get leads(): boolean {
    const { node, termStart } = this.consensus;
    return node.role === "leader" && termStart > 0 && this.applied >= termStart;
  }

  observe(observer: ApplyObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Proposes a chunk; its fate is told to observers. Throws ProposalDropped. */
  propose(payload: Uint8Array): number {
    if (this.#stopped !== null) throw this.#stopped;
    if (!this.leads) throw new ProposalDropped();
    this.consensus.propose(payload);
    return this.consensus.node.lastIndex;
  }

  /** Resolves once the command is committed and applied here; rejects with ProposalDropped. */
  async command(command: Command): Promise<void> {
    return this.#appliedAt(this.propose(encodeCommand(command)));
  }

  /** Resolves once everything appended so far is committed and applied. */
  settled(): Promise<void> {
    return this.#appliedAt(this.consensus.node.lastIndex);
  }

  #appliedAt(index: number): Promise<void> {
    if (this.#stopped !== null) return Promise.reject(this.#stopped);
    if (this.applied >= index) return Promise.resolve();
    const term = this.consensus.node.raft.log.termOrZero(index);
    return new Promise((resolve, reject) => this.#waiters.push({ index, term, resolve, reject }));
  }

  /** Applies what is known to be committed, so that serving can start; `run` does the rest. */
  recover(): Promise<void> {
    return this.#apply();
  }

  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.consensus.committed.wake();
    signal.addEventListener("abort", wake, { once: true });
    try {
      await Promise.all([this.consensus.run(signal), this.#applyAll(signal)]);
    } finally {
      signal.removeEventListener("abort", wake);
      this.#stop(new Error("This node is stopping"));
    }
  }

  async #applyAll(signal: AbortSignal): Promise<void> {
    // Reads go on from a damaged log; taking in does not.
    while (!signal.aborted) {
      const idle = this.applied >= this.consensus.node.appliable || this.damaged !== null;
      if (idle) await this.consensus.committed.wait();
      else await this.#apply();
    }
  }

  #stop(error: Error): void {
    this.#stopped = error;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
    this.progressed.wake();
  }

  async #apply(): Promise<void> {
    const { node } = this.consensus;
    while (this.applied < node.appliable && this.damaged === null) {
      let payloadBytes = 0;
      // As of before the read: of what comes behind, the read may see what is about to be replaced.
      const last = node.appliable;
      try {
        const lease = await this.#log.read(this.applied + 1, APPLY_BYTES);
        try {
          for (const entry of lease.entries) {
            if (entry.index > last) break;
            if (entry.index <= this.applied) continue;
            this.#applyEntry(entry);
            payloadBytes += entry.data.length;
          }
        } finally {
          lease.release();
        }
      } catch (error) {
        this.#cannotApply(error);
      }
      this.consensus.applied(this.applied, payloadBytes);
      this.#wakeWaiters();
    }
  }

  #cannotApply(error: unknown): void {
    const lost =
      error instanceof MalformedBytes ? new EntryDamaged(this.applied + 1, error.message) : error;
    if (!(lost instanceof EntryDamaged)) throw error;
    this.damaged = lost;
    this.consensus.cannotApply = true;
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
    this.#tellWaiters(entry);
    for (const observer of this.#observers) observer.entryApplied?.(entry);
    if (isConfChange(entry.type)) {
      this.#state.conf = this.consensus.applyConfChange(decodeConfChange(entry.data));
      stream.pass(entry.index);
      for (const observer of this.#observers) observer.confApplied?.(entry.index, this.#state.conf);
    } else if (isChunk(entry.data)) {
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
      for (const observer of this.#observers) observer.chunkApplied?.(chunk, outcome);
    } else if (isCommand(entry.data)) {
      this.#state.applyCommand(entry.index, decodeCommand(entry.data));
      this.advanced.wake();
    } else stream.pass(entry.index);
  }

  /** Another leader's entry stands where ours was to be. */
  #tellWaiters({ index, term }: Entry): void {
    const lost = this.#waiters.filter((waiter) => waiter.index === index && waiter.term !== term);
    if (lost.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !lost.includes(waiter));
    for (const waiter of lost) waiter.reject(new ProposalDropped());
  }

  #wakeWaiters(): void {
    const done = this.#waiters.filter((waiter) => waiter.index <= this.applied);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.index > this.applied);
    for (const waiter of done) waiter.resolve();
  }
}
