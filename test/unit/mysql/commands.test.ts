import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, encodeText, fromHex, toHex } from "../../../src/base/bytes.ts";
import { encodeGtidSet } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { CLIENT_QUERY_ATTRIBUTES } from "../../../src/mysql/capabilities.ts";
import {
  DUMP_HEARTBEAT_V2,
  DUMP_NON_BLOCK,
  decodeCommand,
  encodeDump,
  encodeDumpGtid,
  encodeInitDb,
  encodeQuery,
  encodeRegister,
  encodeSimpleCommand,
} from "../../../src/mysql/commands.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import * as captured from "./captured.ts";

function failsWith(errno: number): (error: unknown) => boolean {
  return (error) => error instanceof MysqlError && error.errno === errno;
}

test("the dump commands of real programs, there and back", () => {
  assert.deepEqual(decodeCommand(captured.DUMP_ZONGJI, 0), {
    kind: "binlog-dump",
    position: 198,
    flags: 0,
    serverId: 9061,
    file: "binlog.000003",
  });
  const maria = decodeCommand(captured.DUMP_MARIADB, 0);
  assert.ok(maria.kind === "binlog-dump" && maria.flags === DUMP_HEARTBEAT_V2);
  assert.equal(toHex(encodeDump(maria)), toHex(captured.DUMP_MARIADB));
  const empty = decodeCommand(captured.DUMP_GTID_EMPTY, 0);
  assert.ok(empty.kind === "binlog-dump-gtid" && empty.gtids.isEmpty && empty.file === "");
  const named = decodeCommand(captured.DUMP_GTID_NAMED, 0);
  assert.ok(named.kind === "binlog-dump-gtid");
  assert.equal(named.flags, DUMP_NON_BLOCK);
  assert.equal(named.file, "binlog.000001");
  assert.equal(named.position, 4n);
  assert.equal(named.gtids.toString(), "de3e25a0-e6d1-11f1-813e-02fc00000001:1-8");
  const again = encodeDumpGtid({ ...named, gtids: encodeGtidSet(named.gtids, "auto") });
  assert.equal(toHex(again), toHex(captured.DUMP_GTID_NAMED));
});

test("register, there and back", () => {
  const register = decodeCommand(captured.REGISTER_97, 0);
  assert.deepEqual(register, {
    kind: "register-replica",
    serverId: 33101,
    host: "",
    user: "",
    port: 33101,
  });
  assert.ok(register.kind === "register-replica");
  assert.equal(toHex(encodeRegister(register)), toHex(captured.REGISTER_97));
  const long = encodeRegister({ ...register, host: "h".repeat(300) });
  const decoded = decodeCommand(long, 0);
  assert.ok(decoded.kind === "register-replica" && decoded.host.length === 255);
});

test("queries with and without attributes", () => {
  for (const capabilities of [0, CLIENT_QUERY_ATTRIBUTES]) {
    const command = decodeCommand(encodeQuery("SELECT 'é'", capabilities), capabilities);
    assert.deepEqual(command, { kind: "query", sql: "SELECT 'é'" });
  }
  // Three attributes: the text k = "v", n that is NULL, and the date d.
  const query = concatBytes([
    fromHex("03030102 01fd00016b 0800016e 0c000164 0176 04e7070102".replaceAll(" ", "")),
    encodeText("SELECT 2"),
  ]);
  assert.deepEqual(decodeCommand(query, CLIENT_QUERY_ATTRIBUTES), {
    kind: "query",
    sql: "SELECT 2",
  });
  for (const hex of ["03", "0300", "030002", "03fe0000000000000040", "03ffff", "030101000141"]) {
    assert.throws(() => decodeCommand(fromHex(hex), CLIENT_QUERY_ATTRIBUTES), failsWith(1835), hex);
  }
});

