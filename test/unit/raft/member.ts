/** One node of a test: a RawNode over a log in memory, and a driver that carries out its Readies. */
import { decodeConfChange, isConfChange } from "../../../src/raft/conf-change.ts";
import { DEFAULT_RAFT_CONFIG, type RaftConfig } from "../../../src/raft/config.ts";
import { MemoryStorage } from "../../../src/raft/memory-storage.ts";
import { RawNode } from "../../../src/raft/raw-node.ts";
import {
  type ConfState,
  EMPTY_CONF_STATE,
  type Entry,
  type EntryType,
  type HardState,
  type Message,
  type MessageType,
  message,
  NO_BYTES,
  type ReadState,
  type Snapshot,
  silentRaftLogger,
} from "../../../src/raft/types.ts";

export type Options = Partial<Omit<RaftConfig, "id" | "storage">>;
/** Elections as in the first half of the thesis: no pre-vote, no lease. */
export const PLAIN: Options = { preVote: false, checkQuorum: false };

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

export function conf(voters: readonly number[], more: Partial<ConfState> = {}): ConfState {
  return { ...EMPTY_CONF_STATE, voters, ...more };
}

export function entry(index: number, term: number, data = NO_BYTES, type: EntryType = 0): Entry {
  return { index, term, type, data };
}

/** Entries behind `after` with these terms. */
export function entriesOf(terms: readonly number[], after = 0): Entry[] {
  return terms.map((term, i) => entry(after + 1 + i, term));
}

export function snapshotAt(
  index: number,
  term: number,
  state: ConfState,
  data = NO_BYTES,
): Snapshot {
  return { index, term, conf: state, data };
}

/** Always the same numbers for a seed. */
export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    // mulberry32: seeds that are near give numbers that are not.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Knows a first configuration without having a snapshot. */
export class TestStorage extends MemoryStorage {
  conf: ConfState;

  constructor(state: ConfState, terms: readonly number[] = []) {
    super();
    this.conf = state;
    this.append(entriesOf(terms));
  }

  override initialState(): { hardState: HardState; conf: ConfState } {
    return { hardState: this.hardState, conf: this.conf };
  }

  install(snapshot: Snapshot): void {
    if (this.applySnapshot(snapshot)) this.conf = snapshot.conf;
  }
}

export interface MemberSetup {
  readonly options?: Options;
  /** Terms of the entries that its log has. */
  readonly terms?: readonly number[];
  readonly hardState?: HardState;
  readonly learners?: readonly number[];
  readonly storage?: TestStorage;
}

export class Member {
  readonly id: number;
  readonly storage: TestStorage;
  node: RawNode;
  applied: Entry[] = [];
  reads: ReadState[] = [];
  #options: Options;

  constructor(id: number, voters: readonly number[], setup: MemberSetup = {}) {
    this.id = id;
    const { options = {}, terms = [], learners = [], hardState } = setup;
    this.storage = setup.storage ?? new TestStorage(conf(voters, { learners }), terms);
    if (hardState !== undefined) this.storage.setHardState(hardState);
    this.#options = options;
    this.node = this.#start(options.applied ?? 0);
  }

  #start(applied: number): RawNode {
    return new RawNode({
      ...DEFAULT_RAFT_CONFIG,
      random: generator(this.id),
      logger: silentRaftLogger,
      ...this.#options,
      applied,
      id: this.id,
      storage: this.storage,
    });
  }

  get raft(): RawNode["raft"] {
    return this.node.raft;
  }

  /** As after a crash: what is in the storage stays. */
  restart(options: Options = {}): void {
    this.#options = { ...this.#options, ...options };
    this.node = this.#start(this.applied.at(-1)?.index ?? this.storage.firstIndex() - 1);
  }

  /** Does all Readies; returns what is to be sent. */
  drain(): Message[] {
    const sent: Message[] = [];
    while (this.node.hasReady()) {
      const ready = this.node.ready();
      if (ready.snapshot !== null) this.storage.install(ready.snapshot);
      this.storage.append(ready.entries);
      if (ready.hardState !== null) this.storage.setHardState(ready.hardState);
      sent.push(...ready.messages);
      for (const one of ready.committedEntries) this.apply(one);
      this.reads.push(...ready.readStates);
      this.node.advance(ready);
    }
    return sent;
  }

  apply(one: Entry): void {
    this.applied.push(one);
    if (!isConfChange(one.type)) return;
    this.storage.conf = this.node.applyConfChange(decodeConfChange(one.data));
  }

  /** Steps a message of the node's own term, unless told, and returns what is to be sent. */
  receive(type: MessageType, from: number, fields: Partial<Message> = {}): Message[] {
    this.node.step(message(type, { from, to: this.id, term: this.node.term, ...fields }));
    return this.drain();
  }

  ticks(count: number): Message[] {
    const sent: Message[] = [];
    for (let i = 0; i < count; i++) {
      this.node.tick();
      sent.push(...this.drain());
    }
    return sent;
  }

  /** Wins an election with the votes of these. */
  lead(...voters: number[]): void {
    this.node.campaign();
    this.drain();
    for (const phase of ["MsgPreVoteResp", "MsgVoteResp"] as const) {
      if ((this.node.role === "pre-candidate") !== (phase === "MsgPreVoteResp")) continue;
      const term = this.node.term + (phase === "MsgPreVoteResp" ? 1 : 0);
      for (const from of voters) {
        if (this.node.role !== "leader") this.receive(phase, from, { term });
      }
    }
    if (this.node.role !== "leader") throw new Error(`${this.id} does not lead`);
  }

  progress(id: number): NonNullable<ReturnType<RawNode["raft"]["tracker"]["progress"]["get"]>> {
    const found = this.raft.tracker.progress.get(id);
    if (found === undefined) throw new Error(`no progress of ${id}`);
    return found;
  }

  terms(): number[] {
    const { log } = this.raft;
    const terms: number[] = [];
    for (let at = log.firstIndex(); at <= log.lastIndex(); at++) terms.push(log.termOrZero(at));
    return terms;
  }

  /** The payloads that were applied; empty entries and changes are left out. */
  payloads(): string[] {
    return this.applied
      .filter(({ type, data }) => type === 0 && data.length > 0)
      .map(({ data }) => text(data));
  }
}

export function types(sent: readonly Message[]): string[] {
  return sent.map(({ type, to }) => `${type}>${to}`);
}

export function to(sent: readonly Message[], id: number): Message[] {
  return sent.filter((m) => m.to === id);
}

export function only(sent: readonly Message[]): Message {
  if (sent.length !== 1) throw new Error(`one message, not ${JSON.stringify(types(sent))}`);
  return sent[0]!;
}
