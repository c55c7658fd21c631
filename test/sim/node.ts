/**
 * One simulated node: a real core, and two images of its disk. What was handed over for writing is
 * durable when its write completes, an event of its own; a crash keeps what is durable alone.
 */
import { SeededRandom } from "../../runtime/memory/random.ts";
import {
  type ConfChange,
  decodeConfChange,
  encodeConfChange,
  isConfChange,
} from "../../src/raft/conf-change.ts";
import { DEFAULT_RAFT_CONFIG } from "../../src/raft/config.ts";
import { MemoryStorage } from "../../src/raft/memory-storage.ts";
import { RawNode } from "../../src/raft/raw-node.ts";
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type ConfState,
  type Entry,
  EntryType,
  type Message,
  NO_BYTES,
  type Ready,
  silentRaftLogger,
} from "../../src/raft/types.ts";
import type { SimOptions } from "./events.ts";

/** What a node does is told to who watches it. */
export interface NodeWatcher {
  send(from: SimNode, message: Message): void;
  applied(node: SimNode, entry: Entry): void;
  configured(node: SimNode, index: number, conf: ConfState): void;
  read(node: SimNode, index: number, context: Uint8Array): void;
}

/** The index up to which all nodes are the same when a run begins. */
export function firstIndexOf(conf: ConfState, { tracer }: SimOptions): number {
  return tracer === null ? 1 : conf.voters.length;
}

function bootstrapEntries({ voters }: ConfState): Entry[] {
  return voters.map((id, at) => {
    const changes = [{ type: "add-node", id }] as const;
    const data = encodeConfChange({ transition: "auto", changes, context: NO_BYTES });
    return { index: at + 1, term: 1, type: EntryType.CONF_CHANGE, data };
  });
}

export class SimNode {
  readonly id: number;
  readonly storage = new MemoryStorage();
  readonly #options: SimOptions;
  readonly #watcher: NodeWatcher;
  readonly #random: SeededRandom;
  core: RawNode | null = null;
  /** Without asynchronous writes: what is being written. */
  #writing: Ready | null = null;
  #appends: Message[] = [];
  #applies: Message[] = [];
  /** Of a term that is not durable yet. */
  #held: Message[] = [];
  conf: ConfState;
  appliedIndex = 0;
  pausedUntil = 0;

  constructor(id: number, conf: ConfState, options: SimOptions, watcher: NodeWatcher) {
    this.id = id;
    this.conf = conf;
    this.#options = options;
    this.#watcher = watcher;
    this.#random = new SeededRandom(options.seed).fork(`node ${id}`);
    const first = firstIndexOf(conf, options);
    if (options.tracer === null) {
      // A common beginning: everybody has the first configuration as a snapshot.
      this.storage.applySnapshot({ index: first, term: 1, conf, data: NO_BYTES });
    } else {
      this.storage.append(bootstrapEntries(conf));
      this.storage.createSnapshot(first, conf, NO_BYTES);
    }
    this.storage.setHardState({ term: 1, vote: 0, commit: first });
    this.start();
  }

  get up(): boolean {
    return this.core !== null;
  }

  start(): void {
    const snapshot = this.storage.snapshot();
    const { preVote, checkQuorum, asyncStorageWrites, maxInflight, maxBytes } = this.#options;
    this.conf = snapshot.conf;
    this.appliedIndex = snapshot.index;
    this.core = new RawNode({
      ...DEFAULT_RAFT_CONFIG,
      id: this.id,
      storage: this.storage,
      applied: snapshot.index,
      electionTick: 6,
      random: (below) => this.#random.below(below),
      logger: silentRaftLogger,
      preVote,
      checkQuorum,
      asyncStorageWrites,
      tracer: this.#options.tracer,
      maxInflightMessages: maxInflight,
      maxSizePerMessage: maxBytes,
      maxInflightBytes: maxBytes * 2,
      maxCommittedSizePerReady: maxBytes,
      priority: this.#options.priorities ? this.id % 3 : 0,
    });
  }