test("simple commands", () => {
  assert.deepEqual(decodeCommand(encodeSimpleCommand(1), 0), { kind: "quit" });
  assert.deepEqual(decodeCommand(encodeSimpleCommand(9), 0), { kind: "statistics" });
  assert.deepEqual(decodeCommand(encodeSimpleCommand(14), 0), { kind: "ping" });
  assert.deepEqual(decodeCommand(encodeSimpleCommand(17), 0), { kind: "change-user" });
  assert.deepEqual(decodeCommand(encodeSimpleCommand(31), 0), { kind: "reset-connection" });
  assert.deepEqual(decodeCommand(encodeInitDb("d1"), 0), { kind: "init-db", database: "d1" });
  assert.deepEqual(decodeCommand(fromHex("047400"), 0), { kind: "field-list", table: "t" });
  assert.deepEqual(decodeCommand(fromHex("0c07000000"), 0), { kind: "kill", connectionId: 7 });
  assert.deepEqual(decodeCommand(fromHex("1641"), 0), { kind: "prepare", sql: "A" });
  assert.deepEqual(decodeCommand(fromHex("1707000000080100000041"), 0), {
    kind: "execute",
    statementId: 7,
    flags: 8,
    rest: Uint8Array.of(0x41),
  });
  assert.deepEqual(decodeCommand(fromHex("180700000002004142"), 0), {
    kind: "long-data",
    statementId: 7,
    parameter: 2,
    bytes: fromHex("4142"),
  });
  for (const [hex, kind] of [
    ["1907000000", "close-statement"],
    ["1a07000000", "reset-statement"],
  ] as const) {
    assert.deepEqual(decodeCommand(fromHex(hex), 0), { kind, statementId: 7 });
  }
  assert.deepEqual(decodeCommand(fromHex("1b0100"), 0), { kind: "set-option", option: 1 });
  for (const code of [0, 5, 6, 7, 8, 10, 11, 13, 15, 16, 19, 20, 32, 255]) {
    assert.deepEqual(decodeCommand(Uint8Array.of(code, 1, 2), 0), { kind: "unknown", code });
  }
});

test("malformed dumps get 1835, malformed sets 1773", () => {
  assert.throws(() => decodeCommand(new Uint8Array(0), 0), failsWith(1835));
  const named = captured.DUMP_GTID_NAMED;
  for (let length = 1; length < named.length; length++) {
    assert.throws(() => decodeCommand(named.subarray(0, length), 0), failsWith(1835));
  }
  const sizeAt = named.length - 52;
  assert.equal(named[sizeAt], 48);
  assert.throws(() => decodeCommand(named.with(sizeAt, 49), 0), failsWith(1835));
  assert.throws(() => decodeCommand(named.with(sizeAt, 47), 0), failsWith(1773));
  assert.throws(() => decodeCommand(named.with(named.length - 16, 0), 0), failsWith(1773));
  const huge = concatBytes([captured.DUMP_MARIADB, new Uint8Array(600).fill(65)]);
  assert.throws(() => decodeCommand(huge, 0), failsWith(1835));
});

test("every prefix and changed byte is a command or a MysqlError", () => {
  for (const bytes of captured.COMMANDS) {
    for (const capabilities of [0, CLIENT_QUERY_ATTRIBUTES]) {
      for (let at = 0; at < bytes.length; at++) {
        for (let value = 0; value < 256; value++) {
          const attempts = [bytes.with(at, value), bytes.with(at, value).subarray(0, at + 1)];
          for (const attempt of attempts) {
            try {
              decodeCommand(attempt, capabilities);
            } catch (error) {
              assert.ok(error instanceof MysqlError, String(error));
            }
          }
        }
      }
    }
  }
});

test("dump commands round trip", () => {
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      fc.nat(0xffffffff),
      fc.stringMatching(/^[a-z.0-9]{0,40}$/),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (flags, serverId, file, position) => {
        const gtids = GtidSet.parse("de3e25a0-e6d1-11f1-813e-02fc00000001:1-8:tag:4");
        const bytes = encodeDumpGtid({
          flags,
          serverId,
          file,
          position,
          gtids: encodeGtidSet(gtids, "auto"),
        });
        const command = decodeCommand(bytes, 0);
        assert.ok(command.kind === "binlog-dump-gtid" && command.gtids.equals(gtids));
        assert.deepEqual(
          [command.flags, command.serverId, command.file, command.position],
          [flags, serverId, file, position],
        );
      },
    ),
  );
});
