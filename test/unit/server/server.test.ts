import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../../../src/base/bytes.ts";
import type { Logger } from "../../../src/base/logger.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EventType } from "../../../src/binlog/event.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { encodeRegister } from "../../../src/mysql/commands.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { servedVersion } from "../../../src/server/served-version.ts";
import { waitFor } from "../../support/wait-for.ts";
import { client, dump, platform, recordingPlatform, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

const UUID = "aaaaaaaa-2222-3333-4444-555555555555";

function smallStream(transactions = 3, bytes?: number): MemoryStream {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, transactions, bytes).file, "binlog.000001");
  return stream;
}

/** A logger that keeps what it is told. */
function recorder(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (message, fields) => void lines.push(`warn ${message} ${JSON.stringify(fields)}`),
    error: (message, fields) => void lines.push(`error ${message} ${JSON.stringify(fields)}`),
    with: () => logger,
  };
  return { logger, lines };
}

test("servedVersion is never below 8.3", () => {
  for (const [source, want] of [
    [null, "9.7.0-binraft"],
    ["9.7.4-2", "9.7.4-2-binraft"],
    ["8.4.0-log", "8.4.0-log-binraft"],
    ["8.3.0", "8.3.0-binraft"],
    ["8.2.0", "9.7.0-binraft"],
    ["8.0.36", "9.7.0-binraft"],
    ["5.6.24-log", "9.7.0-binraft"],
    ["10.11.19-MariaDB", "9.7.0-binraft"],
    ["nonsense", "9.7.0-binraft"],
  ] as const) {
    assert.equal(servedVersion(source), want);
  }
  assert.ok(!servedVersion("9.7.1-\0\n").includes("\0"));
});

test("1236 is sent only when the cluster lacks it too", async () => {
  const stream = smallStream();
  let answers: boolean[] = [];
  let asked = 0;
  const waits = recordingPlatform();
  await using run = await serve(stream, {
    platform: waits.platform,
    isOnTimeline: async () => true,
    confirmMissing: async () => {
      asked++;
      const answer = answers.shift();
      if (answer === undefined) throw new Error("no leader");
      return answer;
    },
  });
  const cases: [object, RegExp][] = [
    [{ gtids: `${SOURCE}:1-9` }, /^1236 Replica has more GTIDs than the source has/],
    [{ gtids: null, file: "binlog.000007" }, /^1236 Could not find first log file name/],
    [{ gtids: null, file: "binlog.000001", position: 99_999 }, /^1236 .* position > file size/],
    [{ gtids: "", file: "nope" }, /^1236 Could not find first log file name/],
  ];
  for (const [settings, want] of cases) {
    answers = [true];
    const reader = await (await dump(run.port, settings)).toEnd();
    assert.match(reader.end!, want);
  }
  assert.equal(asked, cases.length);
  answers = [];
  const unsure = await (await dump(run.port, { gtids: `${SOURCE}:1-9` })).toEnd(8000);
  assert.equal(unsure.end, "closed", "closed, so that the replica tries again");
  assert.ok(
    waits.asked.some((ms) => ms > 4_000 && ms <= 5_000),
    "after waiting for the stream",
  );
  assert.equal(stream.held, 0);
});

test("a node that is behind waits for the stream instead of refusing", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transactions(1, 3);
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream, { confirmMissing: async () => false });
  const ahead = await dump(run.port, { gtids: `${SOURCE}:1-5`, serverId: 78 });
  const named = await dump(run.port, { gtids: null, file: "binlog.000002" });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(ahead.packets.length, 0);
  stream.addFile(new FileMaker(`${SOURCE}:1-3`).transactions(4, 6).file, "binlog.000002");
  await ahead.count(4);
  await named.count(3);
  assert.equal(ahead.end, null);
  ahead.close();
  named.close();
});

test("GTIDs of other servers are the replica's own business; purged ones are 1236", async () => {
  const stream = smallStream(2);
  stream.addFile(new FileMaker(`${SOURCE}:1-2`).transactions(3, 4).file, "binlog.000002");
  await using run = await serve(stream);
  const extra = await (
    await dump(run.port, { gtids: `${UUID}:1-7,${SOURCE}:1-4`, flags: 3 })
  ).toEnd();
  assert.equal(extra.end, "EOF");
  stream.purgeBefore("binlog.000002");
  const purged = await (await dump(run.port, { gtids: `${SOURCE}:1` })).toEnd();
  assert.match(
    purged.end!,
    new RegExp(
      `sent by the replica is '${SOURCE}:1', and the missing transactions are '${SOURCE}:2'$`,
    ),
  );
  const first = await (await dump(run.port, { gtids: null, flags: 3 })).toEnd();
  assert.equal(first.end, "EOF");
  const named = await (
    await dump(run.port, { gtids: "", file: "binlog.000002", flags: 3 })
  ).toEnd();
  assert.equal(named.end, "EOF", "with a name the purged set is not looked at");
});

