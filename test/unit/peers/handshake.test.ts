import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../runtime/memory/world.ts";
import { type PeerCredentials, ProofFailed, secure } from "../../../src/peers/handshake.ts";
import { type Conn, NetError } from "../../../src/platform/net.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { before } from "../../support/authority.ts";
import { toyAuthority } from "../../support/toy-authority.ts";
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
type Result = [client: Error | null, server: Error | null];

async function handshake(
  seed: number,
  client: readonly string[],
  server: readonly string[],
): Promise<Result> {
  const world = ends(seed);
  return meet(
    world,
    await credentials(world.client, ...client),
    await credentials(world.server, ...server),
  );
}

async function meet(world: Ends, ours: PeerCredentials, theirs: PeerCredentials): Promise<Result> {
  let serving: Promise<Error | null> = Promise.resolve(null);
  await world.accept((conn) => {
    serving = secure(world.server, conn, "server", theirs).then(
      () => null,
      (error) => error,
    );
  });
  const conn = await world.connect();
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

/** What the two sides say, each empty when it is through. */
async function said(
  seed: number,
  make: (world: Ends) => Promise<[client: PeerCredentials, server: PeerCredentials]>,
): Promise<[client: string, server: string]> {
  const world = ends(seed);
  const [client, server] = await meet(world, ...(await make(world)));
  // The server of a client that refuses it learns no more than that.
  for (const error of [client, server])
    assert.ok(
      [ProofFailed, NetError].some((kind) => !error || error instanceof kind),
      `${error}`,
    );
  return [client?.message ?? "", server?.message ?? ""];
}

/** Certificates of one CA. */
async function certified(
  { client: platform }: Ends,
  name = "the CA",
): Promise<(...secrets: string[]) => Promise<PeerCredentials>> {
  const { ca, issue } = toyAuthority(platform, name);
  return async (...secrets) => ({ ...(await issue("node")), ca, secrets });
}

const ENDED = /ended the connection: it does not accept this node's certificate/;
const NO_CERTIFICATE =
  /is self-signed.*: set cluster\.tls_ca, cluster\.tls_cert and cluster\.tls_key/;

test("nodes with certificates of one CA need no secret", async () => {
  const result = await said(6, async (world) => {
    const node = await certified(world);
    return [await node(), await node()];
  });
  assert.deepEqual(result, ["", ""]);
});

test("with certificates and a secret both must hold", async () => {
  const both = await said(7, async (world) => {
    const node = await certified(world);
    return [await node("the secret"), await node("the secret")];
  });
  assert.deepEqual(both, ["", ""]);
  const [client, server] = await said(8, async (world) => {
    const node = await certified(world);
    return [await node("the secret"), await node("another secret")];
  });
  assert.match(client, /another cluster secret/);
  assert.match(server, /does not know the cluster secret/);
  const strangers = await said(9, async (world) => {
    const [node, stranger] = [await certified(world), await certified(world, "another CA")];
    return [await stranger("the secret"), await node("the secret")];
  });
  // The client looks first.
  assert.match(strangers[0], /not signed by a CA of cluster\.tls_ca/);
});

test("a secret on one side alone is refused, and both sides say where it is missing", async () => {
  const here =
    /This node has a cluster secret and the other side has none: set cluster.secret_file/;
  const there = /The other side has a cluster secret and this node has none/;
  const onClient = await said(10, async (world) => {
    const node = await certified(world);
    return [await node("the secret"), await node()];
  });
  assert.match(onClient[0], here);
  assert.match(onClient[1], there);
  const onServer = await said(11, async (world) => {
    const node = await certified(world);
    return [await node(), await node("the secret")];
  });
  assert.match(onServer[0], there);
  assert.match(onServer[1], here);
});

test("certificates on one side alone are refused, and the side that has them says so", async () => {
  const onClient = await said(12, async (world) => [
    await (await certified(world))("the secret"),
    await credentials(world.server, "the secret"),
  ]);
  assert.match(onClient[0], NO_CERTIFICATE);
  assert.notEqual(onClient[1], "");
  const onServer = await said(13, async (world) => [
    await credentials(world.client, "the secret"),
    await (await certified(world))("the secret"),
  ]);
  assert.match(onServer[0], ENDED);
  assert.match(onServer[1], NO_CERTIFICATE);
});

for (const side of ["client", "server"] as const) {
  test(`a ${side} with a certificate of another CA, or an expired one, is refused by who sees it`, async () => {
    for (const [isExpired, why] of [
      [false, /not signed by a CA of cluster\.tls_ca/],
      [true, /has expired: renew it/],
    ] as const) {
      const [client, server] = await said(14, async ({ client: platform }) => {
        const { ca, issue } = toyAuthority(platform, "the CA");
        const stranger = toyAuthority(platform, "another CA");
        const issued = isExpired
          ? await issue("bad", before(platform.clock.wall()))
          : await stranger.issue("bad");
        const good = { ...(await issue("good")), ca, secrets: [] };
        const bad = { ...issued, ca, secrets: [] };
        return side === "client" ? [bad, good] : [good, bad];
      });
      assert.match(side === "client" ? server : client, why);
      if (side === "client") assert.match(client, ENDED);
      else assert.notEqual(server, "");
    }
  });
}

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
