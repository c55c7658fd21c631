import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, decodeText } from "../../../src/base/bytes.ts";
import { CLIENT_LOCAL_FILES, CLIENT_SSL, hasFlag } from "../../../src/mysql/capabilities.ts";
import type { ClientConfig, MysqlClient } from "../../../src/mysql/client.ts";
import { ClientError, connect, MysqlError } from "../../../src/mysql/client.ts";
import { decodeCommand } from "../../../src/mysql/commands.ts";
import { PacketConnection } from "../../../src/mysql/connection.ts";
import { syntaxError, tooManyConnections } from "../../../src/mysql/errors.ts";
import {
  decodeGreeting,
  decodeLoginOrTlsRequest,
  encodeAuthSwitch,
  encodeGreeting,
  encodeMoreData,
} from "../../../src/mysql/handshake.ts";
import { encodeErr, encodeOk } from "../../../src/mysql/response.ts";
import { encodeResultSet, textColumn } from "../../../src/mysql/result-set.ts";
import * as captured from "./captured.ts";
import { type FakeConn, fakePair } from "./fake-conn.ts";
import { clientConfig, loginBoth, ManualClock, platformWith } from "./login-support.ts";

const PLAIN: Partial<ClientConfig> = { tls: { mode: "disabled" } };
const greeting97 = decodeGreeting(captured.GREETING_97);

interface Scripted {
  readonly server: PacketConnection;
  readonly ends: { client: FakeConn; server: FakeConn };
  readonly result: Promise<MysqlClient>;
}

/** A hand-driven server that has sent its greeting. */
function scripted(
  config: Partial<ClientConfig>,
  greeting: Uint8Array = captured.GREETING_97,
  clock?: ManualClock,
): Scripted {
  const ends = fakePair();
  const server = new PacketConnection(ends.server, { maxPayloadBytes: 1 << 20 });
  server.writePacket(greeting);
  const result = connect({ ...clientConfig, ...config }, platformWith(ends.client, clock));
  result.catch(() => {});
  return { server, ends, result };
}

async function failure(result: Promise<unknown>): Promise<ClientError> {
  const error: unknown = await result.then(
    () => null,
    (reason) => reason,
  );
  assert.ok(error instanceof ClientError, String(error));
  return error;
}

/** A client that is logged in to a scripted server, which answers with `answer`. */
async function loggedIn(
  answer: (sql: string, server: PacketConnection) => void,
  config: Partial<ClientConfig> = {},
  clock?: ManualClock,
): Promise<{ client: MysqlClient; ends: { client: FakeConn; server: FakeConn } }> {
  const { server, ends, result } = scripted({ ...PLAIN, ...config }, undefined, clock);
  await server.readPacket();
  server.writePacket(encodeOk());
  const client = await result;
  void (async () => {
    for (;;) {
      const command = decodeCommand(await server.readCommand(), client.capabilities);
      if (command.kind === "query") answer(command.sql, server);
      else server.writePacket(encodeOk());
    }
  })().catch(() => {});
  return { client, ends };
}

test("a server that lacks TLS learns nothing, not even the user name", async () => {
  const capabilities = (greeting97.capabilities & ~CLIENT_SSL) >>> 0;
  for (const mode of ["verify-ca", "verify-identity"] as const) {
    const { ends, result } = scripted(
      { tls: { mode } },
      encodeGreeting({ ...greeting97, capabilities }),
    );
    assert.equal((await failure(result)).code, "tls");
    assert.equal(ends.client.written.length, 0);
    assert.ok(ends.client.isClosed);
  }
});

test("TLS with verify-identity is the default", async () => {
  const ends = fakePair();
  const { tls: _, ...config } = clientConfig;
  const server = new PacketConnection(ends.server, { maxPayloadBytes: 1000 });
  server.writePacket(captured.GREETING_97);
  let asked: unknown;
  ends.client.startTls = async (options) => {
    asked = options;
    throw new Error("certificate has expired");
  };
  const error = await failure(connect(config, platformWith(ends.client)));
  assert.deepEqual(asked, { role: "client", serverName: "db.example", verify: "identity" });
  assert.equal(error.code, "tls");
  assert.match(error.message, /certificate has expired/);
  assert.equal(concatBytes(ends.client.written).length, 36, "only the TLS request");
});

