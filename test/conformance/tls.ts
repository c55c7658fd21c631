/** Conformance of STARTTLS: what is verified, and the same duties as in clear. Where it begins: starttls.ts. */
import assert from "node:assert/strict";
import type { TlsClientOptions } from "../../src/platform/net.ts";
import { before } from "../support/authority.ts";
import type { Suite } from "./harness.ts";
import {
  connectedPair,
  consumeHash,
  HOST,
  receiveBlocks,
  receiveHash,
  sendAgainAndAgain,
  sendStream,
} from "./streams.ts";
import { type Credentials, certificate, connOf, HOUR_MS, refusalOf, upgrade } from "./upgrade.ts";

const MIB = 1024 * 1024;

export function tlsConformance({ check }: Suite): void {
  check("STARTTLS: streams arrive whole in both directions", async ({ platform }) => {
    const own = await certificate(platform, "localhost");
    const up = await upgrade(
      platform,
      { ...own, clientCert: "none" },
      { serverName: "localhost", verify: "identity", ca: own.cert },
    );
    const [client, server] = [connOf(up.client), connOf(up.server)];
    assert.equal(client.tls?.authorized, true);
    assert.equal(client.tls?.peerCommonName, "localhost");
    assert.match(client.tls?.version ?? "", /^TLSv1\.[23]$/);
    assert.match(client.tls?.peerFingerprint256 ?? "", /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    assert.equal(server.tls?.authorized, false);
    const [sentUp, sentDown, gotUp, gotDown] = await Promise.all([
      sendStream(client, platform, 4 * MIB),
      sendStream(server, platform, 4 * MIB),
      receiveHash(server, platform, 4 * MIB, 1),
      receiveHash(client, platform, 4 * MIB),
    ]);
    assert.equal(gotUp, sentUp);
    assert.equal(gotDown, sentDown);
    const [sent, consumed] = await Promise.all([
      sendStream(server, platform, 4 * MIB),
      consumeHash(client, platform, 4 * MIB),
    ]);
    assert.equal(consumed, sent);
    server.end();
    assert.equal(await client.read(), null);
    assert.equal((await client.closed).kind, "eof");
    await up.close();
  });

  for (const partsOfBlock of [1, 2, 256]) {
    check(
      `TLS: memory is free once it is sent, ${partsOfBlock} parts at a time`,
      async ({ platform }) => {
        const own = await certificate(platform, "localhost");
        const up = await upgrade(
          platform,
          { ...own, clientCert: "none" },
          { serverName: HOST, verify: "none" },
        );
        const [told, blocks] = await Promise.all([
          sendAgainAndAgain(connOf(up.server), { blocks: 64, partsOfBlock }),
          receiveBlocks(connOf(up.client)),
        ]);
        assert.equal(blocks, 64);
        assert.deepEqual(told, new Array<number>(64).fill(1));
        await up.close();
      },
    );
  }

  check("STARTTLS: client certificates that chain to the CA are let in", async ({ platform }) => {
    const [own, theirs] = [
      await certificate(platform, "server"),
      await certificate(platform, "peer-2"),
    ];
    const up = await upgrade(
      platform,
      { ...own, clientCert: "require", ca: theirs.cert },
      { ...theirs, serverName: "server", verify: "ca", ca: own.cert },
    );
    const server = connOf(up.server);
    assert.equal(server.tls?.authorized, true);
    assert.equal(server.tls?.peerCommonName, "peer-2");
    await up.close();
  });

  check("STARTTLS: unknown and missing client certificates are refused", async ({ platform }) => {
    const own = await certificate(platform, "server");
    const [known, stranger] = [
      await certificate(platform, "known"),
      await certificate(platform, "known"),
    ];
    for (const credentials of [stranger, {}]) {
      const up = await upgrade(
        platform,
        { ...own, clientCert: "require", ca: known.cert },
        { ...credentials, serverName: "server", verify: "ca", ca: own.cert },
      );
      assert.equal(up.server.status, "rejected");
      // TLS 1.3 tells the client only afterwards.
      if (up.client.status === "fulfilled") assert.equal(await up.client.value.read(), null);
      await up.close();
    }
  });

  check(
    "STARTTLS: of a CA both sides require each other's certificate, and a server that refuses knows why",
    async ({ platform, authority }) => {
      const [{ ca, issue }, another] = [await authority("one CA"), await authority("another CA")];
      const own = await issue("server");
      const expired = await issue("client", before(platform.clock.wall()));
      const cases: [Credentials | null, RegExp | null][] = [
        [await issue("client"), null],
        [await another.issue("client"), /^UNABLE_TO_VERIFY_LEAF_SIGNATURE$/],
        [expired, /^(CERT_HAS_EXPIRED|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/],
        [null, /^ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE$/],
      ];
      for (const [theirs, code] of cases) {
        const up = await upgrade(
          platform,
          { ...own, clientCert: "require", ca, minVersion: "TLSv1.3" },
          { ...theirs, serverName: "", verify: "ca", ca },
        );
        const { server } = up;
        if (code === null) assert.equal(connOf(server).tls?.authorized, true);
        else assert.match(refusalOf(server), code);
        assert.equal(connOf(up.client).tls?.authorized, true);
        if (code !== null) assert.equal(await connOf(up.client).read(), null);
        await up.close();
      }
    },
  );

  check(
    "STARTTLS: a client certificate that has expired is called that",
    async ({ platform, authority }) => {
      const { ca, issue } = await authority("a CA");
      const up = await upgrade(
        platform,
        { ...(await issue("server")), clientCert: "require", ca },
        {
          ...(await issue("client", before(platform.clock.wall()))),
          serverName: "",
          verify: "ca",
          ca,
        },
      );
      assert.equal(refusalOf(up.server), "CERT_HAS_EXPIRED");
      await up.close();
    },
    "expiryNamed",
  );

  check("STARTTLS: the client refuses as it was told to", async ({ platform }) => {
    const [own, other] = [
      await certificate(platform, "server"),
      await certificate(platform, "other"),
    ];
    const old = await certificate(platform, "server", 100 * HOUR_MS);
    const cases: [Credentials, Omit<TlsClientOptions, "role">, boolean][] = [
      [own, { serverName: "server", verify: "identity", ca: own.cert }, true],
      [own, { serverName: HOST, verify: "identity", ca: own.cert }, true],
      [own, { serverName: "elsewhere", verify: "identity", ca: own.cert }, false],
      [own, { serverName: "elsewhere", verify: "ca", ca: own.cert }, true],
      [own, { serverName: "server", verify: "ca", ca: other.cert }, false],
      [own, { serverName: "server", verify: "identity" }, false],
      [own, { serverName: "server", verify: "none", ca: other.cert }, true],
      [old, { serverName: "server", verify: "ca", ca: old.cert }, false],
    ];
    for (const [credentials, client, accepted] of cases) {
      const up = await upgrade(platform, { ...credentials, clientCert: "none" }, client);
      const what = `${client.verify} ${client.serverName}`;
      assert.equal(up.client.status, accepted ? "fulfilled" : "rejected", what);
      if (!accepted) assert.equal((up.client as PromiseRejectedResult).reason.name, "NetError");
      await up.close();
    }
  });

  check(
    "STARTTLS: a client that talks no TLS is refused, one that leaves too",
    async ({ platform }) => {
      const own = await certificate(platform, "server");
      for (const leave of [false, true]) {
        const pair = await connectedPair(platform);
        const serving = pair.server.startTls({ role: "server", ...own, clientCert: "none" });
        const refused = assert.rejects(serving, { name: "NetError" });
        if (leave) pair.client.destroy();
        else pair.client.write([new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")]);
        await refused;
        await pair.server.closed;
        await pair.close();
      }
    },
  );

  check(
    "STARTTLS: a minimum version is honoured",
    async ({ platform }) => {
      const own = await certificate(platform, "server");
      const up = await upgrade(
        platform,
        { ...own, clientCert: "none", minVersion: "TLSv1.3" },
        { serverName: "server", verify: "ca", ca: own.cert },
      );
      assert.equal(connOf(up.client).tls?.version, "TLSv1.3");
      await up.close();
    },
    "realTls",
  );
}
