/**
 * A backup: what a node needs to begin again with the whole history, as one stream of bytes.
 *
 *   "BRBACKUP" · u32 format · u32 length · JSON {clusterId, baseIndex, baseTerm, lastIndex, version}
 *   u32 length · the state as of baseIndex · u32 CRC-32 of all before it
 *   each entry:  u8 1 · u64 index · u64 term · u8 type · u32 length · payload · u32 CRC-32 of this record
 *   the end:     u8 0 · u64 entries · u32 CRC-32 of the entries' CRCs
 *
 * It holds committed entries only. A backup that was cut short has no end and is refused.
 */
import {
  ByteReader,
  ByteWriter,
  decodeText,
  encodeText,
  MalformedBytes,
  writeU32,
} from "../base/bytes.ts";
import type { Entry, EntryType } from "../raft/types.ts";
import type { Checkpoint } from "../storage/storage.ts";
import type { NodeCore } from "./node-core.ts";
import { OperationError } from "./operations.ts";

const MAGIC = "BRBACKUP";
const FORMAT = 1;
const READ_BYTES = 1024 * 1024;
const ENTRY_HEAD_BYTES = 22;
const MAX_HEAD_BYTES = 64 * 1024 * 1024;

type Crc32 = (bytes: Uint8Array, previous?: number) => number;

export interface BackupHead {
  readonly clusterId: string;
  readonly baseIndex: number;
  readonly baseTerm: number;
  readonly lastIndex: number;
  readonly version: string;
}

/** From the oldest file on to what is applied now. */
export async function* backupBytes(
  { log, state, driver }: NodeCore,
  version: string,
  crc32: Crc32,
): AsyncIterable<Uint8Array> {
  const floor = state.stream.files[0]?.startEntry ?? driver.applied + 1;
  const base = await log.checkpointBefore(floor);
  if (base === null)
    throw new OperationError("unavailable", "This node has no state to begin a backup with");
  const lastIndex = driver.applied;
  yield encodeHead(
    base,
    {
      clusterId: log.identity.clusterId,
      baseIndex: base.index,
      baseTerm: base.term,
      lastIndex,
      version,
    },
    crc32,
  );
  let count = 0;
  let crc = 0;
  for (let index = base.index + 1; index <= lastIndex; ) {
    const lease = await log.read(index, READ_BYTES);
    try {
      for (const entry of lease.entries) {
        if (entry.index < index || entry.index > lastIndex) continue;
        const record = encodeEntry(entry, crc32);
        crc = crc32(record.subarray(record.length - 4), crc);
        count++;
        index = entry.index + 1;
        yield record;
      }
    } finally {
      lease.release();
    }
  }
  yield new ByteWriter(13).u8(0).u64(count).u32(crc).finish();
}

function encodeHead(base: Checkpoint, head: BackupHead, crc32: Crc32): Uint8Array {
  const json = encodeText(JSON.stringify(head));
  const writer = new ByteWriter(32 + json.length + base.data.length);
  writer.text(MAGIC).u32(FORMAT).u32(json.length).raw(json).u32(base.data.length).raw(base.data);
  const bytes = writer.finish();
  return new ByteWriter(bytes.length + 4).raw(bytes).u32(crc32(bytes)).finish();
}

function encodeEntry({ index, term, type, data }: Entry, crc32: Crc32): Uint8Array {
  const writer = new ByteWriter(ENTRY_HEAD_BYTES + data.length + 4);
  writer.u8(1).u64(index).u64(term).u8(type).u32(data.length).raw(data);
  const bytes = writer.finish();
  const out = new Uint8Array(bytes.length + 4);
  out.set(bytes);
  writeU32(out, bytes.length, crc32(bytes));
  return out;
}

/** Pulls bytes of a stream in the sizes that are wanted. */
class Pull {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Uint8Array> {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) throw new MalformedBytes("the backup was cut short", at);
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, length - at);
      out.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return out;
  }
}

/** Reads a backup; entries come in order. Rejects with MalformedBytes for any byte that is not as it was. */
export class BackupReader {
  readonly #pull: Pull;
  readonly #crc32: Crc32;
  #head: BackupHead | null = null;

  constructor(chunks: AsyncIterable<Uint8Array>, crc32: Crc32) {
    this.#pull = new Pull(chunks);
    this.#crc32 = crc32;
  }

  async head(): Promise<{ readonly head: BackupHead; readonly base: Checkpoint }> {
    const parts = [await this.#pull.take(MAGIC.length + 8)];
    const first = new ByteReader(parts[0]!);
    if (first.text(MAGIC.length, "magic") !== MAGIC) first.fail("this is no backup of binraft");
    const format = first.u32("format");
    if (format !== FORMAT)
      first.fail(`backup format ${format}; this binraft knows ${FORMAT}: use a newer one`);
    const json = await this.#part(parts, first.u32("head"));
    const length = await this.#part(parts, 4);
    const data = await this.#part(parts, new ByteReader(length).u32("state"));
    let crc = 0;
    for (const part of parts) crc = this.#crc32(part, crc);
    if (new ByteReader(await this.#pull.take(4)).u32("crc") !== crc)
      throw new MalformedBytes("the head of the backup is damaged", 0);
    this.#head = JSON.parse(decodeText(json)) as BackupHead;
    const { baseIndex, baseTerm } = this.#head;
    return { head: this.#head, base: { index: baseIndex, term: baseTerm, data } };
  }

  async #part(parts: Uint8Array[], length: number): Promise<Uint8Array> {
    if (length > MAX_HEAD_BYTES) throw new MalformedBytes("the head of the backup is damaged", 0);
    const bytes = await this.#pull.take(length);
    parts.push(bytes);
    return bytes;
  }

  async *entries(): AsyncIterable<Entry> {
    let expected = this.#head!.baseIndex + 1;
    let crc = 0;
    let count = 0;
    for (;;) {
      const kind = (await this.#pull.take(1))[0];
      if (kind === 0) break;
      if (kind !== 1) throw new MalformedBytes("the backup is damaged", 0);
      const rest = await this.#pull.take(ENTRY_HEAD_BYTES - 1);
      const reader = new ByteReader(rest);
      const [index, term, type] = [reader.u64n("index"), reader.u64n("term"), reader.u8("type")];
      const length = reader.u32("length");
      if (index !== expected || length > MAX_HEAD_BYTES)
        throw new MalformedBytes(`the backup is damaged at entry ${expected}`, 0);
      const data = await this.#pull.take(length);
      const sum = await this.#pull.take(4);
      const own = this.#crc32(data, this.#crc32(rest, this.#crc32(Uint8Array.of(1))));
      if (new ByteReader(sum).u32("crc") !== own)
        throw new MalformedBytes(`the backup is damaged at entry ${index}`, 0);
      crc = this.#crc32(sum, crc);
      count++;
      expected++;
      yield { index, term, type: type as EntryType, data };
    }
    const end = new ByteReader(await this.#pull.take(12));
    if (
      end.u64n("entries") !== count ||
      end.u32("crc") !== crc ||
      expected !== this.#head!.lastIndex + 1
    )
      throw new MalformedBytes("the end of the backup does not fit what came before", 0);
  }
}
