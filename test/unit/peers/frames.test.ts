import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, MalformedBytes, writeU32 } from "../../../src/base/bytes.ts";
import { FrameReader, frameHead } from "../../../src/peers/frames.ts";
import { FRAME_CAPS, FrameKind } from "../../../src/peers/protocol.ts";

const KINDS = Object.values(FrameKind);

test("frames come out as they went in, however the bytes are cut", () => {
  const frame = fc.tuple(fc.constantFrom(...KINDS), fc.uint8Array({ maxLength: 60 }));
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      (frames, cuts) => {
        const stream = concatBytes(
          frames.flatMap(([kind, body]) => [frameHead(kind, body.length), body]),
        );
        const reader = new FrameReader();
        const got: [number, number[]][] = [];
        for (let at = 0; at < stream.length; ) {
          const length = cuts.next().value as number;
          reader.push(stream.subarray(at, at + length), ({ kind, body }) =>
            got.push([kind, [...body]]),
          );
          at += length;
        }
        assert.deepEqual(
          got,
          frames.map(([kind, body]) => [kind, [...body]]),
        );
      },
    ),
  );
});

test("a frame longer than its kind may be is refused by its head alone", () => {
  for (const kind of KINDS) {
    const head = new Uint8Array(5);
    writeU32(head, 0, 2 + FRAME_CAPS[kind]);
    head[4] = kind;
    assert.throws(() => new FrameReader().push(head, () => {}), MalformedBytes);
    for (const cut of [1, 4]) {
      const reader = new FrameReader();
      reader.push(head.subarray(0, cut), () => {});
      assert.throws(() => reader.push(head.subarray(cut), () => {}), MalformedBytes);
    }
  }
});

test("a frame without a kind, or of an unknown one, is refused", () => {
  assert.throws(
    () => new FrameReader().push(Uint8Array.of(0, 0, 0, 0, 4), () => {}),
    MalformedBytes,
  );
  assert.throws(
    () => new FrameReader().push(Uint8Array.of(1, 0, 0, 0, 99), () => {}),
    MalformedBytes,
  );
});
