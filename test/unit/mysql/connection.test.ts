import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeCompress } from "../../../runtime/node/compress.ts";
import { concatBytes, encodeText, MalformedBytes } from "../../../src/base/bytes.ts";
import { ConnectionLost, PacketConnection } from "../../../src/mysql/connection.ts";
import { framePackets, PacketTooLarge } from "../../../src/mysql/packet.ts";
import { fakePair, HELLO } from "./fake-conn.ts";

const CAP = { maxPayloadBytes: 1 << 25 };
const SERVER_TLS = { role: "server", clientCert: "none", cert: "", key: "" } as const;
const CLIENT_TLS = { role: "client", serverName: "x", verify: "ca" } as const;

test("commands and answers in both roles, at any piece size", async () => {
  for (const pieceBytes of [1, 3, 1000]) {
    const ends = fakePair(pieceBytes);
    const client = new PacketConnection(ends.client, CAP);
    const server = new PacketConnection(ends.server, CAP);
    for (let round = 0; round < 3; round++) {
      client.writeCommand(encodeText(`command ${round}`));
      assert.deepEqual(await server.readCommand(), encodeText(`command ${round}`));
      assert.equal(server.sequence, 1);
      server.writePackets([encodeText("one"), new Uint8Array(0), encodeText("three")]);
      assert.deepEqual(await client.readPacket(), encodeText("one"));
      assert.deepEqual(await client.readPacket(), new Uint8Array(0));
      assert.deepEqual(await client.readPacket(), encodeText("three"));
      assert.equal(client.sequence, 4);
    }
  }
});

test("the end of the stream and wrong packets reject", async () => {
  const ends = fakePair();
  const client = new PacketConnection(ends.client, CAP);
  const waiting = client.readPacket();
  ends.server.destroy();
  await assert.rejects(waiting, ConnectionLost);
  const other = fakePair();
  other.client.deliver(Uint8Array.of(1, 0, 0, 7, 1));
  await assert.rejects(new PacketConnection(other.client, CAP).readPacket(), MalformedBytes);
  const big = fakePair();
  big.client.deliver(Uint8Array.of(1, 0, 1, 0));
  const small = new PacketConnection(big.client, { maxPayloadBytes: 65_536 });
  await assert.rejects(small.readPacket(), PacketTooLarge);
});

test("who waits for room on a connection that is gone is told that it is lost", async () => {
  const ends = fakePair();
  const server = new PacketConnection(ends.server, CAP);
  ends.client.destroy();
  await ends.server.closed;
  assert.equal(server.writePackets([encodeText("for nobody")]), false);
  await assert.rejects(server.drained(), ConnectionLost);
});

test("compression in both roles, with packets larger than a frame", async () => {
  for (const algorithm of ["zlib", "zstd"] as const) {
    const ends = fakePair(50_000);
    const client = new PacketConnection(ends.client, CAP);
    const server = new PacketConnection(ends.server, CAP);
    client.startCompression(nodeCompress, algorithm, 3);
    server.startCompression(nodeCompress, algorithm, 3);
    const large = new Uint8Array(17_000_000).fill(5);
    for (const payload of [encodeText("short"), new Uint8Array(5000).fill(65), large]) {
      client.writeCommand(payload);
      assert.equal(Buffer.compare(await server.readCommand(), payload), 0);
      server.writePackets([payload, encodeText("end")]);
      assert.equal(Buffer.compare(await client.readPacket(), payload), 0);
      assert.deepEqual(await client.readPacket(), encodeText("end"));
    }
    const sent = ends.client.written.reduce((sum, part) => sum + part.length, 0);
    assert.ok(sent < 200_000, `${sent} bytes on the wire`);
  }
});

test("frames out of order are malformed while packets are read", async () => {
  const ends = fakePair();
  const server = new PacketConnection(ends.server, CAP);
  server.startCompression(nodeCompress, "zlib", 0);
  ends.server.deliver(Uint8Array.of(5, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 14));
  await assert.rejects(server.readCommand(), MalformedBytes);
});

test("the stream begins with what was buffered and copies nothing on a plain connection", async () => {
  const ends = fakePair();
  const client = new PacketConnection(ends.client, CAP);
  const first = concatBytes(framePackets([encodeText("ok"), encodeText("event 1")], 0).parts);
  ends.client.deliver(first);
  assert.deepEqual(await client.readPacket(), encodeText("ok"));
  assert.deepEqual(await client.readStream(), first.subarray(6));
  const chunk = Uint8Array.of(9, 9, 9);
  ends.client.unread(chunk);
  const taken: Uint8Array[] = [];
  const take = (bytes: Uint8Array): boolean => {
    taken.push(bytes);
    return false;
  };
  assert.equal(await client.consumeStream(take), true);
  assert.equal(taken.pop(), chunk, "the very array that the connection gave");
  ends.client.unread(chunk);
  assert.equal(await client.readStream(), chunk);
  const parts = [Uint8Array.of(1), Uint8Array.of(2)];
  let given: readonly Uint8Array[] = [];
  ends.client.write = (written) => {
    given = written;
    return true;
  };
  assert.equal(client.writeFramed(parts), true);
  assert.equal(given, parts);
  ends.server.destroy();
  assert.equal(await client.readStream(), null);
  assert.equal(await client.consumeStream(take), false);
  assert.deepEqual(taken, []);
});

