import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../../../src/base/bytes.ts";
import { type Chunk, ChunkFlag, decodeChunk } from "../../../src/binlog/chunk.ts";
import { decodeFormatDescription } from "../../../src/binlog/control-events.ts";
import { buildEvent } from "../../../src/binlog/event.ts";
import { frameEvent, Unframer, walkEvents } from "../../../src/binlog/frames.ts";
import { StreamState } from "../../../src/binlog/stream-state.ts";
import { EventStream } from "../../../src/syncer/event-stream.ts";
import { StreamError } from "../../../src/syncer/stream-error.ts";
import {
  eventsOf,
  fixture,
  fixtureNames,
  sourceStream,
  withSemiSync,
} from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";

const UNUSABLE = new Set(["anonymous", "mariadb1011"]);
const names = fixtureNames().filter((name) => !UNUSABLE.has(name));

function open(semiSync: boolean, checksum: "NONE" | "CRC32", chunkBytes?: number): EventStream {
  return new EventStream({
    semiSync,
    checksum,
    crc32: nodeCrc32,
    cursor: {
      epoch: 1,
      pull: { term: 1, id: 1 },
      source: { uuid: "11111111-2222-3333-4444-555555555555", version: "9.7.4" },
      pullSequence: 0,
      streamOffset: 0,
      file: "",
      fileOffset: 4,
      sequence: 1,
      flags: ChunkFlag.RESTARTS,
    },
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  });
}

/** Feeds bytes in pieces; takes a chunk whenever `eager`, else only when one is full. */
function run(
  stream: EventStream,
  bytes: Uint8Array,
  pieces: readonly number[],
  eager: boolean,
): Chunk[] {
  const chunks: Chunk[] = [];
  const take = (full: boolean): void => {
    for (;;) {
      const built = full ? stream.takeFull() : stream.takeReady();
      if (built === null) return;
      chunks.push(decodeChunk(built.payload.slice()));
    }
  };
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const length = Math.min(pieces[i % pieces.length]!, bytes.length - at);
    let done = 0;
    while (done < length) {
      done += stream.push(bytes.subarray(at + done, at + length).slice());
      take(!eager);
    }
    at += length;
  }
  take(false);
  return chunks;
}

function rebuild(chunks: readonly Chunk[]): Uint8Array {
  const unframer = new Unframer();
  return concatBytes(chunks.flatMap((chunk) => unframer.push(chunk.body)));
}

function checksumOf(file: Uint8Array): "NONE" | "CRC32" {
  return decodeFormatDescription(eventsOf(file)[0]!).checksum;
}

/** In-use flag of a live file, as a source clears it for the wire. */
function onTheWire(file: Uint8Array): Uint8Array {
  const copy = file.slice();
  copy[4 + 17] = copy[4 + 17]! & 0xfe;
  return copy;
}

for (const name of names) {
  test(`EventStream stores "${name}" byte for byte, however it arrives`, () => {
    const file = onTheWire(fixture(name));
    const checksum = checksumOf(file);
    for (const semiSync of [false, true]) {
      const bytes = sourceStream(file, "binlog.000001", {
        semiSync,
        checksum: checksum === "CRC32",
      });
      const reference = run(open(semiSync, checksum), bytes, [bytes.length], false);
      assert.deepEqual(rebuild(reference), file.subarray(4));
      for (const pieces of [[1], [7], [1000, 3]]) {
        const chunks = run(open(semiSync, checksum), bytes, pieces, true);
        assert.deepEqual(rebuild(chunks), file.subarray(4));
        const state = new StreamState();
        chunks.forEach((chunk, i) => {
          assert.deepEqual(state.applyChunk(i + 1, chunk), { accepted: true, visibleMoved: true });
        });
        assert.equal(state.file!.size, file.length);
      }
    }
  });
}

test("EventStream takes the same GTIDs as mysqlbinlog shows, tagged ones included", () => {
  const file = onTheWire(fixture("tagged-gtid"));
  const bytes = sourceStream(file, "binlog.000001", { semiSync: false, checksum: true });
  const state = new StreamState();
  run(open(false, "CRC32"), bytes, [500], true).forEach((chunk, i) => {
    state.applyChunk(i + 1, chunk);
  });
  const text = state.executed.toString();
  assert.match(text, /mytag/);
  assert.ok(state.executed.count() >= 5n, text);
});

/** A transaction of `events` rows events of `size` bytes each. */
function transaction(
  gno: number,
  sizes: readonly number[],
  at: number,
): { events: Uint8Array[]; end: number } {
  const events: Uint8Array[] = [];
  let offset = at;
  const add = (type: number, body: Uint8Array): void => {
    const logPos = offset + 19 + body.length + 4;
    events.push(buildEvent({ timestamp: 7, type, serverId: 1, logPos, flags: 0 }, body, nodeCrc32));
    offset = logPos;
  };
  const gtid = new Uint8Array(25);
  gtid[1] = 0xaa;
  new DataView(gtid.buffer).setBigUint64(17, BigInt(gno), true);
  add(33, gtid);
  const query = new Uint8Array(13 + 1 + 5);
  query.set([0x42, 0x45, 0x47, 0x49, 0x4e], 14);
  add(2, query);
  for (const size of sizes) add(30, new Uint8Array(size - 23).fill(size & 0xff));
  add(16, new Uint8Array(8));
  return { events, end: offset };
}

