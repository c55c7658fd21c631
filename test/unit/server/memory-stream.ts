/**
 * A stream in memory for tests of the binlog server: chunks built from binlog files by the real
 * EventStream, folded by the real StreamState; only the log is an array.
 */
import { Wakeup } from "../../../src/base/service.ts";
import {
  type Chunk,
  ChunkFlag,
  decodeChunk,
  type SourceIdentity,
} from "../../../src/binlog/chunk.ts";
import { decodeFormatDescription, fakeRotate } from "../../../src/binlog/control-events.ts";
import type { BinlogFile } from "../../../src/binlog/file-view.ts";
import { frameEvent } from "../../../src/binlog/frames.ts";
import type { Mark } from "../../../src/binlog/marks.ts";
import { StreamState } from "../../../src/binlog/stream-state.ts";
import type { GtidSet } from "../../../src/gtid/gtid-set.ts";
import {
  type BinlogStream,
  type StreamPiece,
  type StreamPieces,
  StreamPurged,
  type StreamReader,
} from "../../../src/server/stream.ts";
import { EventStream } from "../../../src/syncer/event-stream.ts";
import { eventsOf } from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";

/** In-use flag of a live file, as a source clears it for the wire. */
export function onTheWire(file: Uint8Array): Uint8Array {
  const copy = file.slice();
  copy[4 + 17] = copy[4 + 17]! & 0xfe;
  return copy;
}

export class MemoryStream implements BinlogStream {
  readonly state = new StreamState();
  readonly advanced: Wakeup = new Wakeup();
  readonly entries: (Chunk | null)[] = [null];
  /** The same, encoded. */
  readonly payloads: (Uint8Array | null)[] = [null];
  firstIndex = 1;
  /** Pieces are copies that are overwritten when they are given back; false to measure speed. */
  strict = true;
  /** Leases that are out. */
  held = 0;
  #pullId = 0;
  #source: SourceIdentity;
  #stream: EventStream | null = null;

  constructor(uuid = "11111111-2222-3333-4444-555555555555", version = "9.7.4") {
    // As in a real log, its first entry is no chunk.
    this.entries.push(null);
    this.#source = { uuid, version };
    this.follow(this.#source);
  }

  /** As after a first chunk of that server, which tests need not have. */
  follow(source: SourceIdentity): void {
    this.#source = source;
    this.state.source = source;
    this.state.sourceUuids.add(source.uuid);
  }

  get files(): readonly BinlogFile[] {
    return this.state.files;
  }
  get epoch(): number {
    return this.state.epoch;
  }
  get executed(): GtidSet {
    return this.state.executed;
  }
  get purged(): GtidSet {
    return this.state.purged;
  }
  get source(): SourceIdentity | null {
    return this.state.source;
  }
  get sourceUuids(): ReadonlySet<string> {
    return this.state.sourceUuids;
  }
  get marks(): readonly Mark[] {
    return this.state.marks;
  }
  get visibleEnd(): number {
    return this.state.visibleEnd;
  }

  read(entry: number): StreamReader {
    return new MemoryReader(this, entry);
  }

  /** Takes a chunk as committed. */
  apply(payload: Uint8Array): void {
    const chunk = decodeChunk(payload);
    this.payloads[this.entries.length] = payload;
    this.entries.push(chunk);
    const outcome = this.state.applyChunk(this.entries.length - 1, chunk);
    if (!outcome.accepted) throw new Error(`Chunk is refused: ${outcome.reason}`);
    if (outcome.visibleMoved) this.advanced.wake();
  }

  /** A new pull: what was unfinished is dropped. */
  newPull(checksum: "NONE" | "CRC32", chunkBytes?: number, semiSync = false): EventStream {
    const { state } = this;
    const file = state.file;
    this.#stream = new EventStream({
      semiSync,
      checksum,
      crc32: nodeCrc32,
      cursor: {
        epoch: state.epoch,
        pull: { term: 1, id: ++this.#pullId },
        source: this.#source,
        pullSequence: 0,
        streamOffset: state.visibleEnd,
        file: file === null || file.end !== "open" ? "" : file.sourceName,
        fileOffset: file?.size ?? 4,
        sequence: state.visibleSequence,
        flags: ChunkFlag.RESTARTS,
      },
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    });
    return this.#stream;
  }

