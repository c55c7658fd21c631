/**
 * Raft messages as nodes send them to each other: a fixed layout, little-endian, read with bounds
 * before anything is allocated. What stays on a node (storage threads, local messages) has no form.
 *
 *   u8 format (1) · u8 type · u8 reject · u64 from · to · term · logTerm · index · commit · vote ·
 *   rejectHint · priority · known index · known term · u32 length, context · u32 count of entries ·
 *   each: u64 term · u8 type · u32 length, payload (indexes follow `index`) ·
 *   u8 1 when a snapshot follows: u64 index · term · the configuration · u32 length, data
 *
 * A configuration is four lists (u32 count, u64 each): voters, learners, votersOutgoing,
 * learnersNext; and u8 autoLeave.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import {
  type ConfState,
  type Entry,
  EntryType,
  type Message,
  type MessageType,
  NO_BYTES,
  type Snapshot,
} from "../raft/types.ts";
import { MAX_MEMBERS } from "./protocol.ts";

const FORMAT = 1;
const MAX_CONTEXT_BYTES = 256;

/** By number; numbers are never reused. */
const TYPES: readonly MessageType[] = [
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
];
const NUMBERS: ReadonlyMap<MessageType, number> = new Map(TYPES.map((type, at) => [type, at + 1]));

/** About so many bytes; only a configuration of very many members makes it more. */
export function messageBytes(m: Message): number {
  let bytes = 128 + m.context.length + (m.snapshot?.data.length ?? 0);
  for (const { data } of m.entries) bytes += 13 + data.length;
  return bytes;
}

/** What is written is a copy: payloads may change once this has returned. */
export function writeMessage(out: ByteWriter, m: Message): void {
  const number = NUMBERS.get(m.type);
  if (number === undefined) throw new Error(`${m.type} is no message for a peer`);
  out
    .u8(FORMAT)
    .u8(number)
    .u8(m.reject ? 1 : 0);
  out.u64(m.from).u64(m.to).u64(m.term).u64(m.logTerm).u64(m.index).u64(m.commit);
  out.u64(m.vote).u64(m.rejectHint).u64(m.priority).u64(m.known.index).u64(m.known.term);
  out.u32(m.context.length).raw(m.context);
  out.u32(m.entries.length);
  for (const { term, type, data } of m.entries) {
    out.u64(term).u8(type).u32(data.length).raw(data);
  }
  out.u8(m.snapshot === null ? 0 : 1);
  if (m.snapshot !== null) writeSnapshot(out, m.snapshot);
}

export function encodeMessage(m: Message): Uint8Array {
  const out = new ByteWriter(messageBytes(m));
  writeMessage(out, m);
  return out.finish();
}

/** `own` makes of a payload, a view of `bytes`, what may be kept. Throws MalformedBytes. */
export function decodeMessage(
  bytes: Uint8Array,
  own: (payload: Uint8Array) => Uint8Array = (payload) => payload,
): Message {
  const reader = new ByteReader(bytes);
  const format = reader.u8("format");
  if (format !== FORMAT) reader.fail(`message format ${format}; this binraft knows ${FORMAT}`);
  const number = reader.u8("type");
  const type = TYPES[number - 1] ?? reader.fail(`message type ${number}`);
  const reject = readFlag(reader, "reject");
  const n = (what: string): number => reader.u64n(what);
  const head = { from: n("from"), to: n("to"), term: n("term"), logTerm: n("log term") };
  const places = { index: n("index"), commit: n("commit"), vote: n("vote") };
  const hints = { rejectHint: n("reject hint"), priority: n("priority") };
  const known = { index: n("known index"), term: n("known term") };
  const context = readBytes(reader, "context", MAX_CONTEXT_BYTES).slice();
  const entries = readEntries(reader, places.index, own);
  const snapshot = readFlag(reader, "snapshot") ? readSnapshot(reader) : null;
  reader.expectEnd("message");
  return {
    type,
    ...head,
    ...places,
    ...hints,
    known,
    reject,
    context,
    entries,
    snapshot,
    responses: [],
  };
}

function readFlag(reader: ByteReader, what: string): boolean {
  const flag = reader.u8(what);
  if (flag > 1) reader.fail(`${what} ${flag}`);
  return flag === 1;
}

function readBytes(reader: ByteReader, what: string, most: number): Uint8Array {
  const length = reader.u32(what);
  if (length > most) reader.fail(`${what} of ${length} bytes`);
  return length === 0 ? NO_BYTES : reader.take(length, what);
}

function readEntries(
  reader: ByteReader,
  previous: number,
  own: (payload: Uint8Array) => Uint8Array,
): Entry[] {
  const count = reader.u32("entries");
  reader.need(count * 13, "entries");
  const entries: Entry[] = [];
  for (let i = 1; i <= count; i++) {
    const term = reader.u64n("entry term");
    const type = reader.u8("entry type");
    if (type > EntryType.CONF_CHANGE_V2) reader.fail(`entry type ${type}`);
    const data = own(reader.take(reader.u32("payload"), "payload"));
    entries.push({ index: previous + i, term, type: type as EntryType, data });
  }
  return entries;
}

function writeSnapshot(out: ByteWriter, { index, term, conf, data }: Snapshot): void {
  out.u64(index).u64(term);
  for (const ids of [conf.voters, conf.learners, conf.votersOutgoing, conf.learnersNext]) {
    out.u32(ids.length);
    for (const id of ids) out.u64(id);
  }
  out.u8(conf.autoLeave ? 1 : 0);
  out.u32(data.length).raw(data);
}

function readSnapshot(reader: ByteReader): Snapshot {
  const index = reader.u64n("snapshot index");
  const term = reader.u64n("snapshot term");
  const conf: ConfState = {
    voters: readIds(reader),
    learners: readIds(reader),
    votersOutgoing: readIds(reader),
    learnersNext: readIds(reader),
    autoLeave: readFlag(reader, "auto leave"),
  };
  return {
    index,
    term,
    conf,
    data: reader.take(reader.u32("snapshot data"), "snapshot data").slice(),
  };
}

function readIds(reader: ByteReader): number[] {
  const count = reader.u32("ids");
  if (count > MAX_MEMBERS) reader.fail(`${count} ids`);
  reader.need(count * 8, "ids");
  return Array.from({ length: count }, () => reader.u64n("id"));
}
