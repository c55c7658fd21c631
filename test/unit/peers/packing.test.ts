import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nodeCompress } from "../../../runtime/node/compress.ts";
import { MalformedBytes } from "../../../src/base/bytes.ts";
import { packerFor, packMethods, unpack } from "../../../src/peers/packing.ts";
import { FrameKind } from "../../../src/peers/protocol.ts";

const rows = (bytes: number): Uint8Array =>
  new TextEncoder()
    .encode("INSERT a row of rows like others, ".repeat(bytes / 34 + 1))
    .subarray(0, bytes);
const noise = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));

test("both methods give back what was packed", () => {
  for (const method of packMethods(nodeCompress)) {
    const packer = packerFor(nodeCompress, [method])!;
    for (const kind of [FrameKind.RAFT, FrameKind.ENTRIES]) {
      const packed = packer.pack(kind, rows(60_000))!;
      assert.ok(packed.length < 6_000);
      const { kind: inside, body } = unpack(nodeCompress, packed);
      assert.equal(inside, kind);
      assert.deepEqual(body, rows(60_000));
    }
  }
});

test("what hardly shrinks goes as it is, and then others do for a while", () => {
  const packer = packerFor(nodeCompress, ["zstd"])!;
  assert.equal(packer.pack(FrameKind.RAFT, rows(500)), null, "small");
  assert.notEqual(packer.pack(FrameKind.RAFT, rows(5_000)), null);
  assert.equal(packer.pack(FrameKind.RAFT, noise(5_000)), null);
  let passed = 0;
  while (packer.pack(FrameKind.RAFT, rows(5_000)) === null) passed++;
  assert.equal(passed, 16);
});

test("only what both know is used", () => {
  assert.equal(packerFor(nodeCompress, undefined), null, "an older version");
  assert.equal(packerFor(nodeCompress, ["brotli"]), null);
  const packed = packerFor(nodeCompress, ["brotli", "deflate"])!.pack(FrameKind.RAFT, rows(5_000))!;
  assert.equal(packed[0], 2);
  const withoutZstd = { ...nodeCompress, zstd: null };
  assert.deepEqual(packMethods(withoutZstd), ["deflate"]);
  assert.deepEqual(unpack(withoutZstd, packed).body, rows(5_000));
  const zstd = packerFor(nodeCompress, ["zstd"])!.pack(FrameKind.RAFT, rows(5_000))!;
  assert.throws(() => unpack(withoutZstd, zstd), MalformedBytes);
});

test("a frame that lies about its size, its kind or its method is malformed, whatever its bytes", () => {
  const packed = packerFor(nodeCompress, ["zstd"])!.pack(FrameKind.RAFT, rows(5_000))!;
  const changed = (at: number, value: number): Uint8Array => {
    const copy = packed.slice();
    copy[at] = value;
    return copy;
  };
  const wrong = [
    packed.subarray(0, 3),
    packed.subarray(0, packed.length - 3),
    changed(0, 0),
    changed(0, 9),
    changed(1, FrameKind.PACKED),
    changed(1, FrameKind.HELLO),
    changed(2, 255),
    changed(5, 255),
  ];
  for (const one of wrong) assert.throws(() => unpack(nodeCompress, one), MalformedBytes);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: packed.length - 1 }),
      fc.integer({ min: 0, max: 255 }),
      (at, value) => {
        try {
          assert.ok(unpack(nodeCompress, changed(at, value)).body.length <= 64 * 2 ** 20);
        } catch (error) {
          assert.ok(error instanceof MalformedBytes);
        }
      },
    ),
  );
});
