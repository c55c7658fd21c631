/** Conformance of connections: bytes, order, back-pressure, and how they end. */
import assert from "node:assert/strict";
import { delay } from "../../src/platform/clock.ts";
import type { Conn } from "../../src/platform/net.ts";
import type { Suite } from "./harness.ts";
import { writeUntilStalled } from "./stalled.ts";
import {
  connectedPair,
  consumeHash,
  HOST,
  readExactly,
  receiveBlocks,
  receiveHash,
  sendAgainAndAgain,
  sendStream,
} from "./streams.ts";

const MIB = 1024 * 1024;
const DUPLEX_BYTES = 6 * MIB;

/** Bun's accept queue holds 512, whatever it is told: who does not get in tries again after a second. */
const MANY = 700;

const bytesOf = (...values: number[]): Uint8Array => Uint8Array.from(values);

export function netConformance({ check }: Suite): void {
  check("both directions of a connection arrive whole and in order", async ({ platform }) => {
    const pair = await connectedPair(platform);
    const [up, down, gotUp, gotDown] = await Promise.all([
      sendStream(pair.client, platform, DUPLEX_BYTES),
      sendStream(pair.server, platform, DUPLEX_BYTES),
      receiveHash(pair.server, platform, DUPLEX_BYTES, 1),
      receiveHash(pair.client, platform, DUPLEX_BYTES),
    ]);
    assert.equal(gotUp, up);
    assert.equal(gotDown, down);
    await pair.close();
  });

  check(
    "consuming gets every byte, can stop and go on, and hears the end",
    async ({ platform }) => {
      for (const side of ["client", "server"] as const) {
        const pair = await connectedPair(platform);
        const reader = pair[side];
        const writer = side === "client" ? pair.server : pair.client;
        const [sent, got] = await Promise.all([
          sendStream(writer, platform, DUPLEX_BYTES),
          consumeHash(reader, platform, DUPLEX_BYTES),
        ]);
        assert.equal(got, sent);
        const ended = reader.consume(() => true);
        writer.end();
        assert.equal(await ended, false);
        assert.equal(await reader.consume(() => true), false);
        await pair.close();
      }
    },
  );

  check("who consumes may close from within", async ({ platform }) => {
    const pair = await connectedPair(platform);
    let calls = 0;
    const ended = pair.client.consume(() => {
      calls++;
      pair.client.destroy();
      return true;
    });
    pair.server.write([new Uint8Array(DUPLEX_BYTES)]);
    assert.equal(await ended, false);
    assert.equal(calls, 1);
    await pair.close();
  });

  for (const side of ["client", "server"] as const) {
    check(
      `a peer that does not read stalls the ${side}, and memory stays bounded`,
      async ({ platform }) => {
        const pair = await connectedPair(platform);
        const writer = pair[side];
        const reader = side === "client" ? pair.server : pair.client;
        const sent = await writeUntilStalled(writer, platform.clock);
        await Promise.all([writer.drained(), receiveHash(reader, platform, sent)]);
        assert.equal(writer.queuedBytes, 0);
        await pair.close();
      },
    );
  }

  for (const partsOfBlock of [1, 2, 256]) {
    check(
      `memory is free once it is sent, ${partsOfBlock} parts at a time`,
      async ({ platform }) => {
        const pair = await connectedPair(platform);
        const [told, blocks] = await Promise.all([
          sendAgainAndAgain(pair.client, { blocks: 64, partsOfBlock }),
          receiveBlocks(pair.server),
        ]);
        assert.equal(blocks, 64);
        assert.deepEqual(told, new Array<number>(64).fill(1));
        await pair.close();
      },
    );
  }

  check("memory is free once the connection is gone, and told of once", async ({ platform }) => {
    const pair = await connectedPair(platform);
    const told = await sendAgainAndAgain(pair.client, {
      blocks: 64,
      partsOfBlock: 1,
      breaks: true,
    });
    assert.deepEqual(told, new Array<number>(64).fill(1));
    await pair.close();
  });

  check("readNow gives what is there and never waits; unread comes first", async ({ platform }) => {
    const pair = await connectedPair(platform);
    assert.equal(pair.server.readNow(), null);
    pair.client.write([bytesOf(1, 2), bytesOf(3)]);
    const first = await readExactly(pair.server, 3);
    assert.deepEqual([...first], [1, 2, 3]);
    pair.server.unread(bytesOf(2, 3));
    pair.server.unread(bytesOf(1));
    assert.deepEqual([...(pair.server.readNow() ?? [])], [1]);
    assert.deepEqual([...((await pair.server.read()) ?? [])], [2, 3]);
    assert.equal(pair.server.readNow(), null);
    await pair.close();
  });

  check("bytes are plain arrays that stay as they are", async ({ platform }) => {
    const pair = await connectedPair(platform);
    pair.client.write([bytesOf(1, 2, 3, 4)]);
    const first = await readExactly(pair.server, 4);
    pair.client.write([bytesOf(9, 9, 9, 9)]);
    const raw = await pair.server.read();
    // On the other side the runtime reads into memory that it uses again.
    pair.server.write([bytesOf(5, 6, 7, 8)]);
    const kept = await pair.client.read();
    pair.server.write([bytesOf(9, 9, 9, 9)]);
    await pair.client.read();
    assert.deepEqual([...kept!], [5, 6, 7, 8]);
    assert.equal(Object.getPrototypeOf(raw), Uint8Array.prototype);
    assert.deepEqual([...first], [1, 2, 3, 4]);
    await pair.close();
  });

  check("end sends what is queued, then both sides see the end", async ({ platform }) => {
    const pair = await connectedPair(platform);
    const block = new Uint8Array(3 * MIB).fill(5);
    pair.server.write([block]);
    pair.server.end();
    assert.equal(pair.server.write([block]), false);
    await receiveHash(pair.client, platform, block.length);
    assert.equal(await pair.client.read(), null);
    assert.equal(await pair.client.read(), null);
    assert.equal((await pair.client.closed).kind, "eof");
    assert.equal((await pair.server.closed).kind, "local");
    await pair.close();
  });

  check("destroy settles everything that waits", async ({ platform }) => {
    const pair = await connectedPair(platform);
    const read = pair.client.read();
    while (pair.client.write([new Uint8Array(MIB)]));
    await delay(platform.clock, 50);
    while (pair.client.write([new Uint8Array(MIB)]));
    const drained = assert.rejects(pair.client.drained(), { name: "NetError" });
    pair.client.destroy();
    assert.equal(await read, null);
    await drained;
    assert.equal((await pair.client.closed).kind, "local");
    assert.equal(pair.client.write([bytesOf(1)]), false);
    await assert.rejects(pair.client.drained(), { name: "NetError" });
    await pair.close();
  });

  check("a reset by the peer ends reads and waits for room", async ({ platform }) => {
    const pair = await connectedPair(platform);
    const block = new Uint8Array(MIB);
    // More than kernels, given time, hold of a connection that is not read.
    for (let i = 0; i < 40; i++) pair.client.write([block]);
    const drained = assert.rejects(pair.client.drained(), { name: "NetError" });
    await delay(platform.clock, 50);
    // Bytes are left unread: the kernel answers with a reset.
    pair.server.destroy();
    await drained;
    assert.equal(await pair.client.read(), null);
    assert.equal((await pair.client.closed).kind, "reset");
    await pair.close();
  });

  check("errors of listen and connect carry the system's code", async ({ platform }) => {
    const pair = await connectedPair(platform);
    const { address } = pair.listener;
    assert.notEqual(address.port, 0);
    const again = platform.net.listen(address, () => {});
    await assert.rejects(again, { name: "NetError", code: "EADDRINUSE" });
    await pair.listener.close();
    const refused = platform.net.connect(address, 5_000);
    await assert.rejects(refused, { name: "NetError", code: "ECONNREFUSED" });
    // Connections outlive their listener.
    pair.client.write([bytesOf(42)]);
    assert.deepEqual([...(await readExactly(pair.server, 1))], [42]);
    assert.match(pair.client.peer, new RegExp(`:${address.port}$`));
    await pair.close();
  });

  for (const [listen, dial, peer] of [
    ["::1", "::1", "[::1]"],
    ["::", "::1", "[::1]"],
    ["::", "127.0.0.1", "127.0.0.1"],
    ["localhost", "localhost", null],
  ] as const) {
    check(
      `IPv6: who listens on ${listen} is reached by ${dial}`,
      async ({ platform }) => {
        const pair = await connectedPair(platform, { listen, dial });
        pair.client.write([bytesOf(1, 2, 3)]);
        assert.deepEqual([...(await readExactly(pair.server, 3))], [1, 2, 3]);
        const { port } = pair.listener.address;
        // The simulation calls a machine by one address.
        if (peer !== null && platform.name !== "memory") {
          assert.equal(pair.client.peer, `${peer}:${port}`);
          assert.ok(pair.server.peer.startsWith(`${peer}:`), pair.server.peer);
        }
        await pair.close();
      },
      "ipv6",
    );
  }

  check("many connections at once, more than Bun lets wait", async ({ platform }) => {
    const servers: Conn[] = [];
    const listener = await platform.net.listen({ host: HOST, port: 0 }, (conn) => {
      servers.push(conn);
      void conn.read().then((bytes) => bytes !== null && conn.write([bytes]));
    });
    const clients = await Promise.all(
      Array.from({ length: MANY }, () => platform.net.connect(listener.address, 20_000)),
    );
    await Promise.all(
      clients.map(async (conn, index) => {
        conn.write([bytesOf(index & 0xff)]);
        assert.deepEqual([...(await readExactly(conn, 1))], [index & 0xff]);
        conn.end();
      }),
    );
    const reasons = await Promise.all(servers.map((conn) => conn.closed));
    assert.ok(reasons.every(({ kind }) => kind === "eof"));
    await listener.close();
  });
}