  crash(): void {
    this.core = null;
    this.#writing = null;
    this.#appends = [];
    this.#applies = [];
    this.#held = [];
  }

  /** Hands over what the core wants done. What promises nothing may leave at once. */
  pump(): void {
    const { core } = this;
    if (core === null) return;
    for (let i = 0; i < 50 && core.hasReady(); i++) {
      if (this.#options.asyncStorageWrites) {
        const ready = core.ready();
        this.#tellReads(ready);
        for (const message of ready.messages) this.#route(message);
      } else {
        const ready = core.ready();
        this.#writing = ready;
        this.#tellReads(ready);
        if (!ready.mustSync && ready.snapshot === null && ready.entries.length === 0) this.disk();
        else return;
      }
    }
  }

  #route(message: Message): void {
    if (message.to === APPEND_THREAD) this.#appends.push(message);
    else if (message.to === APPLY_THREAD) this.#applies.push(message);
    else if (this.#mayLeave(message)) this.#watcher.send(this, message);
    else this.#held.push(message);
  }

  /** The driver's rule: nothing of a term leaves before the hard state of that term is durable. */
  #mayLeave({ type, term }: Message): boolean {
    const asks = type === "MsgPreVote" || type === "MsgPreVoteResp";
    return asks || term <= this.storage.hardState.term;
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#route(message);
  }

  #tellReads({ readStates }: Ready): void {
    for (const { index, context } of readStates) this.#watcher.read(this, index, context);
  }

  /** One write completes. */
  disk(): void {
    const { core } = this;
    if (core === null) return;
    const ready = this.#writing;
    if (ready !== null) {
      this.#writing = null;
      this.#store(ready.hardState, ready.snapshot, ready.entries);
      for (const message of ready.messages) this.#watcher.send(this, message);
      this.#apply(ready.committedEntries);
      core.advance(ready);
      this.pump();
      return;
    }
    const append = this.#appends.shift();
    if (append !== undefined) {
      const { term, vote, commit, snapshot, entries } = append;
      this.#store(term === 0 ? null : { term, vote, commit }, snapshot, entries);
      this.#release();
      this.#respond(append);
    }
    const apply = this.#applies.shift();
    if (apply !== undefined) {
      this.#apply(apply.entries);
      this.#respond(apply);
    }
    this.pump();
  }

  #store(
    hardState: Ready["hardState"],
    snapshot: Ready["snapshot"],
    entries: readonly Entry[],
  ): void {
    if (hardState !== null) this.storage.setHardState(hardState);
    if (snapshot !== null && this.storage.applySnapshot(snapshot)) {
      this.conf = snapshot.conf;
      this.appliedIndex = snapshot.index;
    }
    this.storage.append(entries);
  }

  #respond({ responses }: Message): void {
    for (const response of responses) {
      if (response.to === this.id) this.core!.step(response);
      else this.#watcher.send(this, response);
    }
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.appliedIndex) continue;
      this.#watcher.applied(this, entry);
      this.appliedIndex = entry.index;
      if (!isConfChange(entry.type)) continue;
      this.conf = this.core!.applyConfChange(decodeConfChange(entry.data));
      this.#watcher.configured(this, entry.index, this.conf);
    }
  }

  proposeChange(change: ConfChange): void {
    this.core?.proposeConfChange(change, 2);
  }

  /** Forgets the log's beginning, as far as it is applied and durable. */
  compact(): void {
    const { commit } = this.storage.hardState;
    // With the configuration as of what is applied, so not below it.
    const index = this.appliedIndex;
    if (index > Math.min(this.storage.lastIndex(), commit)) return;
    if (index <= this.storage.snapshot().index) return;
    this.storage.createSnapshot(index, this.conf, NO_BYTES);
    if (index >= this.storage.firstIndex()) this.storage.compact(index);
  }
}
