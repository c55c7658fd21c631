import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, MalformedBytes } from "../../../src/base/bytes.ts";
import {
  framePackets,
  PACKET_MAX_BYTES,
  PacketDecoder,
  PacketTooLarge,
  PayloadRefused,
} from "../../../src/mysql/packet.ts";

function decodeAll(decoder: PacketDecoder, pieces: Iterable<Uint8Array>): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (const piece of pieces) {
    decoder.push(piece);
    for (let payload = decoder.next(); payload !== null; payload = decoder.next()) {
      out.push(payload);
    }
  }
  return out;
}

function* split(bytes: Uint8Array, cuts: readonly number[]): Iterable<Uint8Array> {
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  let at = 0;
  for (const place of places) {
    yield bytes.slice(at, place);
    at = place;
  }
}

test("any split of the bytes gives equal packets", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });
  fc.assert(
    fc.property(
      payloads,
      fc.nat(255),
      fc.array(fc.nat(), { maxLength: 30 }),
      (list, from, cuts) => {
        const framed = framePackets(list, from);
        assert.equal(framed.sequence, (from + list.length) & 0xff);
        const bytes = concatBytes(framed.parts);
        const decoder = new PacketDecoder(1000);
        decoder.sequence = from;
        assert.deepEqual(decodeAll(decoder, split(bytes, cuts)), list);
        assert.equal(decoder.sequence, framed.sequence);
        assert.equal(decoder.bufferedBytes, 0);
      },
    ),
  );
});

test("one byte at a time stays linear", () => {
  const payload = new Uint8Array(500_000).fill(7);
  const bytes = concatBytes(framePackets([payload], 0).parts);
  const decoder = new PacketDecoder(1 << 20);
  const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.deepEqual(decodeAll(decoder, pieces), [payload]);
});

test("payloads of 16 MiB - 1 and more are split, the last part may be empty", () => {
  for (const length of [
    PACKET_MAX_BYTES - 1,
    PACKET_MAX_BYTES,
    PACKET_MAX_BYTES + 1,
    2 * PACKET_MAX_BYTES,
  ]) {
    const payload = new Uint8Array(length);
    payload[0] = 1;
    payload[length - 1] = 2;
    const framed = framePackets([payload], 255);
    const packets = Math.floor(length / PACKET_MAX_BYTES) + 1;
    assert.equal(framed.sequence, (255 + packets) & 0xff);
    const bytes = concatBytes(framed.parts);
    assert.equal(bytes.length, length + 4 * packets);
    const decoder = new PacketDecoder(1 << 26);
    decoder.sequence = 255;
    const [got, ...more] = decodeAll(decoder, split(bytes, [5, 1000, PACKET_MAX_BYTES + 2]));
    assert.equal(more.length, 0);
    assert.ok(got !== undefined && got.length === length && got[0] === 1 && got[length - 1] === 2);
  }
});

test("large payloads are not copied when they are framed", () => {
  const payload = new Uint8Array(100_000);
  const { parts } = framePackets([payload], 0);
  assert.ok(parts.some((part) => part.buffer === payload.buffer));
});

test("the cap is checked in the header, before the payload comes", () => {
  const decoder = new PacketDecoder(65_536);
  decoder.push(Uint8Array.of(0xff, 0xff, 0xff, 0));
  assert.throws(() => decoder.next(), PacketTooLarge);
  const exact = new PacketDecoder(100);
  exact.push(concatBytes(framePackets([new Uint8Array(100)], 0).parts));
  assert.equal(exact.next()?.length, 100);
  exact.push(Uint8Array.of(101, 0, 0, 1));
  assert.throws(() => exact.next(), PacketTooLarge);
});

