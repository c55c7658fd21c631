import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nodeCompress } from "../../../runtime/node/compress.ts";
import { concatBytes, MalformedBytes } from "../../../src/base/bytes.ts";
import {
  CompressedFrameDecoder,
  encodeCompressedFrames,
  FRAME_PAYLOAD_BYTES,
  type FrameCodec,
  frameCodec,
} from "../../../src/mysql/compressed-frame.ts";
import { PacketTooLarge } from "../../../src/mysql/packet.ts";

const zlib = frameCodec(nodeCompress, "zlib", 0)!;
const zstd = frameCodec(nodeCompress, "zstd", 3)!;

function decodeAll(codec: FrameCodec, bytes: Uint8Array, cut: number, from: number): Uint8Array {
  const decoder = new CompressedFrameDecoder(codec);
  decoder.sequence = from;
  const out: Uint8Array[] = [];
  for (const piece of [bytes.slice(0, cut), bytes.slice(cut)]) {
    decoder.push(piece);
    for (let inner = decoder.next(); inner !== null; inner = decoder.next()) out.push(inner);
  }
  return concatBytes(out);
}

test("frames round trip, whatever the bytes and the split", () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 6 });
  fc.assert(
    fc.property(parts, fc.nat(255), fc.nat(), fc.boolean(), (list, from, cut, useZstd) => {
      const codec = useZstd ? zstd : zlib;
      const framed = encodeCompressedFrames(codec, list, from);
      const bytes = concatBytes(framed.parts);
      const all = decodeAll(codec, bytes, cut % (bytes.length + 1), from);
      assert.deepEqual(all, concatBytes(list));
    }),
  );
});

test("under 50 bytes, and what does not shrink, is sent as it is", () => {
  const short = encodeCompressedFrames(zlib, [new Uint8Array(49)], 5);
  assert.deepEqual(short.parts[0], Uint8Array.of(49, 0, 0, 5, 0, 0, 0));
  const long = encodeCompressedFrames(zlib, [new Uint8Array(50)], 5);
  assert.deepEqual(long.parts[0]!.subarray(3), Uint8Array.of(5, 50, 0, 0));
  const noise = Uint8Array.from({ length: 60 }, (_, i) => (i * 151 + i * i * 83) & 0xff);
  assert.equal(encodeCompressedFrames(zlib, [noise], 0).parts[0]![4], 0);
});

test("long runs are cut into frames that are numbered on", () => {
  const run = new Uint8Array(FRAME_PAYLOAD_BYTES * 2 + 1).fill(3);
  const framed = encodeCompressedFrames(zstd, [run.subarray(0, 7), run.subarray(7)], 254);
  assert.equal(framed.sequence, 1);
  assert.deepEqual(decodeAll(zstd, concatBytes(framed.parts), 11, 254), run);
});

test("a frame that gives more or fewer bytes than it says is malformed", () => {
  for (const codec of [zlib, zstd]) {
    const body = codec.compress(new Uint8Array(1_000_000));
    for (const size of [1, 999_999, 1_000_001, 0xffffff]) {
      const header = Uint8Array.of(
        body.length,
        body.length >>> 8,
        body.length >>> 16,
        0,
        size,
        size >>> 8,
        size >>> 16,
      );
      const decoder = new CompressedFrameDecoder(codec);
      decoder.push(concatBytes([header, body]));
      assert.throws(() => decoder.next(), MalformedBytes, `size ${size}`);
    }
  }
});

test("garbage, cut bodies and wrong numbers are malformed", () => {
  for (const codec of [zlib, zstd]) {
    const good = concatBytes(encodeCompressedFrames(codec, [new Uint8Array(500)], 0).parts);
    for (let at = 7; at < good.length; at++) {
      const bad = good.slice();
      bad[at] = bad[at]! ^ 0x55;
      const decoder = new CompressedFrameDecoder(codec);
      decoder.push(bad);
      try {
        assert.equal(decoder.next()?.length, 500);
      } catch (error) {
        assert.ok(error instanceof MalformedBytes, String(error));
      }
    }
    const wrong = new CompressedFrameDecoder(codec);
    wrong.sequence = 1;
    wrong.push(good);
    assert.throws(() => wrong.next(), MalformedBytes);
    wrong.checkSequence = false;
    assert.equal(wrong.next()?.length, 500);
  }
});

test("a codec that does not check the length is checked", () => {
  const careless: FrameCodec = {
    compress: (bytes) => bytes,
    decompress: (bytes) => bytes,
    decompressLater: async (bytes) => bytes,
  };
  const decoder = new CompressedFrameDecoder(careless);
  decoder.push(Uint8Array.of(2, 0, 0, 0, 3, 0, 0, 7, 7));
  assert.throws(() => decoder.next(), MalformedBytes);
});

test("a frame above the cap is refused in its header, however small it was sent", () => {
  const body = zlib.compress(new Uint8Array(100_000));
  const frame = Uint8Array.of(body.length, 0, 0, 0, 0xa0, 0x86, 0x01, ...body);
  const decoder = new CompressedFrameDecoder(zlib);
  decoder.maxFrameBytes = 65_536;
  decoder.push(frame.subarray(0, 6));
  assert.equal(decoder.announcedBytes(), 0);
  assert.equal(decoder.next(), null);
  decoder.push(frame.subarray(6, 7));
  assert.equal(decoder.announcedBytes(), 100_000);
  assert.equal(decoder.isComplete, false);
  assert.throws(() => decoder.next(), PacketTooLarge);
});
