/**
 * Conformance of where TLS begins: the handshake's first bytes came with what was before it, on either
 * side and in either role; bytes that somebody put in between; a side that does not read, or is gone.
 */
import assert from "node:assert/strict";
import { delay } from "../../src/platform/clock.ts";
import type { Conn } from "../../src/platform/net.ts";
import type { Platform } from "../../src/platform/platform.ts";
import type { Suite } from "./harness.ts";
import { writeUntilStalled } from "./stalled.ts";
import {
  connectedPair,
  HOST,
  readExactly,
  receiveHash,
  sendAgainAndAgain,
  sendStream,
} from "./streams.ts";
import { certificate, connOf, type Upgraded, upgrade } from "./upgrade.ts";

const MIB = 1024 * 1024;
const ASKED = new TextEncoder().encode("TLS, please\n");
const SMUGGLED = new TextEncoder().encode("GRANT ALL\n");

/** Reads what was sent in clear and at least one byte more, and puts that back. */
async function readWithMore(conn: Conn): Promise<void> {
  const first = await readExactly(conn, ASKED.length);
  assert.deepEqual([...first], [...ASKED]);
  const more = await conn.read();
  assert.ok(more !== null && more.length > 0);
  conn.unread(more);
}

async function plainUpgrade(platform: Platform): Promise<Upgraded> {
  const own = await certificate(platform, "localhost");
  return upgrade(platform, { ...own, clientCert: "none" }, { serverName: HOST, verify: "none" });
}

export function startTlsConformance({ check }: Suite): void {
  for (const dialled of ["client", "server"] as const) {
    check(
      `STARTTLS: the ${dialled} has dialled, and the handshake begins in the bytes before it`,
      async ({ platform }) => {
        const own = await certificate(platform, "localhost");
        const pair = await connectedPair(platform);
        const [asking, asked] =
          dialled === "client" ? [pair.client, pair.server] : [pair.server, pair.client];
        asking.write([ASKED]);
        const [client, server] = await Promise.all([
          asking.startTls({ role: "client", serverName: HOST, verify: "identity", ca: own.cert }),
          readWithMore(asked).then(() =>
            asked.startTls({ role: "server", ...own, clientCert: "none" }),
          ),
        ]);
        // Each begins at once: the first bytes travel with the end of the handshake.
        const [sentUp, sentDown, gotUp, gotDown] = await Promise.all([
          sendStream(client, platform, MIB),
          sendStream(server, platform, MIB),
          receiveHash(server, platform, MIB),
          receiveHash(client, platform, MIB),
        ]);
        assert.equal(gotUp, sentUp);
        assert.equal(gotDown, sentDown);
        client.destroy();
        server.destroy();
        await Promise.all([client.closed, server.closed]);
        await pair.close();
      },
    );
  }

  for (const role of ["server", "client"] as const) {
    check(
      `STARTTLS: bytes in clear before the handshake are never what TLS has protected, as ${role}`,
      async ({ platform }) => {
        const own = await certificate(platform, "localhost");
        const pair = await connectedPair(platform);
        const serverTls = { role: "server", ...own, clientCert: "none" } as const;
        const clientTls = {
          role: "client",
          serverName: HOST,
          verify: "identity",
          ca: own.cert,
        } as const;
        const [victim, other] =
          role === "server" ? [pair.server, pair.client] : [pair.client, pair.server];
        other.write([ASKED, SMUGGLED]);
        const sides = await Promise.allSettled([
          readWithMore(victim).then(() =>
            victim.startTls(role === "server" ? serverTls : clientTls),
          ),
          other.startTls(role === "server" ? clientTls : serverTls),
        ]);
        assert.equal(sides[0].status, "rejected");
        assert.equal((sides[0] as PromiseRejectedResult).reason.name, "NetError");
        await victim.closed;
        if (sides[1].status === "fulfilled") sides[1].value.destroy();
        await pair.close();
      },
    );
  }

  for (const side of ["client", "server"] as const) {
    check(`TLS: a peer that does not read stalls the ${side}`, async ({ platform }) => {
      const up = await plainUpgrade(platform);
      const [client, server] = [connOf(up.client), connOf(up.server)];
      assert.equal(client.tls?.authorized, false);
      const [writer, reader] = side === "client" ? [client, server] : [server, client];
      const sent = await writeUntilStalled(writer, platform.clock);
      await Promise.all([writer.drained(), receiveHash(reader, platform, sent)]);
      await up.close();
    });
  }

  check(
    "TLS: a reset by the peer settles all that waits, and is called that",
    async ({ platform }) => {
      const up = await plainUpgrade(platform);
      const [client, server] = [connOf(up.client), connOf(up.server)];
      const block = new Uint8Array(MIB);
      for (let i = 0; i < 40; i++) client.write([block]);
      // Deno tells of what TLS has dropped as if it were sent, just before the end: either will do.
      const drained = client
        .drained()
        .catch((error: Error) => assert.equal(error.name, "NetError"));
      await delay(platform.clock, 50);
      // Bytes are left unread: the kernel answers with a reset.
      server.destroy();
      await drained;
      assert.equal(await client.read(), null);
      assert.equal((await client.closed).kind, "reset");
      assert.equal(client.write([block]), false);
      await assert.rejects(client.drained(), { name: "NetError" });
      await up.close();
    },
  );

  check(
    "TLS: memory is free once the connection is gone, and told of once",
    async ({ platform }) => {
      const up = await plainUpgrade(platform);
      const told = await sendAgainAndAgain(connOf(up.client), {
        blocks: 64,
        partsOfBlock: 1,
        breaks: true,
      });
      assert.deepEqual(told, new Array<number>(64).fill(1));
      await up.close();
    },
  );
}