test("a gap that was accepted is purged for replicas that lack it", async () => {
  const stream = smallStream(2);
  stream.entries.push(null);
  stream.state.acceptGap(stream.entries.length - 1, GtidSet.parse(`${SOURCE}:3-5`));
  stream.addFile(new FileMaker(`${SOURCE}:1-5`).transactions(6, 7).file, "binlog.000002");
  await using run = await serve(stream);
  const behind = await (await dump(run.port, { gtids: `${SOURCE}:1-2` })).toEnd();
  assert.match(behind.end!, /missing transactions are '[^:]*:3-5'$/);
  const beyond = await (await dump(run.port, { gtids: `${SOURCE}:1-5`, flags: 3 })).toEnd();
  assert.equal(beyond.end, "EOF");
});

test("a file that the last ROTATE announced is waited for, never refused", async () => {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(
    new FileMaker("").transactions(1, 1).rotate("binlog.000002").file,
    "binlog.000001",
  );
  await using run = await serve(stream);
  const reader = await dump(run.port, { gtids: null, file: "binlog.000002" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  stream.addFile(new FileMaker(`${SOURCE}:1`).transactions(2, 2).file, "binlog.000002");
  await reader.count(7);
  reader.close();
});

test("files that are purged under a reader end its connection, not with 1236", async () => {
  const stream = smallStream();
  await using run = await serve(stream);
  stream.read = () => ({
    entry: 1,
    seek() {},
    next: async () => Promise.reject(new Error("Entry 1 was purged")),
  });
  const reader = await (await dump(run.port)).toEnd();
  assert.equal(reader.end, "closed");
});

test("of two dumps of one replica the newer wins, the older gets MySQL's 1236", async () => {
  await using run = await serve(smallStream());
  const older = await (await dump(run.port, { uuid: UUID })).count(3 + 12);
  const newer = await (await dump(run.port, { uuid: UUID.toUpperCase() })).count(3 + 12);
  await older.toEnd();
  assert.match(
    older.end!,
    /^1236 A replica with the same server_uuid\/server_id as this replica has connected to the source; the first event '' at 4, the last event read from '\.\/binlog\.000001' at \d+, the last byte read from/,
  );
  assert.equal(newer.end, null);
  await waitFor(() => run.server.registry.size === 1, { deadlineMs: 2000, what: "one replica" });
  const tools = [await dump(run.port, { serverId: 0 }), await dump(run.port, { serverId: 0 })];
  for (const tool of tools) {
    assert.equal((await tool.toEnd()).end, "EOF", "server_id 0 waits for nothing");
  }
  // Same server_id: only without uuids, and never for tools that read to the end.
  const a = await (await dump(run.port, { serverId: 9 })).count(3);
  const b = await (await dump(run.port, { serverId: 9 })).count(3);
  await a.toEnd();
  assert.match(a.end!, /^1236 A replica with the same/);
  const c = await (
    await dump(run.port, { serverId: 9, uuid: "bbbbbbbb-2222-3333-4444-555555555555" })
  ).count(3);
  assert.equal(b.end, null);
  for (const one of [newer, b, c]) one.close();
});

test("replicas that throw each other out are reported and slowed down", async () => {
  const { logger, lines } = recorder();
  await using run = await serve(smallStream(), { logger });
  const readers = [];
  for (let i = 0; i < 4; i++) readers.push(await (await dump(run.port, { uuid: UUID })).count(3));
  assert.equal(run.server.registry.alarms, 0);
  const fifth = await dump(run.port, { uuid: UUID });
  await waitFor(() => run.server.registry.alarms === 1, { deadlineMs: 2000, what: "an alarm" });
  assert.ok(
    lines.some((line) =>
      /throw each other out.*"newer":"127\.0\.0\.1:\d+","older":"127\.0\.0\.1:\d+"/.test(line),
    ),
    lines.join(),
  );
  assert.equal(fifth.packets.length, 0);
  assert.equal(readers[3]!.end, null);
  for (const reader of [...readers, fifth]) reader.close();
});

test("the registry shows who reads and how far behind; kick closes", async () => {
  const stream = smallStream();
  await using run = await serve(stream);
  const config = { attributes: { program_name: "mysqld" } };
  const reader = await (
    await dump(run.port, { uuid: UUID, serverId: 5, register: true }, config)
  ).count(15);
  await waitFor(() => run.server.registry.list()[0]?.caughtUp, {
    deadlineMs: 2000,
    what: "caught up",
  });
  const [status] = run.server.registry.list();
  assert.equal(status!.uuid, UUID);
  assert.equal(status!.serverId, 5);
  assert.equal(status!.mode, "gtid");
  assert.equal(status!.file, "binlog.000001");
  assert.equal(status!.position, stream.files[0]!.size);
  assert.equal(status!.lagBytes, 0);
  assert.equal(status!.lagTransactions, 0n);
  assert.deepEqual(status!.attributes, { program_name: "mysqld" });
  assert.ok(status!.sentBytes > 500);
  assert.equal(run.server.registry.slowest()!.uuid, UUID);
  const other = await client(run.port);
  assert.deepEqual((await other.query("show replicas")).rows, [["5", "", "0", "4001", UUID]]);
  const list = (await other.query("show processlist")).rows;
  assert.equal(list[0]![4], "Binlog Dump GTID");
  assert.match(list[0]![6]!, /Source has sent all binlog to replica/);
  other.close();
  assert.equal(run.server.registry.kick(UUID), 1);
  assert.equal((await reader.toEnd()).end, "closed");
  assert.equal(run.server.registry.kick(UUID), 0);
});

test("a replica whose server_id wrote this log is refused at REGISTER, with a sentence", async () => {
  await using run = await serve(smallStream());
  await assert.rejects(
    dump(run.port, { serverId: 1, register: true }),
    (error) =>
      error instanceof MysqlError &&
      /server_id 1 is the origin of transactions/.test(error.message),
  );
  await using lenient = await serve(smallStream(), { allowOriginServerIds: true });
  const reader = await (await dump(lenient.port, { serverId: 1, register: true })).count(3);
  reader.close();
});

test("a node that cannot serve says why at REGISTER, and closes at the dump", async () => {
  let why: string | null = "This node repairs its log: connect to another one";
  await using run = await serve(smallStream(), { refusal: () => why });
  await assert.rejects(dump(run.port, { register: true }), /repairs its log/);
  assert.equal((await (await dump(run.port)).toEnd()).end, "closed");
  why = null;
  (await (await dump(run.port, { register: true })).count(3)).close();
});

test("drain ends dumps at a unit's end and lets nobody in", async () => {
  const run = await serve(smallStream());
  const reader = await (await dump(run.port)).count(15);
  const idle = await client(run.port);
  await run.server.drain(2000);
  assert.equal((await reader.toEnd()).end, "closed");
  assert.equal(reader.events.at(-1)![4], EventType.XID);
  await assert.rejects(idle.query("select 1"));
  await assert.rejects(client(run.port));
  assert.equal(run.server.status().connections, 0);
  await run.stop();
});

test("a server runs again after it was stopped", async () => {
  const run = await serve(smallStream());
  await run.stop();
  assert.equal(run.server.address, null);
  const again = new AbortController();
  const running = run.server.run(again.signal);
  const { port } = await run.server.listening();
  const sql = await client(port);
  assert.deepEqual((await sql.query("select 1")).rows, [["1"]]);
  again.abort();
  await running;
});

test("a replica that takes nothing is closed after the write time-out; others go on", async () => {
  const stream = smallStream(40_000, 1_000);
  const { logger, lines } = recorder();
  await using run = await serve(stream, { writeTimeoutMs: 300, logger });
  const stuck = await dump(run.port);
  // Nothing reads: the buffers of both sockets fill, which may hold some ten MB.
  const good = await (await dump(run.port, { flags: 3, serverId: 78 })).toEnd(20_000);
  assert.equal(good.end, "EOF");
  await waitFor(() => lines.some((line) => line.includes("takes no data")), {
    deadlineMs: 8000,
    what: "the time-out",
  });
  await waitFor(() => run.server.registry.size === 0 && stream.held === 0, {
    deadlineMs: 4000,
    what: "its lease",
  });
  stuck.close();
});

test("TLS is served where there is a certificate, and can be required", async () => {
  const now = Date.now();
  const cert = await platform.crypto.selfSignedCertificate({
    commonName: "binraft",
    altNames: ["127.0.0.1", "localhost"],
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + 600_000),
  });
  await using run = await serve(smallStream(), { tls: cert, requireTls: true });
  const tls = { mode: "verify-identity", ca: cert.cert } as const;
  for (const compression of [undefined, "zlib", "zstd"] as const) {
    const config = { tls, ...(compression === undefined ? {} : { compression }) };
    const reader = await (await dump(run.port, { flags: 3 }, config)).toEnd();
    assert.equal(reader.end, "EOF");
    assert.equal(reader.packets.length, 3 + 12);
  }
  await assert.rejects(client(run.port), /3159|insecure transport/);
});

test("an unknown user and a wrong password look the same", async () => {
  await using run = await serve(smallStream(), {
    loginLimits: { maxPending: 50, maxPendingPerAddress: 50, maxDelayMs: 5 },
  });
  const texts: string[] = [];
  for (const config of [{ password: "wrong" }, { user: "nobody" }]) {
    await assert.rejects(client(run.port, config), (error: Error) => {
      texts.push(error.message.replace("nobody", "repl"));
      return true;
    });
  }
  assert.equal(texts[0], texts[1]);
  assert.match(
    texts[0]!,
    /1045 "Access denied for user 'repl'@'127\.0\.0\.1' \(using password: YES\)"/,
  );
  assert.equal(run.server.status().counters.deniedLogins, 2);
});

test("wrong passwords are slowed down while a right one from elsewhere is not", async () => {
  const { platform, asked } = recordingPlatform();
  await using run = await serve(smallStream(), { platform });
  // Between them the timers of a login and of a command, which are of seconds.
  const delays = (): number[] => asked.filter((ms) => ms < 1000);
  for (let i = 0; i < 3; i++) await assert.rejects(client(run.port, { password: "wrong" }));
  const slowed = delays();
  assert.equal(slowed.length, 2, "the second and the third try");
  assert.ok(slowed[0]! < slowed[1]!, `each longer than the one before: ${slowed}`);
  (await client(run.port, { user: "other", fetchPublicKey: true })).close();
  assert.deepEqual(delays(), slowed, "another user is not held up");
});

test("connections above the maximum get 1040", async () => {
  await using run = await serve(smallStream(), { maxConnections: 2 });
  const two = [await client(run.port), await client(run.port)];
  await assert.rejects(client(run.port), /1040 "Too many connections"/);
  two[0]!.close();
  await waitFor(() => run.server.status().connections === 1, { deadlineMs: 2000, what: "a place" });
  (await client(run.port)).close();
  two[1]!.close();
});

test("a packet above the cap, or out of order, ends that connection alone", async () => {
  await using run = await serve(smallStream());
  const good = await client(run.port);
  const large = await client(run.port);
  large.connection.writeFramed([
    fromHex("ffffff00"),
    new Uint8Array(0xffffff),
    fromHex("ffffff01"),
  ]);
  await assert.rejects(async () => {
    for (;;) {
      const answer = await large.connection.readPacket();
      assert.equal(answer[1]! | (answer[2]! << 8), 1153);
    }
  });
  const numbered = await client(run.port);
  numbered.connection.writeFramed([fromHex("010000070e")]);
  await assert.rejects(async () => {
    for (;;) {
      const answer = await numbered.connection.readPacket();
      assert.equal(answer[1]! | (answer[2]! << 8), 1156);
    }
  });
  assert.deepEqual((await good.query("select 1")).rows, [["1"]]);
  good.close();
});

test("a new timeline ends dumps by GTID; files of the old one can be read to its end", async () => {
  const stream = smallStream();
  await using run = await serve(stream);
  const live = await (await dump(run.port)).count(15);
  stream.entries.push(null);
  stream.state.newTimeline(stream.entries.length - 1);
  stream.follow({ uuid: UUID, version: "9.7.4" });
  stream.advanced.wake();
  assert.equal((await live.toEnd()).end, "closed");
  stream.addFile(new FileMaker("").transaction({ gno: 1, uuid: UUID }).file, "binlog.000001");
  assert.deepEqual(
    stream.files.map((file) => [file.name, file.epoch]),
    [
      ["binlog.000001", 1],
      ["binlog.000002", 2],
    ],
  );
  const fresh = await (await dump(run.port, { gtids: "", flags: 3 })).toEnd();
  assert.equal(fresh.packets.length, 3 + 4);
  const old = await (
    await dump(run.port, { gtids: null, file: "binlog.000001", flags: 3 })
  ).toEnd();
  assert.match(old.end!, /^1236 could not find next log/);
  assert.equal(old.packets.length, 3 + 12);
  const byGtid = await (
    await dump(run.port, { gtids: "", file: "binlog.000001", flags: 3 })
  ).toEnd();
  assert.match(byGtid.end!, /Could not find first log file name/);
});

test("SHOW REPLICAS shows a replica as it registered", async () => {
  await using run = await serve(smallStream());
  const sql = await client(run.port);
  await sql.query(`SET @replica_uuid = '${UUID}'`);
  const { connection } = sql;
  connection.writeCommand(
    encodeRegister({ serverId: 8, host: "r1.example", user: "", port: 3307 }),
  );
  assert.equal((await connection.readPacket())[0], 0);
  for (const statement of ["SHOW REPLICAS", "SHOW SLAVE HOSTS"]) {
    const { rows } = await sql.query(statement);
    assert.deepEqual(rows, [["8", "r1.example", "3307", "4001", UUID]]);
  }
  sql.close();
});
