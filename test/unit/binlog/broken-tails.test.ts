import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../../../src/base/bytes.ts";
import { type Chunk, ChunkFlag, decodeChunk } from "../../../src/binlog/chunk.ts";
import { frameEvent, Unframer } from "../../../src/binlog/frames.ts";
import { decodeStreamState, encodeStreamState } from "../../../src/binlog/stream-checkpoint.ts";
import { StreamState } from "../../../src/binlog/stream-state.ts";
import { LogStreamReader } from "../../../src/cluster/stream-reader.ts";
import { type Entry, EntryType } from "../../../src/raft/types.ts";
import type { Lease } from "../../../src/storage/block-cache.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { EventStream } from "../../../src/syncer/event-stream.ts";
import { eventsOf, fixture } from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";

const file = fixture("dml");
file[4 + 17] = file[4 + 17]! & 0xfe;
const events = eventsOf(file);

/** What the log holds of them. */
const entryOfChunk = new WeakMap<Chunk, Entry>();

function entryOf(chunk: Chunk, index: number): Entry {
  const entry = entryOfChunk.get(chunk)!;
  return entry.index === index ? entry : { ...entry, index };
}

/** What the source sends to a pull that begins at a file offset, as packets. */
function streamFrom(offset: number): Uint8Array {
  let at = 4;
  const parts: Uint8Array[] = [];
  for (const event of events) {
    if (at >= offset) parts.push(frameEvent(event, parts.length + 1));
    at += event.length;
  }
  return concatBytes(parts);
}

/** One pull that gets `bytes` of its stream, proposing as eagerly as it can. */
function pull(
  state: StreamState,
  log: Chunk[],
  id: number,
  bytes: number,
  chunkBytes: number,
): void {
  const offset = state.file?.size ?? 4;
  const stream = new EventStream({
    semiSync: false,
    crc32: nodeCrc32,
    checksum: "CRC32",
    chunkBytes,
    cursor: {
      epoch: 1,
      pull: { term: 1, id },
      source: { uuid: "11111111-2222-3333-4444-555555555555", version: "9.7.4" },
      pullSequence: 0,
      streamOffset: state.visibleEnd,
      file: "binlog.000001",
      fileOffset: offset,
      sequence: state.visibleSequence,
      flags: ChunkFlag.RESTARTS,
    },
  });
  const input = streamFrom(offset).subarray(0, bytes);
  for (let at = 0; at < input.length; ) {
    at += stream.push(input.subarray(at).slice());
    // A small chunk is cut in mid-transaction: that is what leaves a broken tail in the log.
    for (let built = stream.takeFull(); built !== null; built = stream.takeFull())
      apply(built.payload);
  }
  for (let built = stream.takeReady(); built !== null; built = stream.takeReady())
    apply(built.payload);

  function apply(payload: Uint8Array): void {
    const own = payload.slice();
    const chunk = decodeChunk(own);
    log.push(chunk);
    const place = { index: log.length, term: 1, type: EntryType.NORMAL };
    entryOfChunk.set(chunk, { ...place, data: own });
    const outcome = state.applyChunk(log.length, chunk);
    assert.equal(outcome.accepted, true, JSON.stringify(outcome));
  }
}

/** What the product's reader gives to replicas. */
async function visibleBytes(state: StreamState, log: readonly Chunk[]): Promise<Uint8Array> {
  const entries = log.map((chunk, i) => entryOf(chunk, i + 1));
  const read = async (index: number): Promise<Lease> => ({
    entries: entries.slice(index - 1),
    release() {},
    hold: () => () => {},
  });
  const fake: Pick<DurableLog, "firstIndex" | "read" | "readAhead"> = {
    firstIndex: 1,
    read,
    readAhead() {},
  };
  const reader = new LogStreamReader(fake as DurableLog, state, 1);
  const unframer = new Unframer();
  const out: Uint8Array[] = [];
  for (let next = await reader.next(); next !== null; next = await reader.next()) {
    for (const { chunk, from, to } of next.pieces)
      out.push(...unframer.push(chunk.body.subarray(from, to)));
  }
  return concatBytes(out);
}

test("A pull cut after any byte, twice in a row, leaves just the source's bytes", async () => {
  const total = streamFrom(4).length;
  for (const chunkBytes of [150, 1 << 20]) {
    for (let cut = 0; cut <= total; cut++) {
      const state = new StreamState();
      const log: Chunk[] = [];
      pull(state, log, 1, cut, chunkBytes);
      const first = await visibleBytes(state, log);
      assert.deepEqual(first, file.subarray(4, 4 + first.length), `cut ${cut}`);
      pull(state, log, 2, Math.floor(cut / 2) + 60, chunkBytes);
      pull(state, log, 3, total, chunkBytes);
      assert.deepEqual(await visibleBytes(state, log), file.subarray(4), `cut ${cut}`);
      assert.equal(state.file!.size, file.length);
      assert.equal(state.open, null);
    }
  }
});

test("A checkpoint between any two chunks restores the same fold", async () => {
  const total = streamFrom(4).length;
  for (let cut = 100; cut <= total; cut += 37) {
    let state = new StreamState();
    const log: Chunk[] = [];
    pull(state, log, 1, cut, 150);
    state = decodeStreamState(encodeStreamState(state));
    pull(state, log, 2, total, 150);
    assert.deepEqual(await visibleBytes(state, log), file.subarray(4), `cut ${cut}`);
  }
});

test("Chunks of an older pull, repeated or out of order, change nothing", async () => {
  const state = new StreamState();
  const log: Chunk[] = [];
  pull(state, log, 1, 900, 150);
  pull(state, log, 2, streamFrom(4).length, 150);
  const before = encodeStreamState(state);
  const bytes = await visibleBytes(state, log);
  for (const chunk of log.slice(0, 12)) {
    const copy = decodeStreamState(before);
    const outcome = copy.applyChunk(log.length + 1, chunk);
    assert.equal(outcome.accepted, false);
    assert.deepEqual(copy.executed.toString(), state.executed.toString());
    assert.deepEqual(copy.visible, state.visible);
    assert.deepEqual(await visibleBytes(copy, [...log, chunk]), bytes);
  }
});

test("A chunk of another pull is refused also where one with its place is wanted", () => {
  const total = streamFrom(4).length;
  const pulls = [1, 2].map((id) => {
    const log: Chunk[] = [];
    pull(new StreamState(), log, id, total, 150);
    return log;
  });
  const [older, newer] = pulls as [Chunk[], Chunk[]];
  assert.ok(newer.length > 2);
  const state = new StreamState();
  for (const [i, chunk] of newer.entries()) {
    if (i > 0) assert.equal(state.applyChunk(2 * i, older[i]!).accepted, false);
    assert.equal(state.applyChunk(2 * i + 1, chunk).accepted, true);
  }
});
