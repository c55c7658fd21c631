import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, decodeText, readU24 } from "../../../src/base/bytes.ts";
import { sha2Response } from "../../../src/mysql/auth/caching-sha2-password.ts";
import { nativeResponse } from "../../../src/mysql/auth/native-password.ts";
import {
  CLIENT_LOCAL_FILES,
  CLIENT_SSL,
  combineFlags,
  hasFlag,
} from "../../../src/mysql/capabilities.ts";
import { PacketConnection } from "../../../src/mysql/connection.ts";
import {
  decodeGreeting,
  decodeLoginOrTlsRequest,
  encodeLogin,
  encodeTlsRequest,
  type LoginRequest,
} from "../../../src/mysql/handshake.ts";
import { decodeErr } from "../../../src/mysql/response.ts";
import { makeNonce } from "../../../src/mysql/server-auth.ts";
import { acceptLogin, LoginFailed, type ServerLogin } from "../../../src/mysql/server-handshake.ts";
import * as captured from "./captured.ts";
import { type FakeConn, fakePair } from "./fake-conn.ts";
import { loginBoth, ManualClock, platform, serverOptions } from "./login-support.ts";

interface Session {
  readonly client: PacketConnection;
  readonly ends: { client: FakeConn; server: FakeConn };
  readonly nonce: Uint8Array;
  readonly result: Promise<ServerLogin>;
}

/** A server, and a hand-driven client that has read the greeting. */
async function greeted(options = {}, clock = platform.clock): Promise<Session> {
  const ends = fakePair();
  const client = new PacketConnection(ends.client, { maxPayloadBytes: 1 << 20 });
  const server = new PacketConnection(ends.server, { maxPayloadBytes: 1 });
  const all = { ...serverOptions, ...options };
  const result = acceptLogin(server, all, { ...platform, clock });
  result.catch(() => {});
  const greeting = decodeGreeting(await client.readPacket());
  return { client, ends, nonce: greeting.nonce, result };
}

function request(bytes: Uint8Array, changes: Partial<LoginRequest>): Uint8Array {
  return encodeLogin({ ...(decodeLoginOrTlsRequest(bytes) as LoginRequest), ...changes });
}

async function failure(result: Promise<unknown>): Promise<LoginFailed> {
  const error: unknown = await result.then(
    () => null,
    (reason) => reason,
  );
  assert.ok(error instanceof LoginFailed, String(error));
  return error;
}

test("our client logs in: TLS, plain, compressed, one byte at a time", async () => {
  for (const pieceBytes of [1, 1000]) {
    for (const mode of ["disabled", "verify-ca", "verify-identity"] as const) {
      for (const compression of [undefined, "zlib", "zstd"] as const) {
        const config = { tls: { mode }, ...(compression === undefined ? {} : { compression }) };
        const { client, server } = await loginBoth(config, {}, pieceBytes);
        assert.ok(client.status === "fulfilled" && server.status === "fulfilled");
        assert.equal(server.value.user, "repl");
        assert.equal(server.value.account.name, "repl");
        assert.equal(server.value.tls !== null, mode !== "disabled");
        assert.equal(server.value.compression, compression ?? null);
        assert.equal(client.value.compression, compression ?? null);
        assert.equal(client.value.serverVersion, "9.7.0-binraft");
        assert.equal(client.value.connectionId, 7);
        assert.equal(client.value.capabilities, server.value.capabilities);
      }
    }
  }
});

test("the pre-login cap holds until the login, then the given one", async () => {
  const { connection } = await loginBoth({});
  assert.equal(connection.maxPayloadBytes, 1 << 24);
});

test("the right password takes the fast path: no password crosses the wire", async () => {
  const { client, ends } = await loginBoth({ tls: { mode: "disabled" } });
  assert.equal(client.status, "fulfilled");
  const sent = decodeText(concatBytes(ends.client.written));
  assert.ok(!sent.includes("secret"));
  const answers = concatBytes(ends.server.written);
  const greetingBytes = 4 + readU24(answers, 0);
  assert.deepEqual([...answers.subarray(greetingBytes, greetingBytes + 6)], [2, 0, 0, 2, 1, 3]);
});

