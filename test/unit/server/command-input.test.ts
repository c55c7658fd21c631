/** What a client may send and hold: lengths, times, accounts; and that others go on meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeGtidSet } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { MysqlClient } from "../../../src/mysql/client.ts";
import { encodeDumpGtid, encodeQuery } from "../../../src/mysql/commands.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { decodeErr } from "../../../src/mysql/response.ts";
import { clientLimits } from "../../../src/server/client-budget.ts";
import { waitFor } from "../../support/wait-for.ts";
import { client, DumpReader, platform, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

const OTHER = "aaaaaaaa-2222-3333-4444-555555555555";

function smallStream(): MemoryStream {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, 3).file, "binlog.000001");
  return stream;
}

function largeSet(intervals: number): GtidSet {
  const set = new GtidSet();
  for (let i = 0; i < intervals; i++) set.add(OTHER, BigInt(2 * i + 1));
  return set;
}

function largeDump(intervals: number): Uint8Array {
  const gtids = encodeGtidSet(largeSet(intervals), "auto");
  return encodeDumpGtid({ flags: 3, serverId: 77, file: "", position: 4n, gtids });
}

async function ask(sql: MysqlClient, payload: Uint8Array): Promise<Uint8Array> {
  sql.connection.writeCommand(payload);
  return sql.connection.readPacket();
}

test("a command above 64 KiB is 1153, and the connection lives", async () => {
  await using run = await serve(smallStream());
  for (const compression of [undefined, "zlib"] as const) {
    const sql = await client(run.port, compression === undefined ? {} : { compression });
    for (const length of [65_536, 1_000_000]) {
      const text = `select '${"x".repeat(length)}'`;
      const answer = await ask(sql, encodeQuery(text, 0xffffffff));
      assert.equal(decodeErr(answer).errno, 1153);
    }
    assert.deepEqual((await sql.query("select 1")).rows, [["1"]]);
    sql.close();
  }
});

test("a dump may bring 800,000 intervals, plain and compressed", async () => {
  await using run = await serve(smallStream());
  const command = largeDump(800_000);
  assert.ok(command.length > 12_000_000);
  for (const config of [{}, { compression: "zlib" }, { compression: "zstd" }] as const) {
    const sql = await client(run.port, config);
    await sql.query("SET @source_binlog_checksum = 'CRC32'");
    sql.connection.writeCommand(command);
    const reader = await new DumpReader(sql.connection, false).toEnd(60_000);
    assert.equal(reader.end, "EOF");
    assert.equal(reader.packets.length, 3 + 12);
  }
  await waitFor(() => run.server.status().heldBytes === 0, {
    deadlineMs: 5000,
    what: "what they held to be given back",
  });
});

test("sets beyond the budget are refused, and the connection lives", async () => {
  await using run = await serve(smallStream(), {
    clientLimits: { ...clientLimits(10), bytesPerAccount: 3_000_000 },
  });
  const sql = await client(run.port);
  // While it comes in, and once it is here.
  for (const intervals of [200_000, 100_000]) {
    const { errno, message } = decodeErr(await ask(sql, largeDump(intervals)));
    assert.equal(errno, 1226, `${intervals}: ${message}`);
  }
  assert.deepEqual((await sql.query("select 1")).rows, [["1"]]);
  sql.close();
});

test("a dump command above 16 MiB and a frame above it are refused at their headers", async () => {
  await using run = await serve(smallStream());
  const { connection } = await client(run.port);
  // The header of a packet that goes on in another one, and the byte of the command.
  connection.writeFramed([Uint8Array.of(0xff, 0xff, 0xff, 0, 0x1e)]);
  connection.writeFramed([new Uint8Array(0xfffffe), Uint8Array.of(0xff, 0xff, 0xff, 1)]);
  connection.sequence = 2;
  const answer = await connection.readPacket().catch((error: Error) => error);
  if (answer instanceof Error) assert.match(answer.message, /lost/);
  else assert.equal(decodeErr(answer).errno, 1153);
});

test("a half-sent command has a deadline of its own", async () => {
  await using run = await serve(smallStream(), { commandTimeoutMs: 50 });
  const idle = await client(run.port);
  const half = await client(run.port);
  half.connection.writeFramed([Uint8Array.of(9, 0, 0, 0, 3, 1)]);
  await assert.rejects(half.connection.readPacket(), /lost/);
  assert.deepEqual((await idle.query("select 1")).rows, [["1"]], "who is idle stays");
  idle.close();
});

test("an account has most of the connections, and others still get in", async () => {
  await using run = await serve(smallStream(), {
    clientLimits: { ...clientLimits(10), connectionsPerAccount: 2 },
  });
  const two = [await client(run.port), await client(run.port)];
  await assert.rejects(client(run.port), /1203|already has more than/);
  const other = await client(run.port, { user: "other", fetchPublicKey: true });
  for (const one of [...two, other]) one.close();
  await waitFor(() => run.server.status().connections === 0, {
    deadlineMs: 2000,
    what: "all to be gone",
  });
  (await client(run.port)).close();
});

test("pipelined commands are answered in order, one in a turn of the event loop", async () => {
  let turns = 0;
  const clock = {
    ...platform.clock,
    soon: (fn: () => void) => {
      turns++;
      platform.clock.soon(fn);
    },
  };
  await using run = await serve(smallStream(), { platform: { ...platform, clock } });
  const sql = await client(run.port);
  const count = 200;
  turns = 0;
  const { connection } = sql;
  for (let i = 0; i < count; i++) connection.writeCommand(Uint8Array.of(0x0e));
  for (let i = 0; i < count; i++) {
    connection.sequence = 1;
    assert.equal((await connection.readPacket())[0], 0);
  }
  assert.ok(turns >= count - 1, `${turns} turns`);
  sql.close();
});

test("user variables count against the budget until they are reset", async () => {
  await using run = await serve(smallStream(), {
    clientLimits: { ...clientLimits(10), bytesPerAccount: 200_000 },
  });
  const sql = await client(run.port);
  const fill = `set @a = '${"x".repeat(60_000)}'`;
  await sql.query(fill);
  await sql.query(fill);
  await assert.rejects(
    sql.query(`set @b = '${"x".repeat(60_000)}'`),
    (error) => error instanceof MysqlError && error.errno === 1226,
  );
  assert.equal((await ask(sql, Uint8Array.of(0x1f)))[0], 0);
  await sql.query(`set @b = '${"x".repeat(60_000)}'`);
  sql.close();
});

test("of replicas that catch up one goes on in each turn of the event loop", async () => {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, 200, 20_000).file, "binlog.000001");
  let pending = 0;
  let most = 0;
  const clock = {
    ...platform.clock,
    soon: (fn: () => void) => {
      most = Math.max(most, ++pending);
      platform.clock.soon(() => {
        pending--;
        fn();
      });
    },
  };
  await using run = await serve(stream, { platform: { ...platform, clock } });
  const clients = [await client(run.port), await client(run.port), await client(run.port)];
  for (const sql of clients) await sql.query("SET @source_binlog_checksum = 'CRC32'");
  most = 0;
  for (const [i, sql] of clients.entries()) {
    const gtids = encodeGtidSet(new GtidSet(), "auto");
    const dump = { flags: 3, serverId: 80 + i, file: "", position: 4n, gtids };
    sql.connection.writeCommand(encodeDumpGtid(dump));
  }
  for (const sql of clients) {
    const reader = await new DumpReader(sql.connection, false).toEnd(60_000);
    assert.equal(reader.end, "EOF");
  }
  assert.equal(most, 1);
});
