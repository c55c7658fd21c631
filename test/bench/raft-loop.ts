/**
 * Five Raft cores in one thread, with nothing between them but a list of messages: what the core
 * itself costs. A process of its own, so that no other part's heap is measured; prints JSON.
 *
 *   node --expose-gc test/bench/raft-loop.ts '{"payloadBytes":1024,"rounds":20000}'
 */
import { GCProfiler } from "node:v8";
import { DEFAULT_RAFT_CONFIG } from "../../src/raft/config.ts";
import { MemoryStorage } from "../../src/raft/memory-storage.ts";
import { RawNode } from "../../src/raft/raw-node.ts";
import {
  EMPTY_CONF_STATE,
  type Message,
  NO_BYTES,
  silentRaftLogger,
} from "../../src/raft/types.ts";
import type { LoopRequest, LoopResult } from "./raft-core.ts";

const IDS = [1, 2, 3, 4, 5];
/** So many proposals are under way at once, and a tick of everybody comes after so many rounds. */
const PROPOSALS = 16;
const ROUNDS_PER_TICK = 8;
const KEPT_ENTRIES = 1024;

class Loop {
  readonly #nodes = IDS.map((id) => start(id));
  #messages: Message[] = [];
  /** Calls of the cores so far. */
  calls = 0;
  applied = 0;

  constructor() {
    this.#leader.raw.campaign();
    this.#settle();
    if (this.#leader.raw.role !== "leader") throw new Error("The first node does not lead");
  }

  get #leader(): Member {
    return this.#nodes[0]!;
  }

  round(at: number, payload: Uint8Array): void {
    for (let i = 0; i < PROPOSALS; i++) this.#leader.raw.propose(payload);
    this.calls += PROPOSALS;
    this.#settle();
    if (at % ROUNDS_PER_TICK !== 0) return;
    for (const { raw } of this.#nodes) raw.tick();
    this.calls += this.#nodes.length;
    this.#settle();
  }

  #settle(): void {
    for (;;) {
      for (const member of this.#nodes) this.#drain(member);
      if (this.#messages.length === 0) return;
      const messages = this.#messages;
      this.#messages = [];
      for (const one of messages) this.#nodes[one.to - 1]!.raw.step(one);
      this.calls += messages.length;
    }
  }

  #drain(member: Member): void {
    const { raw, storage } = member;
    while (raw.hasReady()) {
      const ready = raw.ready();
      if (ready.hardState !== null) storage.setHardState(ready.hardState);
      storage.append(ready.entries);
      for (const one of ready.messages) this.#messages.push(one);
      const last = ready.committedEntries.at(-1);
      raw.advance(ready);
      this.calls += 2;
      if (last === undefined) continue;
      if (raw === this.#leader.raw) this.applied += ready.committedEntries.length;
      compact(storage, last.index);
    }
  }
}

interface Member {
  readonly raw: RawNode;
  readonly storage: MemoryStorage;
}

function start(id: number): Member {
  const storage = new MemoryStorage();
  const conf = { ...EMPTY_CONF_STATE, voters: IDS };
  storage.applySnapshot({ index: 1, term: 1, conf, data: NO_BYTES });
  storage.setHardState({ term: 1, vote: 0, commit: 1 });
  const raw = new RawNode({
    ...DEFAULT_RAFT_CONFIG,
    id,
    storage,
    applied: 1,
    random: () => id,
    logger: silentRaftLogger,
    // Batches of the same number of entries whatever their size, or two sizes could not be compared.
    maxCommittedSizePerReady: Number.POSITIVE_INFINITY,
  });
  return { raw, storage };
}

function compact(storage: MemoryStorage, applied: number): void {
  if (applied - storage.firstIndex() < 2 * KEPT_ENTRIES) return;
  storage.compact(applied - KEPT_ENTRIES);
}

function run({ payloadBytes, rounds }: LoopRequest): LoopResult {
  const payload = new Uint8Array(payloadBytes).fill(1);
  const loop = new Loop();
  for (let i = 1; i <= 2_000; i++) loop.round(i, payload);
  globalThis.gc?.();
  const before = { ...loop };
  const profiler = new GCProfiler();
  profiler.start();
  const memoryBefore = memory();
  const began = performance.now();
  for (let i = 1; i <= rounds; i++) loop.round(i, payload);
  const seconds = (performance.now() - began) / 1000;
  const allocatedBytes = memory() - memoryBefore;
  const collections = profiler.stop().statistics.length;
  const proposals = loop.applied - before.applied;
  if (proposals !== rounds * PROPOSALS) throw new Error(`${proposals} proposals were applied`);
  return { calls: loop.calls - before.calls, proposals, seconds, allocatedBytes, collections };
}

function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

console.log(JSON.stringify(run(JSON.parse(process.argv[2]!) as LoopRequest)));
