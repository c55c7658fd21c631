import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../../../src/base/bytes.ts";
import { type Chunk, ChunkFlag, decodeChunk } from "../../../src/binlog/chunk.ts";
import { frameEvent, Unframer } from "../../../src/binlog/frames.ts";
import { decodeStreamState, encodeStreamState } from "../../../src/binlog/stream-checkpoint.ts";
import { StreamState } from "../../../src/binlog/stream-state.ts";
import { EventStream } from "../../../src/syncer/event-stream.ts";
import { eventsOf, fixture } from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";

const file = fixture("dml");
file[4 + 17] = file[4 + 17]! & 0xfe;
const events = eventsOf(file);

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
    const chunk = decodeChunk(payload.slice());
    log.push(chunk);
    const outcome = state.applyChunk(log.length, chunk);
    assert.equal(outcome.accepted, true, JSON.stringify(outcome));
  }
}

/** What a reader would send: the visible stream without dead bytes. */
function visibleBytes(state: StreamState, log: readonly Chunk[]): Uint8Array {
  const unframer = new Unframer();
  const out: Uint8Array[] = [];
  for (const [i, chunk] of log.entries()) {
    const entry = i + 1;
    if (entry > state.visible.entry) break;
    let end = entry === state.visible.entry ? state.visible.offset : chunk.body.length;
    for (const range of state.dead) {
      if (entry > range.from.entry && entry <= range.toEntry) end = 0;
      else if (entry === range.from.entry) end = Math.min(end, range.from.offset);
    }
    out.push(...unframer.push(chunk.body.subarray(0, end)));
  }
  return concatBytes(out);
}

test("A pull cut after any byte, twice in a row, leaves just the source's bytes", () => {
  const total = streamFrom(4).length;
  for (const chunkBytes of [150, 1 << 20]) {
    for (let cut = 0; cut <= total; cut++) {
      const state = new StreamState();
      const log: Chunk[] = [];
      pull(state, log, 1, cut, chunkBytes);
      const first = visibleBytes(state, log);
      assert.deepEqual(first, file.subarray(4, 4 + first.length), `cut ${cut}`);
      pull(state, log, 2, Math.floor(cut / 2) + 60, chunkBytes);
      pull(state, log, 3, total, chunkBytes);
      assert.deepEqual(visibleBytes(state, log), file.subarray(4), `cut ${cut}`);
      assert.equal(state.file!.size, file.length);
      assert.equal(state.open, null);
    }
  }
});

test("A checkpoint between any two chunks restores the same fold", () => {
  const total = streamFrom(4).length;
  for (let cut = 100; cut <= total; cut += 37) {
    let state = new StreamState();
    const log: Chunk[] = [];
    pull(state, log, 1, cut, 150);
    state = decodeStreamState(encodeStreamState(state));
    pull(state, log, 2, total, 150);
    assert.deepEqual(visibleBytes(state, log), file.subarray(4), `cut ${cut}`);
  }
});

test("Chunks of an older pull, repeated or out of order, change nothing", () => {
  const state = new StreamState();
  const log: Chunk[] = [];
  pull(state, log, 1, 900, 150);
  pull(state, log, 2, streamFrom(4).length, 150);
  const before = encodeStreamState(state);
  const bytes = visibleBytes(state, log);
  for (const chunk of log.slice(0, 12)) {
    const copy = decodeStreamState(before);
    const outcome = copy.applyChunk(log.length + 1, chunk);
    assert.equal(outcome.accepted, false);
    assert.deepEqual(copy.executed.toString(), state.executed.toString());
    assert.deepEqual(copy.visible, state.visible);
    assert.deepEqual(visibleBytes(copy, [...log, chunk]), bytes);
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
