/**
 * The fold beside a naive model of it: a list of what is in the stream and a list of what is not.
 * Chunks come from the real EventStream, and what replicas would get from the real reader.
 */
import assert from "node:assert/strict";
import { concatBytes } from "../../../src/base/bytes.ts";
import { type Chunk, ChunkFlag, decodeChunk, type Pull } from "../../../src/binlog/chunk.ts";
import { deadAt } from "../../../src/binlog/dead-ranges.ts";
import { frameEvent } from "../../../src/binlog/frames.ts";
import { decodeStreamState, encodeStreamState } from "../../../src/binlog/stream-checkpoint.ts";
import { type Outcome, StreamState } from "../../../src/binlog/stream-state.ts";
import { LogStreamReader } from "../../../src/cluster/stream-reader.ts";
import { type Entry, EntryType } from "../../../src/raft/types.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { EventStream } from "../../../src/syncer/event-stream.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import { FileMaker } from "../server/make-file.ts";

export const A = "aaaaaaaa-0000-0000-0000-000000000001";
export const B = "bbbbbbbb-0000-0000-0000-000000000002";

/** One unit's bytes in one entry. */
interface Piece {
  readonly entry: number;
  readonly from: number;
  readonly to: number;
  readonly eventBytes: number;
}

export class FoldWorld {
  state = new StreamState();
  readonly #entries: Entry[] = [];
  readonly #chunks = new Map<number, Chunk>();
  /** What the model says is in the stream, whole units first, then the open one. */
  #whole: Piece[] = [];
  #open: Piece[] = [];
  #dead: Piece[] = [];
  #first = 1;
  #pull: Pull = { term: 1, id: 0 };
  #chunksOfPull: Uint8Array[] = [];
  readonly #old: Uint8Array[] = [];
  #source = A;
  #maker: FileMaker | null = null;
  #names = 0;
  #gno = 0;

  get index(): number {
    return this.#entries.length;
  }

  /** The chunks that a pull would bring; none of them is applied yet. */
  pull(
    source: string,
    maker: FileMaker,
    name: string,
    from: number,
    chunkBytes = 400,
    streamOffset = this.state.visibleEnd,
  ): Uint8Array[] {
    this.#old.push(...this.#chunksOfPull);
    this.#pull = { term: 1, id: this.#pull.id + 1 };
    this.#source = source;
    const stream = new EventStream({
      semiSync: false,
      crc32: nodeCrc32,
      checksum: "CRC32",
      chunkBytes,
      cursor: {
        epoch: this.state.epoch,
        pull: this.#pull,
        source: { uuid: source, version: "9.7.0" },
        pullSequence: 0,
        streamOffset,
        file: name,
        fileOffset: from,
        sequence: this.state.visibleSequence,
        flags: ChunkFlag.RESTARTS,
      },
    });
    const packets: Uint8Array[] = [];
    let at = 4;
    for (const event of maker.events) {
      if (at >= from) packets.push(frameEvent(event, packets.length + 1));
      at += event.length;
    }
    const chunks: Uint8Array[] = [];
    const take = (built: { payload: Uint8Array } | null): boolean =>
      built !== null && chunks.push(built.payload.slice()) > 0;
    const input = concatBytes(packets);
    for (let done = 0; done < input.length; ) {
      done += stream.push(input.subarray(done).slice());
      while (take(stream.takeFull()));
    }
    while (take(stream.takeReady()));
    this.#chunksOfPull = chunks;
    return chunks;
  }

  apply(payload: Uint8Array): Outcome {
    const chunk = decodeChunk(payload);
    this.#entries.push({ index: this.index + 1, term: 1, type: EntryType.NORMAL, data: payload });
    const { index } = this;
    this.#chunks.set(index, chunk);
    const outcome = this.state.applyChunk(index, chunk);
    const units = chunk.units();
    const pieces: Piece[] = [];
    for (let i = 0, from = 0; i < units.length; from += units.framedBytes[i++]!) {
      const [to, eventBytes] = [from + units.framedBytes[i]!, units.eventBytes[i]!];
      pieces.push({ entry: index, from, to, eventBytes });
    }
    if (!outcome.accepted) this.#dead.push(...pieces);
    else {
      if ((chunk.flags & ChunkFlag.RESTARTS) !== 0) this.#dropOpen();
      const last = units.lastOpen ? pieces.pop() : undefined;
      if (pieces.length > 0) this.#whole.push(...this.#open.splice(0), ...pieces);
      if (last !== undefined) this.#open.push(last);
    }
    return outcome;
  }

