/**
 * The fold over committed entries: from the same entries every node builds the same stream.
 *
 * A chunk is accepted only if it continues the stream exactly (same pull, next in sequence, same
 * stream offset, same place in the source's file), or is the first of a newer pull and restarts
 * at the end of the last complete unit. Anything else changes nothing and is remembered as dead,
 * so that readers pass over it. Two leaders pulling at once therefore cannot double or reorder.
 * A chunk that restarts names the server that it comes from: with it, and not before, that server
 * becomes our source.
 *
 * Invariants
 * - `visible` is the end of the last complete unit of the stream; only it is ever served.
 * - `executed` holds exactly the transactions in the stream plus `purged`.
 * - A GTID enters `executed` once: a chunk that brings one again is not accepted.
 * - `dead` is in order and without overlap (dead-ranges.ts).
 *
 * Pure; the whole state goes into a checkpoint (stream-checkpoint.ts).
 */
import { readU32 } from "../base/bytes.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import {
  type Chunk,
  ChunkFlag,
  type GtidRun,
  type Pull,
  type SourceIdentity,
  UnitKind,
} from "./chunk.ts";
import { bury, type DeadRange, type StreamPoint } from "./dead-ranges.ts";
import { type BinlogFile, type FileEnd, formatFileName, nextFileName } from "./file-view.ts";
import { FRAME_BYTES, timestampAt } from "./frames.ts";
import { addToMarks, type Mark } from "./marks.ts";

const MAX_ORIGINS = 4096;

export interface OpenTransaction {
  readonly sid: string;
  readonly gno: bigint;
  readonly start: StreamPoint;
}

/** The newest complete transaction: compared with the source's at attach. */
export interface LastTransaction {
  readonly sid: string;
  readonly gno: bigint;
  readonly start: StreamPoint;
  readonly file: string;
  readonly fileOffset: number;
  readonly eventBytes: number;
  /** An operator goes on although no source can prove any more that it has the same one. */
  readonly unprovedAccepted: boolean;
}

export type Outcome =
  | { readonly accepted: true; readonly visibleMoved: boolean }
  | { readonly accepted: false; readonly reason: string };

export class StreamState {
  epoch = 1;
  /** The server whose chunk was accepted last; null until there was one. */
  source: SourceIdentity | null = null;
  /** Every server_uuid that has been our source. */
  readonly sourceUuids: Set<string> = new Set();
  base: string | null = null;
  highestFileNumber = 0;
  readonly files: BinlogFile[] = [];
  executed: GtidSet = new GtidSet();
  purged: GtidSet = new GtidSet();
  marks: Mark[] = [];
  dead: DeadRange[] = [];
  pull: Pull = { term: 0, id: 0 };
  nextPullSequence = 0;
  /** Event bytes of the stream, an unfinished transaction's included; and up to `visible`. */
  streamEnd = 0;
  visibleEnd = 0;
  visible: StreamPoint = { entry: 0, offset: 0 };
  /** Where the next chunk must begin in the source's file; equals the last file's size when nothing is open. */
  fileEnd = 0;
  /** Packet number of the next packet, and at `visible`. */
  sequence = 1;
  visibleSequence = 1;
  open: OpenTransaction | null = null;
  last: LastTransaction | null = null;
  /** Server ids that events in the stream began with: a replica with one of them would drop those. */
  readonly origins: Set<number> = new Set();
  #lastOrigin = 0;
  /** Pulls in a row that broke inside the same transaction. */
  brokenPulls = 0;
  applied = 0;

  get file(): BinlogFile | null {
    return this.files[this.files.length - 1] ?? null;
  }

  /** True once this epoch stored anything: from then on the source's purged set is never taken for ours. */
  get started(): boolean {
    return this.file?.epoch === this.epoch;
  }

  get deadBytes(): number {
    return this.dead.reduce((sum, range) => sum + range.bytes, 0);
  }