test("consuming begins with what was buffered", async () => {
  const ends = fakePair();
  const client = new PacketConnection(ends.client, CAP);
  const packets = framePackets([encodeText("ok"), encodeText("a"), encodeText("b")], 0).parts;
  ends.client.deliver(concatBytes(packets));
  await client.readPacket();
  ends.client.deliver(Uint8Array.of(1, 2, 3));
  let taken = "";
  const reading = client.consumeStream((bytes) => {
    taken += Buffer.from(bytes).toString("latin1");
    return !taken.endsWith("\x03");
  });
  assert.equal(await reading, true);
  assert.equal(taken, "\x01\0\0\x01a\x01\0\0\x02b\x01\x02\x03");
});

test("the stream through compression, with ACKs that restart the numbers", async () => {
  for (const consume of [true, false]) await streamWithAcks(consume);
});

async function streamWithAcks(consume: boolean): Promise<void> {
  const ends = fakePair(7);
  const client = new PacketConnection(ends.client, CAP);
  const server = new PacketConnection(ends.server, CAP);
  client.startCompression(nodeCompress, "zstd", 3);
  server.startCompression(nodeCompress, "zstd", 3);
  client.writeCommand(encodeText("dump"));
  await server.readCommand();
  const receive = async (): Promise<void> => {
    let got = 0;
    const take = (bytes: Uint8Array): boolean => {
      got += bytes.length;
      return got < 3004;
    };
    if (consume) assert.equal(await client.consumeStream(take), true);
    else while (take((await client.readStream())!));
  };
  for (let round = 0; round < 4; round++) {
    // The second event is on its way, numbered on, when the ACK restarts the numbers.
    const event = new Uint8Array(3000).fill(round);
    server.writePackets([event]);
    server.writePackets([event]);
    await receive();
    client.writeCommand(encodeText("ack"));
    await receive();
    assert.deepEqual(await server.readCommand(), encodeText("ack"));
  }
}

test("bytes behind the greeting in the way of TLS are an attack on a client", async () => {
  for (const buffered of [true, false]) {
    const ends = fakePair();
    const client = new PacketConnection(ends.client, CAP);
    const greeting = concatBytes(framePackets([encodeText("greeting")], 0).parts);
    const extra = Uint8Array.of(7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0);
    if (buffered) ends.client.deliver(concatBytes([greeting, extra]));
    else {
      ends.client.deliver(greeting);
      ends.client.deliver(extra);
    }
    await client.readPacket();
    await assert.rejects(client.startTls(CLIENT_TLS), MalformedBytes);
    assert.ok(ends.client.isClosed);
  }
});

test("bytes behind a TLS request go to the handshake if they can be its first", async () => {
  const request = concatBytes(framePackets([new Uint8Array(32)], 0).parts);
  const good = fakePair();
  const server = new PacketConnection(good.server, CAP);
  good.server.deliver(concatBytes([request, HELLO, Uint8Array.of(8)]));
  await server.readPacket();
  await server.startTls(SERVER_TLS);
  assert.equal(server.tls?.version, "TLSv1.3");
  assert.deepEqual(good.server.readNow(), Uint8Array.of(8));
  const bad = fakePair();
  const injected = new PacketConnection(bad.server, CAP);
  bad.server.deliver(concatBytes([request, request]));
  await injected.readPacket();
  await assert.rejects(injected.startTls(SERVER_TLS), MalformedBytes);
  assert.ok(bad.server.isClosed);
});

test("destroy ends a TLS handshake that the other side never finishes", async () => {
  const ends = fakePair();
  const server = new PacketConnection(ends.server, CAP);
  let finish: (conn: typeof ends.server) => void = () => {};
  ends.server.startTls = () =>
    new Promise((resolve) => {
      finish = resolve;
    });
  const upgrade = server.startTls(SERVER_TLS);
  server.destroy();
  await assert.rejects(upgrade, ConnectionLost);
  const late = fakePair().server;
  finish(late);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(late.isClosed, "a handshake that ends later is closed at once");
});

test("a large frame is admitted and unpacked off the loop, also behind empty ones", async () => {
  const ends = fakePair();
  const atOnce: number[] = [];
  const compress = {
    ...nodeCompress,
    inflate: (bytes: Uint8Array, size: number) => {
      atOnce.push(size);
      return nodeCompress.inflate(bytes, size);
    },
  };
  const server = new PacketConnection(ends.server, CAP);
  server.startCompression(compress, "zlib", 0);
  const admitted: number[] = [];
  let around = 0;
  server.inputGuard = {
    admitFrame: (bytes) => void admitted.push(bytes),
    aroundLargeFrame: (unpack) => {
      around++;
      return unpack();
    },
  };
  const payload = new Uint8Array(99_996).fill(7);
  const packets = concatBytes(framePackets([payload], 0).parts);
  const body = nodeCompress.deflate(packets);
  const head = (length: number, sequence: number, size: number): Uint8Array =>
    Uint8Array.of(length, length >>> 8, 0, sequence, size, size >>> 8, size >>> 16);
  ends.server.deliver(
    concatBytes([head(0, 0, 0), head(0, 1, 0), head(body.length, 2, 100_000), body]),
  );
  assert.deepEqual(await server.readPacket(), payload);
  assert.deepEqual([admitted, around, atOnce], [[100_000], 1, []]);
});