test("the cap counts all parts of a split payload", () => {
  const decoder = new PacketDecoder(PACKET_MAX_BYTES + 10);
  decoder.push(Uint8Array.of(0xff, 0xff, 0xff, 0));
  decoder.push(new Uint8Array(PACKET_MAX_BYTES));
  assert.equal(decoder.next(), null);
  assert.throws(() => decoder.takeRest(), MalformedBytes);
  decoder.push(Uint8Array.of(11, 0, 0, 1));
  assert.throws(() => decoder.next(), PacketTooLarge);
});

test("a wrong packet number is malformed, unless numbers are not checked", () => {
  const decoder = new PacketDecoder(100);
  decoder.push(Uint8Array.of(1, 0, 0, 3, 9));
  assert.throws(() => decoder.next(), MalformedBytes);
  const lenient = new PacketDecoder(100);
  lenient.checkSequence = false;
  lenient.push(Uint8Array.of(1, 0, 0, 3, 9));
  assert.deepEqual(lenient.next(), Uint8Array.of(9));
  assert.equal(lenient.sequence, 4);
});

test("takeRest gives what lies behind the last payload", () => {
  const decoder = new PacketDecoder(100);
  assert.equal(decoder.takeRest(), null);
  decoder.push(Uint8Array.of(1, 0, 0, 0, 9, 5, 6));
  decoder.next();
  assert.deepEqual(decoder.takeRest(), Uint8Array.of(5, 6));
  assert.equal(decoder.takeRest(), null);
});

test("payloads that were handed out are never overwritten", () => {
  const decoder = new PacketDecoder(1000);
  decoder.checkSequence = false;
  const kept: { view: Uint8Array; copy: Uint8Array }[] = [];
  for (let i = 0; i < 200; i++) {
    const bytes = concatBytes(framePackets([new Uint8Array(i % 90).fill(i)], i).parts);
    for (const piece of split(bytes, [i % 7, i % 31])) {
      decoder.push(piece);
      const view = decoder.next();
      if (view !== null) kept.push({ view, copy: view.slice() });
    }
  }
  assert.equal(kept.length, 200);
  for (const { view, copy } of kept) assert.deepEqual(view, copy);
});

test("one command may be longer than all others, once it is admitted", () => {
  const admitted: number[] = [];
  const make = (): PacketDecoder => {
    const decoder = new PacketDecoder(10);
    const admit = (bytes: number): void => {
      admitted.push(bytes);
      if (bytes > 50) throw new RangeError("too much");
    };
    decoder.largeCommand = { code: 0x1e, maxBytes: 100, admit };
    return decoder;
  };
  const packet = (code: number, length: number): Uint8Array =>
    framePackets([new Uint8Array(length).fill(code)], 0).parts[0]!;
  const long = make();
  // Byte by byte: asked once, and not before the first byte of the payload.
  const bytes = packet(0x1e, 40);
  for (const [i, byte] of bytes.entries()) {
    long.push(Uint8Array.of(byte));
    const payload = long.next();
    assert.equal(payload?.length ?? 0, i === bytes.length - 1 ? 40 : 0);
    assert.deepEqual(admitted, i < 4 ? [] : [40]);
  }
  for (const [code, length, why] of [
    [0x03, 40, PacketTooLarge],
    [0x1e, 101, PacketTooLarge],
    [0x1e, 60, RangeError],
  ] as const) {
    const decoder = make();
    const refused = packet(code, length);
    for (const byte of refused.subarray(0, -1)) {
      decoder.push(Uint8Array.of(byte));
      assert.equal(decoder.next(), null);
      assert.ok(decoder.bufferedBytes <= 5, "what is refused is not kept");
    }
    decoder.push(refused.subarray(-1));
    assert.throws(
      () => decoder.next(),
      (error) => error instanceof PayloadRefused && error.reason instanceof why,
    );
    assert.equal(decoder.sequence, 1, "the answer has its number");
    decoder.sequence = 0;
    decoder.push(packet(0x03, 4));
    assert.equal(decoder.next()!.length, 4, "what follows can be read");
  }
});