  applyChunk(index: number, chunk: Chunk): Outcome {
    this.applied = index;
    const refusal = this.#refuse(chunk);
    if (refusal !== null) {
      bury(this.dead, {
        from: { entry: index, offset: 0 },
        toEntry: index,
        bytes: chunk.eventBytes,
      });
      return { accepted: false, reason: refusal };
    }
    if (chunk.source !== null) this.#restart(index, chunk, chunk.source);
    if ((chunk.flags & ChunkFlag.NEW_FILE) !== 0) this.#beginFile(index, chunk);
    const file = this.file!;
    if ((chunk.flags & ChunkFlag.AFTER_HOLE) !== 0) {
      file.partial = true;
      file.size = chunk.fileOffset;
    }
    this.nextPullSequence = chunk.pullSequence + 1;
    this.streamEnd += chunk.eventBytes;
    this.fileEnd = chunk.fileOffset + chunk.eventBytes;
    this.sequence = (chunk.firstSequence + chunk.packets) & 0xff;
    if (file.firstTimestamp === 0)
      file.firstTimestamp = timestampAt(chunk.body, chunk.firstEventAt) || chunk.timestamp;
    file.lastTimestamp = chunk.timestamp;
    addToMarks(this.marks, index, chunk, this.files.length - 1, this.streamEnd - chunk.eventBytes);
    return { accepted: true, visibleMoved: this.#takeUnits(index, chunk, file) };
  }

  #refuse(chunk: Chunk): string | null {
    const restarts = chunk.source !== null;
    if (chunk.epoch !== this.epoch) return `epoch ${chunk.epoch} is not ${this.epoch}`;
    if (restarts) {
      if (!isNewer(chunk.pull, this.pull)) return "the pull is not newer than the last";
      if (chunk.pullSequence !== 0) return "a pull must restart with its first chunk";
      if (chunk.streamOffset !== this.visibleEnd) return "it does not restart at the stream's end";
    } else {
      const { term, id } = chunk.pull;
      if (term !== this.pull.term || id !== this.pull.id) return "its pull is not the current one";
      if (chunk.pullSequence !== this.nextPullSequence) return "a chunk before it is missing";
      if (chunk.streamOffset !== this.streamEnd) return "it does not continue the stream";
    }
    const open = restarts ? null : this.open;
    if (((chunk.flags & ChunkFlag.CONTINUES) !== 0) !== (open !== null)) {
      return "it does not continue the unfinished transaction";
    }
    return this.#refuseFile(chunk, restarts) ?? this.#refuseGtids(chunk, open);
  }

