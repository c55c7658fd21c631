/** What the syncer sees of this node (contract: syncer/host.ts). */
import type { BufferPool } from "../base/buffer-pool.ts";
import { concatBytes } from "../base/bytes.ts";
import type { Wakeup } from "../base/service.ts";
import { isChunk } from "../binlog/chunk.ts";
import type { StreamPoint } from "../binlog/dead-ranges.ts";
import { Unframer, walkEvents } from "../binlog/frames.ts";
import type { StreamState } from "../binlog/stream-state.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import { type SourceValues, sameSourceValues } from "../mysql/source-values.ts";
import { EntryType } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";
import type { SyncerHost } from "../syncer/host.ts";
import type { ApplyObserver, Driver } from "./driver.ts";
import type { NodeCore } from "./node-core.ts";
import type { NodeState } from "./node-state.ts";
import { chunkOf, LogStreamReader, streamBytesOf } from "./stream-reader.ts";
import { mayWrite, SOURCE_VALUES_FORMAT } from "./version-gate.ts";

const SETTLE_MS = 10_000;
/** The rest is for what is about to be proposed, and for headers. */
const ROOM_SHARE = 0.75;
/** How far back the last events are looked for. */
const MAX_TAIL_ENTRIES = 1_000;

/** Of the cluster. */
export interface Voters {
  /** A quorum's disks have room for more than what is on its way. */
  readonly quorumHasSpace: boolean;
}

export class NodeSyncerHost implements SyncerHost {
  readonly #driver: Driver;
  readonly #log: DurableLog;
  readonly #state: NodeState;

  readonly #voters: Voters | null;
  /** The source's values are on their way into the log. */
  #isSaying = false;
  readonly pool: BufferPool;

  /** `voters`: null on a node of its own. */
  constructor(core: NodeCore, voters: Voters | null) {
    const { driver, log, state } = core;
    this.pool = core.pool;
    this.#driver = driver;
    this.#log = log;
    this.#state = state;
    this.#voters = voters;
  }

  get stream(): StreamState {
    return this.#state.stream;
  }
  get term(): number {
    return this.#driver.term;
  }
  get leads(): boolean {
    return this.#driver.leads && this.#driver.damaged === null;
  }
  get pendingBytes(): number {
    const { uncommittedBytes } = this.#driver.consensus;
    const hasSpace = this.#voters === null || this.#voters.quorumHasSpace;
    const room = hasSpace ? this.#log.roomBytes * ROOM_SHARE : 0;
    return room > 0 && uncommittedBytes <= room ? uncommittedBytes : Number.POSITIVE_INFINITY;
  }
  get isWriting(): boolean {
    return this.#driver.consensus.unsyncedBytes > 0;
  }
  get progressed(): Wakeup {
    return this.#driver.progressed;
  }

  propose(payload: Uint8Array): number {
    return this.#driver.propose(payload);
  }
  /** Also that this node leads still: a deposed leader must not ask for what others have committed. */
  async settled(): Promise<void> {
    await this.#driver.barrier(SETTLE_MS);
    await this.#driver.settled();
  }
  start(purged: GtidSet): Promise<void> {
    return this.#driver.command({ type: "start", purged: purged.toString() });
  }
  sourceSays(values: SourceValues): void {
    if (this.#isSaying || !mayWrite(this.#state, SOURCE_VALUES_FORMAT)) return;
    if (sameSourceValues(this.#state.settings.sourceValues, values)) return;
    this.#isSaying = true;
    this.#driver
      .command({ type: "set-source-values", values })
      // Leadership went, or there is no room: the next look says it again.
      .catch(() => {})
      .finally(() => {
        this.#isSaying = false;
      });
  }
  observe(observer: ApplyObserver): () => void {
    return this.#driver.observe(observer);
  }

  async storedEvents(from: StreamPoint, length: number): Promise<Uint8Array> {
    const reader = new LogStreamReader(this.#log, this.stream, from.entry);
    const unframer = new Unframer();
    const parts: Uint8Array[] = [];
    let have = 0;
    while (have < length) {
      const next = await reader.next();
      if (next === null) break;
      for (const piece of next.pieces) {
        const start = piece.entry === from.entry ? Math.max(piece.from, from.offset) : piece.from;
        for (const part of unframer.push(piece.chunk.body.subarray(start, piece.to))) {
          parts.push(part.slice());
          have += part.length;
        }
        if (have >= length) break;
      }
      next.release();
    }
    return concatBytes(parts).subarray(0, length);
  }

  async storedTail(events: number, maxBytes: number): Promise<Uint8Array> {
    const { stream } = this;
    const first = Math.max(stream.file?.startEntry ?? 0, stream.visible.entry - MAX_TAIL_ENTRIES);
    let wanted = events;
    let passed = 0;
    for (let entry = stream.visible.entry; entry >= first && passed <= maxBytes; entry--) {
      const starts = await this.#eventsIn(entry);
      passed += starts.end;
      if (starts.offsets.length >= wanted) {
        const offset = starts.offsets.at(-wanted)!;
        const bytes = await this.storedEvents({ entry, offset }, maxBytes + 1);
        return bytes.length <= maxBytes ? bytes : new Uint8Array(0);
      }
      wanted -= starts.offsets.length;
    }
    return new Uint8Array(0);
  }

  /** Where events of the visible stream begin in an entry's chunk, and how far it belongs to that. */
  async #eventsIn(index: number): Promise<{ offsets: readonly number[]; end: number }> {
    const offsets: number[] = [];
    const lease = await this.#log.read(index, 1);
    try {
      const entry = lease.entries[0];
      if (entry?.type !== EntryType.NORMAL || !isChunk(entry.data)) return { offsets, end: 0 };
      const chunk = chunkOf(entry);
      const end = streamBytesOf(this.stream, index, chunk);
      walkEvents(chunk.body.subarray(0, end), Math.min(chunk.firstEventAt, end), (event) => {
        offsets.push(event.frameAt);
        return true;
      });
      return { offsets, end };
    } finally {
      lease.release();
    }
  }
}
