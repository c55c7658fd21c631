/**
 * The fold's state as bytes, for a checkpoint record or a snapshot. JSON: it is written once a
 * segment, read once at start, and an operator can read it. Large numbers are text.
 */
import { decodeText, encodeText } from "../base/bytes.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { SourceIdentity } from "./chunk.ts";
import type { DeadRange, StreamPoint } from "./dead-ranges.ts";
import type { FileEnd } from "./file-view.ts";
import { StreamState } from "./stream-state.ts";

/** 2: dead ranges have their size, and the last transaction what an operator said of it. */
const FORMAT = 2;

interface Saved {
  format: number;
  epoch: number;
  source: SourceIdentity | null;
  sourceUuids: string[];
  origins: number[];
  base: string | null;
  highestFileNumber: number;
  files: {
    name: string;
    number: number;
    sourceName: string;
    sourceUuid: string;
    epoch: number;
    startEntry: number;
    gtidsBefore: string;
    size: number;
    end: FileEnd;
    partial: boolean;
    firstTimestamp: number;
    lastTimestamp: number;
  }[];
  executed: string;
  purged: string;
  marks: [entry: number, file: number, fileOffset: number, streamOffset: number, gtids: string][];
  dead: DeadRange[];
  pull: { term: number; id: number };
  nextPullSequence: number;
  streamEnd: number;
  visibleEnd: number;
  visible: StreamPoint;
  fileEnd: number;
  sequence: number;
  visibleSequence: number;
  open: { sid: string; gno: string; start: StreamPoint } | null;
  last: {
    sid: string;
    gno: string;
    start: StreamPoint;
    file: string;
    fileOffset: number;
    eventBytes: number;
    unprovedAccepted: boolean;
  } | null;
  brokenPulls: number;
  applied: number;
}

export function encodeStreamState(state: StreamState): Uint8Array {
  const saved: Saved = {
    format: FORMAT,
    epoch: state.epoch,
    source: state.source,
    sourceUuids: [...state.sourceUuids],
    origins: [...state.origins],
    base: state.base,
    highestFileNumber: state.highestFileNumber,
    files: state.files.map((file) => ({ ...file, gtidsBefore: file.gtidsBefore.toString() })),
    executed: state.executed.toString(),
    purged: state.purged.toString(),
    marks: state.marks.map((m) => [
      m.entry,
      m.file,
      m.fileOffset,
      m.streamOffset,
      m.gtids.toString(),
    ]),
    dead: state.dead,
    pull: state.pull,
    nextPullSequence: state.nextPullSequence,
    streamEnd: state.streamEnd,
    visibleEnd: state.visibleEnd,
    visible: state.visible,
    fileEnd: state.fileEnd,
    sequence: state.sequence,
    visibleSequence: state.visibleSequence,
    open: state.open && { ...state.open, gno: state.open.gno.toString() },
    last: state.last && { ...state.last, gno: state.last.gno.toString() },
    brokenPulls: state.brokenPulls,
    applied: state.applied,
  };
  return encodeText(JSON.stringify(saved));
}

/** Throws on a format that this version does not know. The bytes were checked by their CRC. */
export function decodeStreamState(bytes: Uint8Array): StreamState {
  const saved = JSON.parse(decodeText(bytes)) as Saved;
  if (saved.format !== FORMAT) {
    throw new Error(
      `Checkpoint format ${saved.format} is unknown: this binraft knows ${FORMAT}; use the version that wrote it`,
    );
  }
  const state = new StreamState();
  state.epoch = saved.epoch;
  state.source = saved.source;
  for (const uuid of saved.sourceUuids) state.sourceUuids.add(uuid);
  for (const id of saved.origins) state.origins.add(id);
  state.base = saved.base;
  state.highestFileNumber = saved.highestFileNumber;
  for (const file of saved.files) {
    state.files.push({ ...file, gtidsBefore: GtidSet.parse(file.gtidsBefore) });
  }
  state.executed = GtidSet.parse(saved.executed);
  state.purged = GtidSet.parse(saved.purged);
  state.marks = saved.marks.map(([entry, file, fileOffset, streamOffset, gtids]) => ({
    entry,
    file,
    fileOffset,
    streamOffset,
    gtids: GtidSet.parse(gtids),
  }));
  state.dead = saved.dead;
  state.pull = saved.pull;
  state.nextPullSequence = saved.nextPullSequence;
  state.streamEnd = saved.streamEnd;
  state.visibleEnd = saved.visibleEnd;
  state.visible = saved.visible;
  state.fileEnd = saved.fileEnd;
  state.sequence = saved.sequence;
  state.visibleSequence = saved.visibleSequence;
  state.open = saved.open && { ...saved.open, gno: BigInt(saved.open.gno) };
  state.last = saved.last && { ...saved.last, gno: BigInt(saved.last.gno) };
  state.brokenPulls = saved.brokenPulls;
  state.applied = saved.applied;
  return state;
}