test("LOCAL_FILES is never set, and 0xFB is a broken rule", async () => {
  const { server, result } = scripted(PLAIN);
  const login = decodeLoginOrTlsRequest(await server.readPacket());
  assert.equal(hasFlag(login.capabilities, CLIENT_LOCAL_FILES), false);
  server.writePacket(encodeOk());
  const client = await result;
  const query = client.query("SELECT 1");
  await server.readCommand();
  server.writePacket(Uint8Array.of(0xfb, 0x2f, 0x65));
  assert.equal((await failure(query)).code, "protocol");
  assert.equal((await failure(client.query("SELECT 2"))).code, "closed");
});

test("plugins that give the password away are refused before any answer", async () => {
  for (const plugin of ["mysql_clear_password", "sha256_password", "mysql_native_password", ""]) {
    for (const tls of ["disabled", "verify-ca"] as const) {
      const { server, ends, result } = scripted({ tls: { mode: tls } });
      if (tls === "verify-ca") {
        await server.readPacket();
        await server.startTls({ role: "server", clientCert: "none", cert: "", key: "" });
      }
      await server.readPacket();
      const writes = ends.client.written.length;
      const nonce = new Uint8Array(20).fill(1);
      server.writePacket(plugin === "" ? Uint8Array.of(0xfe) : encodeAuthSwitch(plugin, nonce));
      const error = await failure(result);
      assert.equal(error.code, "auth");
      assert.equal(ends.client.written.length, writes, "nothing was sent");
      assert.ok(!decodeText(concatBytes(ends.client.written)).includes("secret"));
    }
  }
});

test("native is used only when it is allowed", async () => {
  const { server, result } = scripted({ ...PLAIN, nativePassword: true }, captured.GREETING_56);
  const login = decodeLoginOrTlsRequest(await server.readPacket());
  assert.ok(login.kind === "login" && login.authPlugin === "mysql_native_password");
  assert.equal(login.authData.length, 20);
  server.writePacket(encodeOk());
  assert.equal((await result).serverVersion, "5.6.24-log");
  const strict = scripted(PLAIN, captured.GREETING_56);
  const other = decodeLoginOrTlsRequest(await strict.server.readPacket());
  assert.ok(other.kind === "login" && other.authPlugin === "caching_sha2_password");
  strict.server.writePacket(encodeAuthSwitch("mysql_native_password", new Uint8Array(20).fill(1)));
  assert.match((await failure(strict.result)).message, /native_password = true/);
});

test("without TLS and without a key the whole password is not sent", async () => {
  const { server, ends, result } = scripted(PLAIN);
  await server.readPacket();
  const writes = ends.client.written.length;
  server.writePacket(encodeMoreData(Uint8Array.of(4)));
  assert.equal((await failure(result)).code, "auth");
  assert.equal(ends.client.written.length, writes);
});

test("a server that breaks the login's rules is a protocol error", async () => {
  const nonce = new Uint8Array(20).fill(1);
  const scripts: readonly (readonly Uint8Array[])[] = [
    [Uint8Array.of(0x42)],
    [new Uint8Array(0)],
    [encodeMoreData(Uint8Array.of(9))],
    [encodeAuthSwitch("caching_sha2_password", nonce.subarray(1))],
    Array(20).fill(encodeMoreData(Uint8Array.of(3))),
  ];
  for (const script of scripts) {
    const { server, result } = scripted(PLAIN);
    await server.readPacket();
    server.writePackets(script);
    assert.equal((await failure(result)).code, "protocol");
  }
  const twice = scripted(PLAIN);
  await twice.server.readPacket();
  twice.server.writePacket(encodeAuthSwitch("caching_sha2_password", nonce));
  await twice.server.readPacket();
  twice.server.writePacket(encodeAuthSwitch("caching_sha2_password", nonce));
  assert.equal((await failure(twice.result)).code, "protocol");
  const greetings = [new Uint8Array(0), Uint8Array.of(9), captured.GREETING_97.subarray(0, 30)];
  for (const greeting of greetings) {
    assert.equal((await failure(scripted(PLAIN, greeting).result)).code, "protocol");
  }
});

test("each kind of trouble has its code", async () => {
  const busy = scripted(PLAIN, encodeErr(tooManyConnections(), true));
  const error = await failure(busy.result);
  assert.equal(error.code, "server");
  assert.ok(error.cause instanceof MysqlError && error.cause.errno === 1040);
  const gone = scripted(PLAIN);
  gone.ends.server.destroy();
  assert.equal((await failure(gone.result)).code, "unreachable");
  const clock = new ManualClock();
  const silent = scripted(PLAIN, undefined, clock);
  await silent.server.readPacket();
  clock.fire();
  assert.equal((await failure(silent.result)).code, "no-login");
  assert.ok(silent.ends.client.isClosed);
});

