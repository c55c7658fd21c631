/**
 * A chunk: what one Raft entry carries of the source's binlog. It is self-describing, so any node
 * can apply, skip and serve without reading event bodies.
 *
 *   head   u8 kind = 1 · u8 format = 2 · u8 flags · u8 firstSequence
 *          u32 epoch · u64 pull.term · u64 pull.id · u64 pull.sequence
 *          u64 streamOffset     event bytes of the stream before this chunk
 *          u64 fileOffset       where its first byte stands in the source's file (64 bits)
 *          u32 eventBytes · u32 bodyBytes · u32 firstPacketAt · u32 firstEventAt · u32 packets
 *          u32 timestamp · u32 tableBytes
 *          u8 length + the source's file name
 *          of a chunk that restarts: u8 length + server_uuid, u8 length + version of its source
 *   body   the raw events, each in the framing in which replicas get it: u24 length · u8 packet
 *          sequence · 00 · event, payloads of 16 MiB - 1 split as MySQL splits them
 *   table  varint sids: 16 uuid, u8 + tag
 *          varint runs: varint sid, varint first GTID number, varint count
 *          varint units: u8 kind | open << 3, varint framed bytes, varint event bytes
 *
 * Why framed: serving is then a write of what was stored, to any number of replicas. The events
 * inside are the source's bytes, untouched; `eventBytes` counts only them. `firstSequence` lets
 * bodies of following chunks join without a change; a reader that is out of step rewrites the
 * sequence bytes of its own copy.
 *
 * Runs name the GTIDs of all transactions that have bytes in this chunk, in stream order. The
 * first unit may continue one that began in an earlier chunk (flag CONTINUES), and the last may
 * be open: both are named in each chunk they touch. A body may begin and end inside an event,
 * even inside a packet: `firstPacketAt` is where its first packet header stands, `firstEventAt`
 * where the first event of it begins (the body's end when there is none).
 */
import { ByteReader, ByteWriter, encodeText } from "../base/bytes.ts";
import { uuidText } from "./gtid-event.ts";

export const CHUNK_KIND = 1;
/** 2: a chunk that restarts says which server it was pulled from. */
export const CHUNK_FORMAT = 2;

export const UnitKind = {
  TRANSACTION: 0,
  FORMAT_DESCRIPTION: 1,
  PREVIOUS_GTIDS: 2,
  ROTATE: 3,
  STOP: 4,
} as const;
export type UnitKind = (typeof UnitKind)[keyof typeof UnitKind];

export const ChunkFlag = {
  /** The first unit began in an earlier chunk. */
  CONTINUES: 1,
  /** The first chunk of a pull: it may drop an unfinished transaction of the pull before. */
  RESTARTS: 2,
  /** Begins a source file: its first unit is the file's FORMAT_DESCRIPTION. */
  NEW_FILE: 4,
  /** Its first event does not stand where the file's stored bytes end: what is between was not pulled. */
  AFTER_HOLE: 8,
  /** With NEW_FILE: this pull read the file before to its end, so that file has ended. */
  AFTER_END: 16,
  /** Its last unit does not end in it. */
  ENDS_OPEN: 32,
} as const;

/** Names a pull: one dump connection of one leader. Later pulls have a higher (term, id). */
export interface Pull {
  readonly term: number;
  readonly id: number;
}

/** Which server a pull reads from. */
export interface SourceIdentity {
  readonly uuid: string;
  readonly version: string;
}

/** Consecutive GTIDs `first` … `first + count - 1` of one sid. */
export interface GtidRun {
  readonly sid: string;
  readonly first: bigint;
  readonly count: number;
}

/** The units of a chunk, as columns: a MiB may hold thousands. */
export interface Units {
  readonly length: number;
  readonly kinds: Uint8Array;
  /** Bytes in this chunk's body. */
  readonly framedBytes: Uint32Array;
  /** Of these, bytes of events (what they count in the file). */
  readonly eventBytes: Uint32Array;
  /** The last one does not end in this chunk. */
  readonly lastOpen: boolean;
}

export interface ChunkHead {
  readonly flags: number;
  readonly firstSequence: number;
  readonly epoch: number;
  readonly pull: Pull;
  /** Position of this chunk in its pull, from 0. */
  readonly pullSequence: number;
  readonly streamOffset: number;
  readonly fileOffset: number;
  readonly eventBytes: number;
  readonly firstPacketAt: number;
  readonly firstEventAt: number;
  readonly packets: number;
  /** Of the last event in it, seconds since 1970. */
  readonly timestamp: number;
  readonly file: string;
  /** Of a chunk that restarts: the server that its pull reads from. Null of any other. */
  readonly source: SourceIdentity | null;
}

export interface Chunk extends ChunkHead {
  readonly body: Uint8Array;
  readonly runs: readonly GtidRun[];
  /** Decoded at first use: whoever sends the whole body never needs them. */
  units(): Units;
}

const FIXED_HEAD_BYTES = 4 + 4 + 8 * 5 + 4 * 7 + 1;

/** What a head takes at most: a name of 255 bytes, and of a first chunk its source. */
export const MAX_HEAD_BYTES: number = FIXED_HEAD_BYTES + 255 + 2 * 256;

/** The head's beginning as written, to be put in front of the body. */
export function encodeChunkHead(
  head: ChunkHead,
  bodyBytes: number,
  tableBytes: number,
): Uint8Array {
  const writer = new ByteWriter(128 + head.file.length);
  writer.u8(CHUNK_KIND).u8(CHUNK_FORMAT).u8(head.flags).u8(head.firstSequence);
  writer.u32(head.epoch).u64(head.pull.term).u64(head.pull.id).u64(head.pullSequence);
  writer.u64(head.streamOffset).u64(head.fileOffset);
  writer.u32(head.eventBytes).u32(bodyBytes).u32(head.firstPacketAt).u32(head.firstEventAt);
  writer.u32(head.packets).u32(head.timestamp).u32(tableBytes);
  writeText(writer, head.file);
  if (head.source !== null) {
    writeText(writer, head.source.uuid);
    writeText(writer, head.source.version);
  }
  return writer.finish();
}