  #refuseFile(chunk: Chunk, restarts: boolean): string | null {
    const file = this.file;
    if ((chunk.flags & ChunkFlag.NEW_FILE) !== 0) {
      return chunk.fileOffset === 4 ? null : "a file must begin at offset 4";
    }
    if (file === null || file.sourceName !== chunk.file)
      return `file "${chunk.file}" has not begun`;
    if (chunk.source !== null && chunk.source.uuid !== file.sourceUuid)
      return `file "${chunk.file}" is of another source, ${file.sourceUuid}`;
    if (file.end !== "open") return `file "${chunk.file}" has ended`;
    const end = restarts ? file.size : this.fileEnd;
    if ((chunk.flags & ChunkFlag.AFTER_HOLE) !== 0) {
      return chunk.fileOffset > end ? null : "a hole must lead forward";
    }
    return chunk.fileOffset === end ? null : `it begins at ${chunk.fileOffset}, not at ${end}`;
  }

  #refuseGtids(chunk: Chunk, open: OpenTransaction | null): string | null {
    const first = chunk.runs[0];
    if (open !== null && (first?.sid !== open.sid || first.first !== open.gno)) {
      return "it continues another transaction";
    }
    for (const run of chunk.runs) {
      const last = run.first + BigInt(run.count) - 1n;
      if (this.executed.has(run.sid, run.first) || this.executed.has(run.sid, last)) {
        return `it brings a GTID of ${run.sid}:${run.first}-${last} again`;
      }
    }
    return null;
  }

  /** A newer pull takes over; what the old one left unfinished is dead. */
  #restart(index: number, chunk: Chunk, source: SourceIdentity): void {
    if (this.open !== null) {
      this.#buryOpen(this.open, index);
      this.brokenPulls++;
    }
    this.sequence = this.visibleSequence;
    this.pull = chunk.pull;
    this.source = source;
    this.sourceUuids.add(source.uuid);
  }

  /** What came of it so far is dead, and all that was refused meanwhile. */
  #buryOpen(open: OpenTransaction, index: number): void {
    const bytes = this.streamEnd - this.visibleEnd;
    bury(this.dead, { from: open.start, toEntry: index - 1, bytes });
    this.open = null;
    this.streamEnd = this.visibleEnd;
  }

  #beginFile(index: number, chunk: Chunk): void {
    const before = this.file;
    // Without ROTATE or STOP: the source crashed there, or we left it for another one, or its end
    // was gone when we came back.
    if (before !== null && before.end === "open") {
      before.end = (chunk.flags & ChunkFlag.AFTER_END) !== 0 ? "crash" : "tail-unknown";
    }
    const { base, number } = nextFileName(chunk.file, this.base, this.highestFileNumber);
    this.base = base;
    this.highestFileNumber = number;
    this.files.push({
      name: formatFileName(base, number),
      number,
      sourceName: chunk.file,
      sourceUuid: this.source!.uuid,
      epoch: this.epoch,
      startEntry: index,
      gtidsBefore: this.executed.clone(),
      size: 4,
      end: "open",
      partial: false,
      firstTimestamp: 0,
      lastTimestamp: 0,
    });
  }

  /** Extends the executed set and moves the visible end; true when it moved. */
  #takeUnits(index: number, chunk: Chunk, file: BinlogFile): boolean {
    const units = chunk.units();
    const open = units.lastOpen;
    let offset = 0;
    let events = 0;
    let lastStart = 0;
    let lastEvents = 0;
    let lastIndex = -1;
    const complete = open ? units.length - 1 : units.length;
    for (let i = 0; i < complete; i++) {
      if (units.kinds[i] === UnitKind.TRANSACTION) {
        if (i > 0 || this.open === null) this.#noteOrigin(chunk.body, offset);
        lastIndex = i;
        lastStart = offset;
        lastEvents = events;
      }
      offset += units.framedBytes[i]!;
      events += units.eventBytes[i]!;
    }
    for (let i = 0; i < chunk.runs.length; i++) {
      this.#execute(chunk.runs[i]!, open && i === chunk.runs.length - 1);
    }
    if (lastIndex >= 0) {
      const bytes = units.eventBytes[lastIndex]!;
      this.#setLast(index, chunk, file, lastIndex === 0, lastStart, lastEvents, bytes);
    }
    const openBefore = this.open;
    this.open = null;
    if (open) {
      const gtid = lastGtid(chunk.runs);
      const continues = openBefore !== null && complete === 0;
      this.open = continues ? openBefore : { ...gtid, start: { entry: index, offset } };
    }
    if (complete === 0) return false;
    this.brokenPulls = 0;
    this.visible = { entry: index, offset };
    this.visibleEnd = this.streamEnd - (chunk.eventBytes - events);
    // Packets of an unfinished tail are few; a reader that is out of step there renumbers.
    this.visibleSequence = this.sequence;
    file.size = chunk.fileOffset + events;
    file.end = endOf(units.kinds[complete - 1]!);
    return true;
  }

  /** The server id in the header of the event that stands framed at `offset`. */
  #noteOrigin(body: Uint8Array, offset: number): void {
    const serverId = readU32(body, offset + FRAME_BYTES + 5);
    if (serverId === this.#lastOrigin || this.origins.size >= MAX_ORIGINS) return;
    this.#lastOrigin = serverId;
    this.origins.add(serverId);
  }

  #execute(run: GtidRun, withoutLast: boolean): void {
    const count = withoutLast ? run.count - 1 : run.count;
    if (count > 0) this.executed.add(run.sid, run.first, run.first + BigInt(count) - 1n);
  }

  #setLast(
    index: number,
    chunk: Chunk,
    file: BinlogFile,
    isFirstUnit: boolean,
    offset: number,
    events: number,
    eventBytes: number,
  ): void {
    const runs = chunk.runs;
    const tail = lastGtid(runs);
    const gtid = !chunk.units().lastOpen ? tail : beforeLast(runs);
    const begun = isFirstUnit && (chunk.flags & ChunkFlag.CONTINUES) !== 0 ? this.open : null;
    const end = chunk.fileOffset + events + eventBytes;
    const start = begun?.start ?? { entry: index, offset };
    const fileOffset = begun === null ? chunk.fileOffset + events : file.size;
    this.last = {
      ...gtid,
      start,
      file: file.name,
      fileOffset,
      eventBytes: end - fileOffset,
      unprovedAccepted: false,
    };
  }

  /** Of a log that stored nothing yet: what the source no longer has is what we never had. */
  start(index: number, purged: GtidSet): void {
    this.applied = index;
    if (this.started) return;
    this.purged = purged.clone();
    this.executed = purged.clone();
  }

  /**
   * The operator accepts that these transactions are lost to replicas that follow us. What the source
   * has purged it cannot prove either.
   */
  acceptGap(index: number, missing: GtidSet): void {
    this.acceptUnproved(index);
    this.executed.addSet(missing);
    this.purged.addSet(missing);
  }

  /** The operator vouches that the source has our last transaction, which it purged. */
  acceptUnproved(index: number): void {
    this.applied = index;
    if (this.last !== null) this.last = { ...this.last, unprovedAccepted: true };
  }

  /** A new epoch with an empty executed set; the old files stay for export. */
  newTimeline(index: number): void {
    this.applied = index;
    if (this.open !== null) this.#buryOpen(this.open, index);
    const file = this.file;
    if (file !== null && file.end === "open") file.end = "tail-unknown";
    this.epoch++;
    this.brokenPulls = 0;
    this.last = null;
    this.source = null;
    this.sourceUuids.clear();
    this.executed = new GtidSet();
    this.purged = new GtidSet();
  }

  /** Entries that carry nothing for the stream. */
  pass(index: number): void {
    this.applied = index;
  }

  /** Drops whole files before `firstKept`. Purged grows by what they held. */
  purgeBefore(index: number, firstKept: string): readonly BinlogFile[] {
    this.applied = index;
    const at = this.files.findIndex((file) => file.name === firstKept);
    if (at <= 0) return [];
    const kept = this.files[at]!;
    const dropped = this.files.splice(0, at);
    if (kept.epoch === this.epoch) this.purged.addSet(kept.gtidsBefore);
    this.marks = this.marks.filter((mark) => mark.file >= at);
    for (const mark of this.marks) mark.file -= at;
    this.dead = this.dead.filter((range) => range.toEntry >= kept.startEntry);
    return dropped;
  }
}

function isNewer(a: Pull, b: Pull): boolean {
  return a.term > b.term || (a.term === b.term && a.id > b.id);
}

function lastGtid(runs: readonly GtidRun[]): { sid: string; gno: bigint } {
  const run = runs[runs.length - 1]!;
  return { sid: run.sid, gno: run.first + BigInt(run.count - 1) };
}

/** The second to last transaction. */
function beforeLast(runs: readonly GtidRun[]): { sid: string; gno: bigint } {
  const run = runs[runs.length - 1]!;
  if (run.count > 1) return { sid: run.sid, gno: run.first + BigInt(run.count - 2) };
  return lastGtid(runs.slice(0, -1));
}

function endOf(kind: number): FileEnd {
  if (kind === UnitKind.ROTATE) return "rotate";
  return kind === UnitKind.STOP ? "stop" : "open";
}
