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
import type { Clock } from "../platform/clock.ts";
import type { Crypto } from "../platform/crypto.ts";
import { type ConfChange, isConfChange } from "../raft/conf-change.ts";
import { ProposalDropped } from "../raft/errors.ts";
import type { ConfState, Entry, Snapshot } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";
import { EntryDamaged } from "../storage/storage.ts";
import { confChangeOf } from "./applied-change.ts";
import { type Command, decodeCommand, encodeCommand, isCommand, unknownEntry } from "./command.ts";
import { commandOf } from "./command-shapes.ts";
import { CommitTimes } from "./commit-times.ts";
import type { Consensus } from "./consensus.ts";
import { foldEntry, HashTrail } from "./entry-hash.ts";
import { NodeState } from "./node-state.ts";
import { OperationError } from "./operations.ts";
import { chunkOf } from "./stream-reader.ts";

/** Of an entry that apply passes over. */
const NOTHING_KIND = 0;
const APPLY_BYTES = 2 * 1024 * 1024;

export interface ApplyObserver {
  /** Before each entry. */
  entryApplied?(entry: Entry): void;
  /** After each command. */
  commandApplied?(command: Command): void;
  /** A snapshot took the place of all that was applied. */
  replaced?(): void;
  /** After a change of the configuration. */
  confApplied?(index: number, conf: ConfState): void;
  /** After each chunk, accepted or not. */
  chunkApplied?(chunk: Chunk, outcome: Outcome): void;
}

export interface DriverParts {
  readonly consensus: Consensus;
  readonly log: DurableLog;
  readonly state: NodeState;
  readonly logger: Logger;
  readonly crc32: Crypto["crc32"];
  readonly clock: Clock;
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
  readonly #crc32: Crypto["crc32"];
  readonly #observers = new Set<ApplyObserver>();
  readonly hashes: HashTrail = new HashTrail();
  readonly commitTimes: CommitTimes = new CommitTimes();
  readonly #clock: Clock;
  /** By index. */
  #waiters: Waiter[] = [];
  /** The last change of the members that had to wait until it is durable that it is committed. */
  #heldBack = 0;
  #stopped: Error | null = null;
  /** Set when an entry that must be applied is lost on this disk. */
  damaged: EntryDamaged | null = null;
  /** Wakes when the visible end moved or the list of files changed. */
  readonly advanced: Wakeup = new Wakeup();

  constructor({ consensus, log, state, logger, crc32, clock }: DriverParts) {
    this.#clock = clock;
    this.consensus = consensus;
    this.#log = log;
    this.#state = state;
    this.#logger = logger;
    this.#crc32 = crc32;
    consensus.onInstalled = (snapshot) => this.#installed(snapshot);
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
    const { lastIndex } = this.consensus.node;
    this.commitTimes.proposed(lastIndex, this.#clock.mono());
    return lastIndex;
  }

  /**
   * Resolves once the command is committed and applied here; rejects with ProposalDropped, or with
   * OperationError for one that no node would take.
   */
  async command(command: Command): Promise<void> {
    if (commandOf(command) === null)
      throw new OperationError("invalid", `A value of "${command.type}" is out of bounds`);
    return this.#appliedAt(this.propose(encodeCommand(command)));
  }

  /** Resolves with what the change made of the configuration, which may be nothing. */
  async changeMembers(change: ConfChange): Promise<ConfState> {
    if (this.#stopped !== null) throw this.#stopped;
    if (!this.leads) throw new ProposalDropped();
    this.consensus.proposeConfChange(change);
    await this.#appliedAt(this.consensus.node.lastIndex);
    return this.#state.conf;
  }

  /** Resolves once all is applied here that was committed anywhere when this was called. */
  async barrier(timeoutMs: number): Promise<void> {
    const index = await this.consensus.readIndex(timeoutMs);
    while (this.applied < index && this.#stopped === null && this.damaged === null)
      await this.progressed.wait();
    if (this.applied < index) throw this.#stopped ?? new ProposalDropped();
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
      const done = this.applied >= this.consensus.node.appliable || this.consensus.installing;
      const heldBack = !this.#isDurable(this.#heldBack);
      if (heldBack) this.progressed.once(() => this.consensus.committed.wake());
      const idle = done || this.damaged !== null || heldBack;
      if (idle) await this.consensus.committed.wait();
      else await this.#apply();
    }
  }

  /** That it is committed will be known after a crash. */
  #isDurable(index: number): boolean {
    return index <= this.#log.hardState.commit;
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
      if (this.consensus.installing) return;
      let payloadBytes = 0;
      // As of before the read: of what comes behind, the read may see what is about to be replaced.
      const last = node.appliable;
      try {
        const lease = await this.#log.read(this.applied + 1, APPLY_BYTES);
        try {
          for (const entry of lease.entries) {
            // The core has the configuration of the snapshot already.
            if (entry.index > last || this.consensus.installing) break;
            if (entry.index <= this.applied) continue;
            // Who forgot that a change is committed would count its votes by the old members, of whom too many may be
            // gone by then.
            if (isConfChange(entry.type) && !this.#isDurable(entry.index)) {
              this.#heldBack = entry.index;
              break;
            }
            this.#applyEntry(entry);
            payloadBytes += entry.data.length;
          }
        } finally {
          lease.release();
        }
      } catch (error) {
        if (this.consensus.installing || this.applied >= last) continue;
        this.#cannotApply(error);
      }
      if (this.leads) this.commitTimes.applied(this.applied, this.#clock.mono());
      else this.commitTimes.forget();
      this.consensus.applied(this.applied, payloadBytes);
      this.#wakeWaiters();
      if (!this.#isDurable(this.#heldBack)) return;
    }
  }

  /** The log begins anew behind a snapshot: so does what apply has built. */
  #installed({ index, data }: Snapshot): void {
    this.#state.replace(NodeState.decode(data));
    this.hashes.clear();
    this.damaged = null;
    this.consensus.cannotApply = false;
    this.#logger.warn("Everything before was purged by the others: going on behind it", {
      entry: index,
    });
    for (const observer of this.#observers) observer.replaced?.();
    this.#wakeWaiters();
    this.advanced.wake();
    this.consensus.committed.wake();
  }

