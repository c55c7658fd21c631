/**
 * Whole conversations of a client, as bytes: cut off everywhere, changed in every byte, sent in
 * pieces. The server answers or closes; it never hangs, throws or hurts another connection.
 */
import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { test } from "node:test";
import { ByteWriter } from "../../../src/base/bytes.ts";
import { type Logger, silentLogger } from "../../../src/base/logger.ts";
import { encodeGtidSet } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { sha2Response } from "../../../src/mysql/auth/caching-sha2-password.ts";
import { OUR_CLIENT_CAPABILITIES } from "../../../src/mysql/capabilities.ts";
import { encodeDumpGtid, encodeQuery, encodeRegister } from "../../../src/mysql/commands.ts";
import { decodeGreeting, encodeLogin } from "../../../src/mysql/handshake.ts";
import { waitFor } from "../../support/wait-for.ts";
import { client, platform, type Running, serve } from "../../unit/server/harness.ts";
import { FileMaker, SOURCE } from "../../unit/server/make-file.ts";
import { MemoryStream } from "../../unit/server/memory-stream.ts";

const AT_ONCE = 24;

function packet(sequence: number, payload: Uint8Array): Uint8Array {
  return new ByteWriter(payload.length + 4).u24(payload.length).u8(sequence).raw(payload).finish();
}

/** What a 9.7 replica sends behind its login, in one run of bytes. */
function commands(): Uint8Array {
  const set = GtidSet.parse(`${SOURCE}:1-2`);
  const texts = [
    "SELECT UNIX_TIMESTAMP()",
    "SET @source_heartbeat_period = 20000000",
    "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum",
    "SELECT @source_binlog_checksum",
    "SET @slave_uuid = 'aaaaaaaa-2222-3333-4444-555555555555'",
  ];
  return Buffer.concat([
    ...texts.map((text) => packet(0, encodeQuery(text, OUR_CLIENT_CAPABILITIES))),
    packet(0, Buffer.from("\x16SELECT CONCAT(?, @@server_id + ?)")),
    // Of statement 1: long data for one parameter, an integer for the other; reset and close.
    packet(0, Buffer.from("18010000000000616263", "hex")),
    packet(
      0,
      Buffer.from("1701000000000100000000" + "01" + "fd000800" + "0700000000000000", "hex"),
    ),
    packet(0, Buffer.from("1a01000000", "hex")),
    packet(0, Buffer.from("1901000000", "hex")),
    packet(0, encodeRegister({ serverId: 77, host: "h", user: "u", port: 3306 })),
    packet(
      0,
      encodeDumpGtid({
        flags: 3,
        serverId: 77,
        file: "",
        position: 4n,
        gtids: encodeGtidSet(set, "auto"),
      }),
    ),
  ]);
}

function login(nonce: Uint8Array): Uint8Array {
  const attributes = new Map([["program_name", "mysqld"]]);
  return packet(
    1,
    encodeLogin({
      capabilities: OUR_CLIENT_CAPABILITIES,
      maxPacketBytes: 1 << 24,
      collation: 45,
      user: "repl",
      authData: sha2Response(platform.crypto, "secret", nonce),
      database: "",
      authPlugin: "caching_sha2_password",
      attributes,
      zstdLevel: 0,
    }),
  );
}

/**
 * Sends what `make` gives for the greeting's nonce; resolves with all that came back. Its end comes
 * at once, so that what was not answered yet may be dropped; or when the server closes, as it does
 * behind a dump to the end.
 */
function converse(
  port: number,
  make: (nonce: Uint8Array) => Uint8Array[],
  untilClosed = false,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, "127.0.0.1");
    const got: Uint8Array[] = [];
    let asked = false;
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error("The server neither answers nor closes"));
    }, 10_000);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      got.push(bytes);
      if (asked) return;
      asked = true;
      const { nonce } = decodeGreeting(Uint8Array.from(bytes.subarray(4)));
      for (const part of make(nonce)) socket.write(part);
      // Half-closed: the server must come to an end with what it has.
      if (!untilClosed) socket.end();
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(got));
    });
  });
}

async function withServer(work: (run: Running, errors: string[]) => Promise<void>): Promise<void> {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, 4).file, "binlog.000001");
  const errors: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (message, fields) => void errors.push(`${message} ${JSON.stringify(fields)}`),
    with: () => logger,
  };
  await using run = await serve(stream, {
    logger,
    loginLimits: { maxPending: 256, maxPendingPerAddress: 256, maxDelayMs: 1 },
  });
  const watch = await client(run.port);
  await work(run, errors);
  assert.deepEqual((await watch.query("select 1")).rows, [["1"]], "another connection lives");
  watch.close();
  await waitFor(() => run.server.status().connections === 0, {
    deadlineMs: 5000,
    what: "all to be gone",
  });
  assert.deepEqual(
    errors.filter((line) => !line.includes("throw each other out")),
    [],
  );
  assert.equal(run.server.status().pendingLogins, 0);
  assert.equal(stream.held, 0);
}

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

test("a conversation may end after any byte", async () => {
  await withServer(async (run) => {
    const rest = commands();
    const size = login(new Uint8Array(20).fill(1)).length + rest.length;
    await inParallel(size + 1, (length) =>
      converse(run.port, (nonce) => [Buffer.concat([login(nonce), rest]).subarray(0, length)]),
    );
    const whole = await converse(run.port, (nonce) => [login(nonce), rest], true);
    assert.ok(Buffer.from(whole).includes("abc4008"), "the prepared statement was answered");
  });
});

test("any byte of a conversation may be wrong", async () => {
  await withServer(async (run) => {
    const rest = commands();
    const size = login(new Uint8Array(20).fill(1)).length + rest.length;
    for (const change of [0x01, 0x80, 0xff]) {
      await inParallel(size, (at) =>
        converse(run.port, (nonce) => {
          const bytes = Buffer.concat([login(nonce), rest]);
          bytes[at] = bytes[at]! ^ change;
          return [bytes];
        }),
      );
    }
  });
});

test("a conversation may come in any pieces", async () => {
  await withServer(async (run) => {
    const rest = commands();
    const whole = await converse(run.port, (nonce) => [login(nonce), rest], true);
    for (const length of [1, 3, 7, 64]) {
      const got = await converse(
        run.port,
        (nonce) => {
          const bytes = Buffer.concat([login(nonce), rest]);
          const parts: Uint8Array[] = [];
          for (let at = 0; at < bytes.length; at += length)
            parts.push(bytes.subarray(at, at + length));
          return parts;
        },
        true,
      );
      assert.equal(got.length, whole.length, `pieces of ${length}`);
    }
  });
});

test("noise is no conversation", async () => {
  await withServer(async (run) => {
    let seed = 12345;
    const random = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed >>> 8;
    };
    await inParallel(400, () =>
      converse(run.port, (nonce) => {
        const noise = Uint8Array.from({ length: random() % 300 }, () => random());
        return random() % 2 === 0 ? [noise] : [login(nonce), noise];
      }),
    );
  });
});