  #dropOpen(): void {
    this.#dead.push(...this.#open.splice(0));
  }

  /** An entry that is no chunk. */
  control(apply: (index: number) => unknown): void {
    const data = new Uint8Array(0);
    this.#entries.push({ index: this.index + 1, term: 1, type: EntryType.NORMAL, data });
    apply(this.index);
  }

  newTimeline(): void {
    this.control((index) => this.state.newTimeline(index));
    this.#dropOpen();
  }

  purge(file: number): void {
    const kept = this.state.files[file];
    if (kept === undefined) return;
    this.control((index) => this.state.purgeBefore(index, kept.name));
    const isKept = (piece: Piece): boolean => piece.entry >= kept.startEntry;
    this.#whole = this.#whole.filter(isKept);
    this.#dead = this.#dead.filter(isKept);
    this.#first = this.state.files[0]!.startEntry;
  }

  /** As after a restart. */
  reload(): void {
    this.state = decodeStreamState(encodeStreamState(this.state));
  }

  /** Random steps; each number of a step means what its kind makes of it. */
  async step(kind: string, a: number, b: number): Promise<void> {
    switch (kind) {
      case "new file": {
        this.#maker = new FileMaker(this.state.executed.toString());
        this.#more(a, b);
        const source = a % 2 === 0 ? A : B;
        const name = `binlog.${String(++this.#names).padStart(6, "0")}`;
        return this.#some(this.pull(source, this.#maker, name, 4, 150 + b * 20), b);
      }
      case "resume": {
        const { file } = this.state;
        if (file === null || this.#maker === null) return;
        this.#more(a, b);
        const from = a % 7 === 0 ? 4 : file.size;
        const source = a % 5 === 0 ? B : this.#source;
        return this.#some(this.pull(source, this.#maker, file.sourceName, from, 150 + a * 20), b);
      }
      case "go on":
        return this.#some(this.#chunksOfPull, a);
      case "again": {
        const payload = this.#old[a % Math.max(1, this.#old.length)];
        if (payload !== undefined) this.apply(payload.slice());
        return;
      }
      case "control":
        this.control((index) => this.state.pass(index));
        return;
      case "new timeline":
        this.newTimeline();
        return;
      case "purge":
        this.purge(a % Math.max(1, this.state.files.length));
        return;
      default:
        this.reload();
    }
  }

  /** Transactions that the source commits in its newest file. */
  #more(count: number, bytes: number): void {
    for (let i = 0; i <= count % 3; i++)
      this.#maker!.transaction({ uuid: A, gno: ++this.#gno, bytes: 40 + bytes * 60 });
  }

  /** Applies some of what a pull has brought; of the rest another step may. */
  #some(chunks: Uint8Array[], count: number): void {
    for (const payload of chunks.splice(0, 1 + (count % 6))) this.apply(payload);
  }

  async check(): Promise<void> {
    const { dead, deadBytes } = this.state;
    for (const [i, { from, toEntry }] of dead.entries()) {
      assert.ok(from.entry <= toEntry);
      const before = dead[i - 1];
      if (before !== undefined) assert.ok(from.entry > before.toEntry, JSON.stringify(dead));
    }
    const sum = this.#dead.reduce((bytes, piece) => bytes + piece.eventBytes, 0);
    assert.equal(deadBytes, sum, "bytes that are dead");
    for (const piece of this.#dead) {
      const range = deadAt(dead, piece.entry);
      assert.ok(range !== null, `entry ${piece.entry} is dead`);
      if (range.from.entry === piece.entry) assert.ok(range.from.offset <= piece.from);
    }
    for (const piece of [...this.#whole, ...this.#open]) {
      const range = deadAt(dead, piece.entry);
      if (range === null) continue;
      assert.ok(range.from.entry === piece.entry && range.from.offset >= piece.to);
    }
    const wanted = this.#whole.map(({ entry, from, to }) =>
      this.#chunks.get(entry)!.body.subarray(from, to),
    );
    assert.deepEqual(await this.read(), concatBytes(wanted), "what is served is the stream");
  }

  async read(): Promise<Uint8Array> {
    const { state } = this;
    const entries = this.#entries;
    const log = {
      firstIndex: this.#first,
      readAhead: () => {},
      read: async (index: number) => ({
        entries: entries.slice(index - 1),
        release: () => {},
        hold: () => () => {},
      }),
    } as unknown as DurableLog;
    const reader = new LogStreamReader(log, state, state.files[0]?.startEntry ?? 1);
    const out: Uint8Array[] = [];
    for (let next = await reader.next(); next !== null; next = await reader.next())
      for (const { chunk, from, to } of next.pieces) out.push(chunk.body.subarray(from, to));
    return concatBytes(out);
  }
}