test("wrong passwords and unknown users look the same, on every path", async () => {
  for (const tls of ["disabled", "verify-ca"] as const) {
    const seen = new Set<string>();
    for (const user of ["repl", "nobody", "root", "x".repeat(64)]) {
      const config = { user, password: "wrong", tls: { mode: tls } };
      const { client, server, ends } = await loginBoth(config);
      assert.ok(client.status === "rejected" && server.status === "rejected");
      assert.equal(client.reason.code, "auth");
      assert.equal(server.reason.code, "denied");
      assert.equal(server.reason.user, user);
      const bytes = concatBytes(ends.server.written);
      const afterGreeting = bytes.subarray(4 + readU24(bytes, 0));
      const text = decodeText(afterGreeting).replace(user, "USER").slice(4);
      seen.add(text.replace(/^[\s\S]*?#/, `${afterGreeting.length - user.length} #`));
    }
    assert.equal(seen.size, 1, [...seen].join("\n"));
  }
});

test("an unknown user costs the server the same steps as a wrong password", async () => {
  const { connect } = await import("../../../src/mysql/client.ts");
  const { clientConfig, platformWith } = await import("./login-support.ts");
  for (const mode of ["disabled", "verify-ca"] as const) {
    const taken = new Set<string>();
    for (const user of ["repl", "nobody", "root"]) {
      const steps: string[] = [];
      const crypto = new Proxy(platform.crypto, {
        get(target, name, receiver) {
          const step = Reflect.get(target, name, receiver) as unknown;
          if (typeof step !== "function") return step;
          return (...args: unknown[]) => {
            steps.push(String(name));
            return Reflect.apply(step, target, args) as unknown;
          };
        },
      });
      const ends = fakePair();
      const server = new PacketConnection(ends.server, { maxPayloadBytes: 1 });
      const login = acceptLogin(
        server,
        { ...serverOptions, someNative: false },
        { ...platform, crypto },
      );
      const config = { ...clientConfig, user, password: "wrong", tls: { mode } };
      await assert.rejects(connect(config, platformWith(ends.client)), /1045/);
      await assert.rejects(login);
      assert.ok(steps.includes("timingSafeEqual"), steps.join(" "));
      taken.add(steps.join(" "));
    }
    assert.equal(taken.size, 1, [...taken].join("\n"));
  }
});

test("the full path over TLS and over RSA refuses the wrong password too", async () => {
  const rsaKey = await platform.crypto.generateRsaKey();
  for (const config of [
    { tls: { mode: "verify-ca" } },
    { tls: { mode: "disabled" }, fetchPublicKey: true },
    { tls: { mode: "disabled" }, publicKey: rsaKey.publicKey },
  ] as const) {
    const { client, server } = await loginBoth({ ...config, password: "wrong" }, { rsaKey });
    assert.ok(client.status === "rejected" && server.status === "rejected");
    assert.match(client.reason.message, /1045/);
    assert.equal(server.reason.code, "denied");
  }
});

test("the full path accepts the right password where the fast path was spoiled", async () => {
  const rsaKey = await platform.crypto.generateRsaKey();
  for (const tls of [{ mode: "verify-ca" }, { mode: "disabled" }] as const) {
    const ends = fakePair();
    const server = new PacketConnection(ends.server, { maxPayloadBytes: 1 });
    const login = acceptLogin(server, { ...serverOptions, rsaKey }, platform);
    const { connect } = await import("../../../src/mysql/client.ts");
    const { clientConfig, platformWith } = await import("./login-support.ts");
    const base = platformWith(ends.client);
    let calls = 0;
    // The third SHA-256 is the last of the client's response: spoil it.
    const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
      const hash = base.crypto.sha256(...parts);
      return ++calls === 3 ? hash.map((byte) => byte ^ 1) : hash;
    };
    const spoiled = { ...base, crypto: { ...base.crypto, sha256 } };
    await connect({ ...clientConfig, tls, fetchPublicKey: true }, spoiled);
    assert.equal((await login).user, "repl");
  }
});

test("native accounts log in with native, directly or after a switch", async () => {
  const { client, nonce, result } = await greeted();
  const authData = nativeResponse(platform.crypto, "secret", nonce);
  client.writePacket(request(captured.LOGIN_REPLICA_56, { user: "old", authData }));
  assert.equal((await client.readPacket())[0], 0x00);
  assert.equal((await result).user, "old");
  // MariaDB leaves the response out: it is asked for.
  const maria = await greeted();
  maria.client.writePacket(request(captured.LOGIN_REPLICA_MARIADB, { user: "old" }));
  const ask = await maria.client.readPacket();
  assert.equal(decodeText(ask.subarray(1, 22)), "mysql_native_password");
  maria.client.writePacket(nativeResponse(platform.crypto, "secret", maria.nonce));
  assert.equal((await maria.client.readPacket())[0], 0x00);
  assert.equal((await maria.result).attributes.get("_client_version"), "10.11.19");
});

test("a client that begins with another plugin or none is switched to caching_sha2_password", async () => {
  for (const bytes of [captured.LOGIN_POWERSYNC, captured.LOGIN_REPLICA_56]) {
    const { client, nonce, result } = await greeted();
    client.writePacket(request(bytes, { user: "repl" }));
    const ask = await client.readPacket();
    assert.equal(decodeText(ask.subarray(0, 22)).slice(1), "caching_sha2_password");
    assert.deepEqual(ask.subarray(23, 43), nonce);
    client.writePacket(sha2Response(platform.crypto, "secret", nonce));
    assert.deepEqual([...(await client.readPacket())], [1, 3]);
    assert.equal((await client.readPacket())[0], 0x00);
    assert.equal((await result).user, "repl");
  }
});

test("an empty answer is never accepted, and is called (using password: NO)", async () => {
  for (const user of ["repl", "old", "nobody"]) {
    for (const bytes of [captured.LOGIN_REPLICA_97_ZSTD, captured.LOGIN_REPLICA_56]) {
      const { client, result } = await greeted();
      client.writePacket(request(bytes, { user, authData: new Uint8Array(0) }));
      let answer = await client.readPacket();
      if (answer[0] === 0xfe) {
        client.writePacket(new Uint8Array(0));
        answer = await client.readPacket();
      }
      assert.match(decodeErr(answer).message, /using password: NO/);
      assert.equal((await failure(result)).code, "denied");
    }
  }
});

test("TLS can be required, and is then asked for before anything about the account", async () => {
  const { client, server } = await loginBoth({ tls: { mode: "disabled" } }, { requireTls: true });
  assert.ok(client.status === "rejected" && server.status === "rejected");
  assert.match(client.reason.message, /3159/);
  assert.equal(server.reason.code, "tls");
  const over = await loginBoth({}, { requireTls: true });
  assert.equal(over.server.status, "fulfilled");
});

test("without a certificate no TLS is offered, and asking for it is malformed", async () => {
  const { client, result } = await greeted({ tls: null });
  const login = decodeLoginOrTlsRequest(captured.LOGIN_MYSQL2) as LoginRequest;
  const capabilities = combineFlags(login.capabilities, CLIENT_SSL);
  client.writePacket(encodeTlsRequest({ ...login, capabilities }));
  assert.equal(decodeErr(await client.readPacket()).errno, 1043);
  assert.equal((await failure(result)).code, "malformed");
});

test("a login packet right behind a TLS request ends the connection unanswered", async () => {
  const { client, ends, result } = await greeted();
  const login = decodeLoginOrTlsRequest(captured.LOGIN_MYSQL2) as LoginRequest;
  const capabilities = combineFlags(login.capabilities, CLIENT_SSL);
  client.writePackets([encodeTlsRequest({ ...login, capabilities }), captured.LOGIN_MYSQL2]);
  assert.equal((await failure(result)).code, "malformed");
  assert.ok(ends.client.isClosed);
});

test("a failed TLS handshake is its own kind of failure", async () => {
  const { client, ends, result } = await greeted();
  const login = decodeLoginOrTlsRequest(captured.LOGIN_MYSQL2) as LoginRequest;
  const capabilities = combineFlags(login.capabilities, CLIENT_SSL);
  client.writePacket(encodeTlsRequest({ ...login, capabilities }));
  ends.client.write([Uint8Array.of(0x15, 3, 1, 0, 0)]);
  assert.equal((await failure(result)).code, "tls");
});

test("a silent client is cut off by the deadline", async () => {
  const clock = new ManualClock();
  const { ends, result } = await greeted({}, clock);
  clock.fire();
  assert.equal((await failure(result)).code, "timeout");
  assert.ok(ends.client.isClosed);
  const gone = await greeted({}, clock);
  gone.ends.client.destroy();
  assert.equal((await failure(gone.result)).code, "lost");
  assert.equal(clock.timers.length, 0, "no timer is left behind");
});

test("a large packet before the login is refused by its header", async () => {
  const { ends, result } = await greeted();
  ends.client.write([Uint8Array.of(0xff, 0xff, 0xff, 1)]);
  assert.equal((await failure(result)).code, "malformed");
});

test("every prefix and changed byte of a login ends in an answer or a close, never a hang", async () => {
  for (const bytes of captured.LOGINS) {
    const attempts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at++) {
      attempts.push(bytes.subarray(0, at));
      for (const value of [0, 0xfb, 0xff]) attempts.push(bytes.with(at, value));
    }
    await Promise.all(
      attempts.map(async (attempt) => {
        const { client, ends, result } = await greeted();
        client.writePacket(attempt);
        await client.readPacket().catch(() => null);
        ends.client.destroy();
        const { code } = await failure(result);
        assert.ok(["denied", "malformed", "lost", "tls"].includes(code), code);
      }),
    );
  }
});