test("an aborted connect rejects with the signal's reason and closes", async () => {
  const ends = fakePair();
  const controller = new AbortController();
  const result = connect(clientConfig, platformWith(ends.client), controller.signal);
  result.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort(new Error("stopping"));
  await assert.rejects(result, /stopping/);
  assert.ok(ends.client.isClosed);
});

test("execute gives headers, types and rows without a prototype", async () => {
  const { client } = await loggedIn((sql, server) => {
    const columns = [textColumn("__proto__"), textColumn("n"), textColumn("n")];
    server.writePackets(encodeResultSet(columns, [[sql, null, "2"]], client.capabilities));
  });
  const result = await client.execute("SELECT 'ü'");
  assert.deepEqual(result.headers, ["__proto__", "n", "n"]);
  const row = result.rows[0]!;
  assert.equal(Object.getPrototypeOf(row), null);
  assert.deepEqual(Object.entries(row), [
    ["__proto__", "SELECT 'ü'"],
    ["n", "2"],
  ]);
  assert.equal(Object.getPrototypeOf(result.types), null);
  assert.equal(Object.values(result.types)[1], "VAR_STRING");
  assert.equal(result.size, 1);
});

test("statements run one after the other; a server error leaves the client usable", async () => {
  const { client } = await loggedIn((sql, server) => {
    if (sql === "bad") server.writePacket(encodeErr(syntaxError("bad")));
    else if (sql === "set") server.writePacket(encodeOk({ affectedRows: 3, insertId: 2n ** 63n }));
    else server.writePackets(encodeResultSet([textColumn("a")], [[sql]], client.capabilities));
  });
  const results = await Promise.allSettled(
    ["a", "bad", "b", "set"].map((sql) => client.execute(sql)),
  );
  assert.deepEqual(
    results.map((result) => result.status),
    ["fulfilled", "rejected", "fulfilled", "fulfilled"],
  );
  const bad = results[1]!;
  assert.ok(bad.status === "rejected" && bad.reason instanceof MysqlError);
  const set = results[3]!;
  assert.ok(set.status === "fulfilled");
  assert.equal(set.value.rowsAffected, 3);
  assert.equal(set.value.insertId, "9223372036854775808");
  await client.ping();
  client.close();
  assert.equal((await failure(client.execute("a"))).code, "closed");
});

test("endless answers and silence are bounded", async () => {
  const flood = await loggedIn(
    (_, server) => {
      const rows = Array.from({ length: 500 }, () => ["x".repeat(100)]);
      server.writePackets(encodeResultSet([textColumn("a")], rows, flood.client.capabilities));
    },
    { maxRows: 100 },
  );
  assert.equal((await failure(flood.client.query("q"))).code, "limit");
  assert.ok(flood.ends.client.isClosed);
  const clock = new ManualClock();
  const silent = await loggedIn(() => {}, {}, clock);
  const query = silent.client.query("q");
  await new Promise((resolve) => setTimeout(resolve, 5));
  clock.fire();
  assert.equal((await failure(query)).code, "timeout");
  const many = await loggedIn(() => {});
  const waiting = Array.from({ length: 70 }, () => failure(many.client.query("q")));
  assert.equal((await waiting[69]!).code, "limit");
  many.ends.client.destroy();
  assert.equal((await waiting[0]!).code, "unreachable");
  assert.equal((await waiting[1]!).code, "closed");
});

test("a result may not be larger than the cap on bytes, in one packet or many", async () => {
  const { client } = await loggedIn(
    (_, server) => {
      const rows = [["x".repeat(100_000)]];
      server.writePackets(encodeResultSet([textColumn("a")], rows, client.capabilities));
    },
    { maxResultBytes: 50_000 },
  );
  assert.equal((await failure(client.query("q"))).code, "limit");
});

test("texts of a server are made printable in errors", async () => {
  const { server, result } = scripted(PLAIN);
  await server.readPacket();
  server.writePacket(encodeAuthSwitch("evil\x1b[2J\n", new Uint8Array(20).fill(1)));
  const { message } = await failure(result);
  assert.ok(message.includes("evil\\x1b[2J\\x0a"), message);
});

test("passwords of every length work over both paths of our own server", async () => {
  for (const password of ["x", "secret", "p".repeat(200)]) {
    const { client } = await loginBoth({ password });
    assert.equal(client.status, password === "secret" ? "fulfilled" : "rejected");
  }
});