  /** What was damaged is whole again. */
  mended(): void {
    this.damaged = null;
    this.consensus.mended();
  }

  #cannotApply(error: unknown): void {
    const lost =
      error instanceof MalformedBytes ? new EntryDamaged(this.applied + 1, error.message) : error;
    if (!(lost instanceof EntryDamaged)) throw error;
    this.damaged = lost;
    this.consensus.cannotApply = true;
    this.#logger.error(
      "The log is damaged: this node serves what lies before, takes in nothing new and acknowledges " +
        "nothing until it is repaired from a peer. Without peers: restore the data directory from a backup, " +
        "or start with an empty one, which pulls again what the source still has",
      { entry: lost.index, reason: lost.message },
    );
  }

  #applyEntry(entry: Entry): void {
    const { stream } = this.#state;
    assert(entry.index === stream.applied + 1, `entry ${entry.index} follows ${stream.applied}`);
    this.#tellWaiters(entry);
    for (const observer of this.#observers) observer.entryApplied?.(entry);
    this.#state.entryHash = foldEntry(this.#crc32, this.#state.entryHash, entry);
    this.hashes.note(entry.index, this.#state.entryHash);
    if (isConfChange(entry.type)) {
      const change = confChangeOf(entry);
      const conf = change === null ? null : this.consensus.applyConfChange(change);
      if (change === null || conf === null) this.#passOver(entry, "change of the members");
      else {
        this.#state.applyConfChange(entry.index, change, conf);
        for (const one of this.#observers) one.confApplied?.(entry.index, this.#state.conf);
      }
    } else if (isChunk(entry.data)) {
      const chunk = chunkOf(entry);
      const outcome = this.#state.applyChunk(entry.index, chunk);
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
      const command = decodeCommand(entry.data);
      if (command === null) this.#passOver(entry, "command");
      else {
        this.#state.applyCommand(entry.index, command);
        for (const observer of this.#observers) observer.commandApplied?.(command);
        this.advanced.wake();
      }
    } else if (entry.data.length > 0 && entry.data[0] !== NOTHING_KIND)
      throw unknownEntry(`entry ${entry.index} of a kind ${entry.data[0]}`);
    else stream.pass(entry.index);
  }

  /** Whatever was committed is applied everywhere, and everywhere alike. */
  #passOver({ index }: Entry, what: string): void {
    this.#logger.error("An entry cannot be what it says, and is passed over on all nodes", {
      entry: index,
      what,
    });
    this.#state.stream.pass(index);
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
