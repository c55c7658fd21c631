import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../runtime/memory/world.ts";
import { type PeerCredentials, ProofFailed, secure } from "../../../src/peers/handshake.ts";
import type { Conn } from "../../../src/platform/net.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { credentials } from "./world-peers.ts";

interface Ends {
  readonly world: World;
  readonly client: Platform;
  readonly server: Platform;
  connect(port?: number): Promise<Conn>;
  accept(onConn: (conn: Conn) => void, port?: number): Promise<void>;
}

function ends(seed: number): Ends {
  const world = new World(seed);
  const [client, server] = [world.machine("client").start(), world.machine("server").start()];
  const { address } = world.machine("server");
  return {
    world,
    client,
    server,
    connect: (port = 1) => world.time.run(() => client.net.connect({ host: address, port }, 1000)),
    accept: async (onConn, port = 1) => {
      await world.time.run(() => server.net.listen({ host: address, port }, onConn));
    },
  };
}

/** How both sides end: null when they are through. */
async function handshake(
  seed: number,
  client: readonly string[],
  server: readonly string[],
): Promise<[unknown, unknown]> {
  const world = ends(seed);
  const theirs = await credentials(world.server, ...server);
  let serving: Promise<unknown> = Promise.resolve();
  await world.accept((conn) => {
    serving = secure(world.server, conn, "server", theirs).then(
      () => null,
      (error) => error,
    );
  });
  const conn = await world.connect();
  const ours = await credentials(world.client, ...client);
  const result = await world.world.time.run(() =>
    secure(world.client, conn, "client", ours).then(
      () => null,
      (error) => error,
    ),
  );
  return [result, await world.world.time.run(() => serving)];
}

test("nodes with one secret take each other for what they are", async () => {
  assert.deepEqual(await handshake(1, ["the secret"], ["the secret"]), [null, null]);
});

test("nodes with different secrets do not", async () => {
  for (const error of await handshake(2, ["the secret"], ["another secret"]))
    assert.ok(error instanceof ProofFailed);
});

test("a secret is changed without a moment in which nodes do not know each other", async () => {
  // The new one is added behind the old on all nodes, then put in front, then the old one goes.
  for (const [client, server] of [
    [["old"], ["old", "new"]],
    [["old", "new"], ["old"]],
    [
      ["old", "new"],
      ["new", "old"],
    ],
    [
      ["new", "old"],
      ["old", "new"],
    ],
    [["new"], ["new", "old"]],
    [["new", "old"], ["new"]],
  ] as const)
    assert.deepEqual(await handshake(3, client, server), [null, null], `${client} ${server}`);
});

test("somebody between two nodes who ends TLS on both sides gets no proof through", async () => {
  const { world, client, server, connect, accept } = ends(4);
  const [a, b] = [await credentials(client, "the secret"), await credentials(server, "the secret")];
  const between: PeerCredentials = await credentials(server, "unknown to him");
  let serving: Promise<unknown> = Promise.resolve();
  await accept((conn) => {
    serving = secure(server, conn, "server", b).then(
      () => null,
      (error) => error,
    );
  }, 2);
  await accept((conn) => void relay(conn), 1);
  const { address } = world.machine("server");
  async function relay(conn: Conn): Promise<void> {
    const { cert, key } = between;
    const left = await conn.startTls({
      role: "server",
      clientCert: "ask",
      cert,
      key,
      minVersion: "TLSv1.3",
    });
    const plain = await server.net.connect({ host: address, port: 2 }, 1000);
    const right = await plain.startTls({
      role: "client",
      serverName: "",
      verify: "none",
      cert,
      key,
    });
    const copy = async (from: Conn, to: Conn): Promise<void> => {
      for (let bytes = await from.read(); bytes !== null; bytes = await from.read())
        to.write([bytes]);
      to.destroy();
    };
    await Promise.all([copy(left, right), copy(right, left)]);
  }
  const conn = await connect(1);
  const result = await world.time.run(() =>
    secure(client, conn, "client", a).then(
      () => null,
      (error) => error,
    ),
  );
  assert.ok(result instanceof ProofFailed, String(result));
  assert.ok((await world.time.run(() => serving)) instanceof ProofFailed);
});

test("what is no node is told nothing and ends only its own connection", async () => {
  const { world, client, server, connect, accept } = ends(5);
  const b = await credentials(server, "the secret");
  let error: unknown = null;
  await accept((conn) => {
    secure(server, conn, "server", b).catch((one) => {
      error = one;
    });
  });
  const conn = await connect();
  const { cert, key } = await credentials(client, "x");
  const secured = await world.time.run(() =>
    conn.startTls({ role: "client", serverName: "", verify: "none", cert, key }),
  );
  secured.write([new Uint8Array(40).fill(65)]);
  assert.equal(await world.time.run(() => secured.read()), null);
  assert.match((error as Error).message, /no binraft node/);
});