const EDGES = [16_777_214, 16_777_215, 16_777_216, 16_777_213, 2 * 16_777_215 - 1, 2 * 16_777_215];

for (const semiSync of [false, true]) {
  test(`EventStream passes events at the packet edges (semi-sync ${semiSync})`, () => {
    for (const size of EDGES) {
      const fde = eventsOf(onTheWire(fixture("dml")))[0]!;
      const { events } = transaction(1, [size, 100], 4 + fde.length);
      const all = [fde, ...events];
      const frames: Uint8Array[] = [];
      let sequence = 1;
      for (const event of all) {
        frames.push(
          frameEvent(semiSync ? withSemiSync(event, event === all.at(-1)) : event, sequence),
        );
        sequence += Math.floor((event.length + (semiSync ? 3 : 1)) / 0xffffff) + 1;
      }
      const stream = open(semiSync, "CRC32");
      const chunks = run(stream, concatBytes(frames), [65_536, 100_001], false);
      assert.ok(rebuild(chunks).length === all.reduce((n, e) => n + e.length, 0), `${size}`);
      assert.ok(Buffer.compare(rebuild(chunks), concatBytes(all)) === 0, `size ${size}`);
      // Stored framing is what a source without semi-sync would send.
      let expected = 1;
      const stored = concatBytes(chunks.map((chunk) => chunk.body));
      assert.ok(
        Buffer.compare(
          stored,
          concatBytes(
            all.map((event) => {
              const framed = frameEvent(event, expected);
              expected += Math.floor((event.length + 1) / 0xffffff) + 1;
              return framed;
            }),
          ),
        ) === 0,
        `framing of ${size}`,
      );
      const state = new StreamState();
      for (const [i, chunk] of chunks.entries()) assert.ok(state.applyChunk(i + 1, chunk).accepted);
      assert.equal(state.visibleEnd, state.streamEnd);
      // The description is a chunk of its own: the large transaction begins the one after it.
      assert.deepEqual(state.last!.start, { entry: 2, offset: 0 });
      assert.equal(state.last!.fileOffset, 4 + fde.length);
      assert.equal(state.last!.eventBytes, concatBytes(events).length);
    }
  });
}

test("EventStream cuts chunks at unit ends, wherever its input is cut", () => {
  const fde = eventsOf(onTheWire(fixture("dml")))[0]!;
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.integer({ min: 30, max: 6000 }), { minLength: 1, maxLength: 4 }), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      fc.boolean(),
      (sizes, pieces, semiSync, eager) => {
        let at = 4 + fde.length;
        const all = [fde];
        sizes.forEach((list, i) => {
          const made = transaction(i + 1, list, at);
          all.push(...made.events);
          at = made.end;
        });
        const frames = all.map((event, i) =>
          frameEvent(semiSync ? withSemiSync(event, i % 2 === 0) : event, i + 1),
        );
        const chunks = run(open(semiSync, "CRC32", 8192), concatBytes(frames), pieces, eager);
        assert.ok(Buffer.compare(rebuild(chunks), concatBytes(all)) === 0);
        const state = new StreamState();
        let sequence = 1;
        chunks.forEach((chunk, i) => {
          assert.equal(chunk.firstSequence, sequence & 0xff);
          sequence += chunk.packets;
          const outcome = state.applyChunk(i + 1, chunk);
          assert.deepEqual(outcome.accepted, true, JSON.stringify(outcome));
          if (chunk.firstEventAt < chunk.body.length) {
            walkEvents(chunk.body, chunk.firstEventAt, (event) => {
              assert.ok(event.size >= 19 && event.size < 20_000);
              return true;
            });
          }
        });
        assert.equal(state.executed.count(), BigInt(sizes.length));
        assert.equal(state.visibleEnd, concatBytes(all).length);
        assert.equal(state.open, null);
      },
    ),
    { numRuns: 150 },
  );
});

test("EventStream refuses a flipped byte anywhere in an event", () => {
  const file = onTheWire(fixture("dml"));
  const bytes = sourceStream(file, "binlog.000001", { semiSync: false, checksum: true });
  let caught = 0;
  for (let at = 0; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at] = damaged[at]! ^ 0x40;
    let stored: Uint8Array;
    try {
      stored = rebuild(run(open(false, "CRC32"), damaged, [777], true));
    } catch (error) {
      assert.ok(
        error instanceof StreamError ||
          (error as Error).name === "MalformedBytes" ||
          (error as Error).name === "BoundaryError",
        `${at}: ${error}`,
      );
      caught++;
      continue;
    }
    // Not caught: it was a packet number or cut the stream short; what is stored is a true prefix.
    assert.deepEqual(stored, file.subarray(4, 4 + stored.length), `byte ${at}`);
  }
  assert.ok(caught > bytes.length * 0.8, `${caught} of ${bytes.length}`);
});

test("EventStream refuses an anonymous transaction with a sentence", () => {
  const file = onTheWire(fixture("anonymous"));
  const bytes = sourceStream(file, "binlog.000001", { semiSync: false, checksum: true });
  assert.throws(() => run(open(false, "CRC32"), bytes, [100], true), /gtid_mode=ON/);
});