  /** Feeds packet bytes to the pull; chunks are applied as they become ready. */
  feed(bytes: Uint8Array, pieceBytes = 64 * 1024): void {
    const stream = this.#stream!;
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + pieceBytes);
      at += stream.push(bytes.subarray(at, end).slice());
      for (let built = stream.takeFull(); built !== null; built = stream.takeFull()) {
        this.apply(built.payload.slice());
      }
    }
    for (let built = stream.takeReady(); built !== null; built = stream.takeReady()) {
      this.apply(built.payload.slice());
    }
  }

  /** A whole file as a source streams it. */
  addFile(
    file: Uint8Array,
    name: string,
    options: { chunkBytes?: number; pieceBytes?: number } = {},
  ): void {
    const clean = onTheWire(file);
    const { checksum } = decodeFormatDescription(eventsOf(clean)[0]!);
    this.newPull(checksum, options.chunkBytes);
    const crc = checksum === "CRC32" ? nodeCrc32 : null;
    this.feed(framed([fakeRotate(name, 4, 1, crc), ...eventsOf(clean)]), options.pieceBytes);
  }

  purgeBefore(name: string): void {
    this.entries.push(null);
    this.state.purgeBefore(this.entries.length - 1, name);
    this.firstIndex = this.state.files[0]!.startEntry;
    this.advanced.wake();
  }
}

/** Events as packets that begin with number 1. */
export function framed(events: readonly Uint8Array[]): Uint8Array {
  let sequence = 1;
  return Buffer.concat(
    events.map((event) => {
      const packet = frameEvent(event, sequence);
      sequence += Math.floor((event.length + 1) / 0xffffff) + 1;
      return packet;
    }),
  );
}

class MemoryReader implements StreamReader {
  readonly #stream: MemoryStream;
  entry: number;
  #offset = 0;

  constructor(stream: MemoryStream, entry: number) {
    this.#stream = stream;
    this.entry = entry;
  }

  seek(entry: number): void {
    this.entry = entry;
    this.#offset = 0;
  }

  async next(): Promise<StreamPieces | null> {
    const { state, entries } = this.#stream;
    for (;;) {
      const { visible, dead } = state;
      if (this.entry > visible.entry) return null;
      if (this.entry === visible.entry && this.#offset >= visible.offset) return null;
      if (this.entry < this.#stream.firstIndex) throw new StreamPurged(this.entry);
      const chunk = entries[this.entry];
      const payload = this.#stream.payloads[this.entry];
      const lent = this.#stream.strict ? payload?.slice() : payload;
      const range = dead.find((one) => one.from.entry <= this.entry && this.entry <= one.toEntry);
      let to = chunk?.body.length ?? 0;
      if (this.entry === visible.entry) to = visible.offset;
      if (range !== undefined)
        to = Math.min(to, range.from.entry === this.entry ? range.from.offset : 0);
      const pieces: StreamPiece[] = [];
      if (chunk && to > this.#offset) {
        const file = state.files.findLast((one) => one.startEntry <= this.entry)!;
        pieces.push({
          entry: this.entry,
          chunk: lent === payload ? chunk : decodeChunk(lent!),
          from: this.#offset,
          to,
          file,
        });
      }
      if (this.entry === visible.entry && chunk && to < chunk.body.length) this.#offset = to;
      else {
        this.entry++;
        this.#offset = 0;
      }
      if (pieces.length === 0) continue;
      return this.#lend(pieces, lent!);
    }
  }

  /** As pooled memory is: used for something else once nobody reads or sends it. */
  #lend(pieces: readonly StreamPiece[], payload: Uint8Array): StreamPieces {
    const stream = this.#stream;
    let users = 0;
    const use = (): (() => void) => {
      let used = true;
      users++;
      stream.held++;
      return () => {
        if (!used) throw new Error("given back twice");
        used = false;
        stream.held--;
        if (--users === 0 && stream.strict) payload.fill(0xdd);
      };
    };
    return { pieces, release: use(), hold: use };
  }
}