test("control characters in a user name stay out of texts", async () => {
  const { server } = await loginBoth({ user: "a\r\n\x1b[31m", password: "x" });
  assert.ok(server.status === "rejected");
  assert.equal(server.reason.user, "a\\x0d\\x0a\\x1b[31m");
  assert.ok(!["\r", "\n", "\x1b"].some((char) => server.reason.message.includes(char)));
});

test("nonces have 20 bytes without NUL and $ and do not repeat", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 10_000; i++) {
    const nonce = makeNonce(platform.random);
    assert.equal(nonce.length, 20);
    assert.ok(!nonce.includes(0) && !nonce.includes(0x24));
    seen.add(nonce.join());
  }
  assert.equal(seen.size, 10_000);
});

test("LOCAL_FILES and MULTI_STATEMENTS are never offered", async () => {
  const ends = fakePair();
  const server = new PacketConnection(ends.server, { maxPayloadBytes: 1 });
  acceptLogin(server, serverOptions, platform).catch(() => {});
  const client = new PacketConnection(ends.client, { maxPayloadBytes: 1000 });
  const greeting = decodeGreeting(await client.readPacket());
  assert.ok(!hasFlag(greeting.capabilities, CLIENT_LOCAL_FILES | 0x1_0000));
  ends.client.destroy();
});
