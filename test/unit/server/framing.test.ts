import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BufferPool } from "../../../src/base/buffer-pool.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import { COPY_BYTES, Outbox, storedSequence, VIEW_MIN_BYTES } from "../../../src/server/framing.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { framed, MemoryStream } from "./memory-stream.ts";

const pool = new BufferPool(COPY_BYTES, 8);

/** Numbers of the packets in framed bytes, and the bytes with all numbers zeroed. */
function numbers(bytes: Uint8Array): { numbers: number[]; plain: Uint8Array } {
  const plain = bytes.slice();
  const found: number[] = [];
  for (let at = 0; at < plain.length; ) {
    found.push(plain[at + 3]!);
    plain[at + 3] = 0;
    at += 4 + (plain[at]! | (plain[at + 1]! << 8) | (plain[at + 2]! << 16));
  }
  return { numbers: found, plain };
}

function consecutive(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (from + i) & 0xff);
}

test("Outbox numbers packets on, whatever they are made of and wherever they begin", () => {
  const made = new FileMaker("").transactions(1, 700, 60);
  const stream = new MemoryStream(SOURCE);
  stream.addFile(made.file, "binlog.000001", { chunkBytes: 9000, pieceBytes: 4000 });
  const chunks = stream.entries.filter((chunk) => chunk !== null);
  assert.ok(chunks.length > 5);
  const all = numbers(framed(made.events));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.array(fc.nat({ max: 3 })), (start, takes) => {
      const outbox = new Outbox(start, false, pool);
      const sent: Uint8Array[] = [];
      chunks.forEach((chunk, i) => {
        // In two ranges, cut at a unit's end.
        const units = chunk.units();
        const cut = units.framedBytes[0]!;
        outbox.range(chunk, 0, cut);
        outbox.range(chunk, cut, chunk.body.length);
        if (takes[i] === 0) sent.push(...outbox.take().parts);
      });
      sent.push(...outbox.take().parts);
      const got = numbers(concatBytes(sent));
      assert.deepEqual(got.numbers, consecutive(start, made.events.length));
      assert.ok(Buffer.compare(got.plain, all.plain) === 0);
      assert.equal(outbox.sequence, (start + made.events.length) & 0xff);
    }),
    { numRuns: 40 },
  );
});

test("Outbox sends what fits as views of the stored body, and copies what does not", () => {
  const made = new FileMaker("").transactions(1, 400, 200);
  const stream = new MemoryStream(SOURCE);
  stream.addFile(made.file, "binlog.000001");
  const chunk = stream.entries.find((one) => one !== null && one.body.length > VIEW_MIN_BYTES)!;
  const before = chunk.body.slice();
  const aligned = new Outbox(chunk.firstSequence, false, pool);
  aligned.range(chunk, 0, chunk.body.length);
  const [view] = aligned.take().parts;
  assert.equal(view!.buffer, chunk.body.buffer);
  assert.equal(aligned.shiftedBytes, 0);
  const shifted = new Outbox(chunk.firstSequence + 1, false, pool);
  shifted.range(chunk, 0, chunk.body.length);
  const { parts, copies } = shifted.take();
  const [copy] = parts;
  assert.ok(copies.length > 0);
  assert.notEqual(copy!.buffer, chunk.body.buffer);
  assert.equal(shifted.shiftedBytes, chunk.body.length);
  assert.deepEqual(chunk.body, before, "the shared body is untouched");
  const any = new Outbox(77, true, pool);
  any.range(chunk, 0, chunk.body.length);
  assert.equal(any.take().parts[0]!.buffer, chunk.body.buffer);
});

test("Outbox passes an event of several packets, in pieces that begin inside packets", () => {
  const made = new FileMaker("").transaction({ gno: 1, bytes: 17_000_000 }).transaction({ gno: 2 });
  const stream = new MemoryStream(SOURCE);
  stream.addFile(made.file, "binlog.000001", { pieceBytes: 300_000 });
  const outbox = new Outbox(200, false, pool);
  const sent: Uint8Array[] = [];
  for (const chunk of stream.entries) {
    if (chunk === null) continue;
    assert.equal(storedSequence(chunk, 0), chunk.firstSequence);
    outbox.range(chunk, 0, chunk.body.length);
    sent.push(...outbox.take().parts);
  }
  const got = numbers(concatBytes(sent));
  const want = numbers(framed(made.events));
  assert.deepEqual(got.numbers, consecutive(200, made.events.length + 1));
  assert.ok(Buffer.compare(got.plain, want.plain) === 0);
});