function writeText(writer: ByteWriter, text: string): void {
  const bytes = encodeText(text);
  writer.u8(bytes.length).raw(bytes);
}

export function isChunk(payload: Uint8Array): boolean {
  return payload.length > 0 && payload[0] === CHUNK_KIND;
}

/** Views into `payload`. Throws MalformedBytes; a format above ours says so. */
export function decodeChunk(payload: Uint8Array): Chunk {
  const reader = new ByteReader(payload);
  if (reader.u8("entry kind") !== CHUNK_KIND) reader.fail("not a chunk");
  const format = reader.u8("chunk format");
  if (format !== CHUNK_FORMAT) {
    reader.fail(
      `chunk format ${format}; this binraft knows ${CHUNK_FORMAT}: use the version that wrote it`,
    );
  }
  const flags = reader.u8("flags");
  const firstSequence = reader.u8("first sequence");
  const epoch = reader.u32("epoch");
  const pull = { term: reader.u64n("pull term"), id: reader.u64n("pull id") };
  const pullSequence = reader.u64n("pull sequence");
  const streamOffset = reader.u64n("stream offset");
  const fileOffset = reader.u64n("file offset");
  const eventBytes = reader.u32("event bytes");
  const bodyBytes = reader.u32("body bytes");
  const firstPacketAt = reader.u32("first packet");
  const firstEventAt = reader.u32("first event");
  const packets = reader.u32("packets");
  const timestamp = reader.u32("timestamp");
  const tableBytes = reader.u32("table bytes");
  const file = reader.text(reader.u8("file name length"), "file name");
  const source =
    (flags & ChunkFlag.RESTARTS) === 0
      ? null
      : {
          uuid: reader.text(reader.u8("source uuid length"), "source uuid"),
          version: reader.text(reader.u8("source version length"), "source version"),
        };
  const body = reader.take(bodyBytes, "body");
  if (firstPacketAt > bodyBytes || firstEventAt > bodyBytes) reader.fail("first packet or event");
  if (reader.remaining !== tableBytes) reader.fail("table size");
  const runs = decodeRuns(reader);
  let decoded: Units | null = null;
  const units = (): Units => {
    decoded ??= decodeUnits(reader, bodyBytes, eventBytes, runs);
    return decoded;
  };
  return {
    flags,
    firstSequence,
    epoch,
    pull,
    pullSequence,
    streamOffset,
    fileOffset,
    eventBytes,
    firstPacketAt,
    firstEventAt,
    packets,
    timestamp,
    file,
    source,
    body,
    runs,
    units,
  };
}

function decodeRuns(reader: ByteReader): GtidRun[] {
  const sids: string[] = [];
  const sidCount = count(reader, 17, "sids");
  for (let i = 0; i < sidCount; i++) {
    const uuid = uuidText(reader.take(16, "uuid"));
    const tag = reader.text(reader.u8("tag length"), "tag");
    sids.push(tag === "" ? uuid : `${uuid}:${tag}`);
  }
  const runs: GtidRun[] = [];
  const runCount = count(reader, 3, "runs");
  for (let i = 0; i < runCount; i++) {
    const sid = sids[readVarint(reader)];
    if (sid === undefined) reader.fail("run of an unknown sid");
    runs.push({ sid, first: readVarint64(reader), count: readVarint(reader) });
  }
  return runs;
}

/** Each transaction with bytes in the chunk has its GTID in the runs, in order, and no other. */
function decodeUnits(
  reader: ByteReader,
  bodyBytes: number,
  eventBytes: number,
  runs: readonly GtidRun[],
): Units {
  const length = count(reader, 3, "units");
  const kinds = new Uint8Array(length);
  const framed = new Uint32Array(length);
  const events = new Uint32Array(length);
  let framedLeft = bodyBytes;
  let eventsLeft = eventBytes;
  let transactions = 0;
  let lastOpen = false;
  for (let i = 0; i < length; i++) {
    const head = reader.u8("unit");
    kinds[i] = head & 7;
    if ((head & 7) === UnitKind.TRANSACTION) transactions++;
    if (lastOpen) reader.fail("an open unit that is not the last");
    lastOpen = (head & 8) !== 0;
    framed[i] = readVarint(reader);
    events[i] = readVarint(reader);
    framedLeft -= framed[i]!;
    eventsLeft -= events[i]!;
  }
  if (framedLeft !== 0 || eventsLeft !== 0) reader.fail("units do not cover the body");
  for (const run of runs) transactions -= run.count;
  if (transactions !== 0) reader.fail("runs do not name the transactions");
  reader.expectEnd("chunk");
  return { length, kinds, framedBytes: framed, eventBytes: events, lastOpen };
}

/** A count is believed only as far as there are bytes for so many items. */
function count(reader: ByteReader, itemBytes: number, what: string): number {
  const value = readVarint(reader);
  if (value * itemBytes > reader.remaining) reader.fail(`${value} ${what}`);
  return value;
}

export function writeVarint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

function readVarint(reader: ByteReader): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 7; i++) {
    const byte = reader.u8("varint");
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  return reader.fail("varint is too long");
}

export function writeVarint64(out: number[], value: bigint): void {
  let rest = value;
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
}

function readVarint64(reader: ByteReader): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 63n; shift += 7n) {
    const byte = reader.u8("varint");
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return reader.fail("varint is too long");
}
