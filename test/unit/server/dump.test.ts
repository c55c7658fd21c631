import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeRotate, fakeRotate, heartbeat } from "../../../src/binlog/control-events.ts";
import { EventType, eventFlags, eventServerId } from "../../../src/binlog/event.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { eventsOf, fixture } from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import { waitFor } from "../../support/wait-for.ts";
import { dump, recordingPlatform, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { framed, MemoryStream, onTheWire } from "./memory-stream.ts";

import { END, gnos, NON_BLOCK, places, twoFiles, types } from "./reading.ts";

test("a dump brings each file as a source does, byte for byte", async () => {
  const { stream, first, second } = twoFiles();
  await using run = await serve(stream);
  for (const gtids of ["", null]) {
    const reader = await (await dump(run.port, { ...END, gtids })).toEnd();
    assert.equal(reader.end, "EOF");
    assert.deepEqual(places(reader), ["ROT binlog.000001:4", "ROT binlog.000002:4"]);
    const stored = reader.events.filter((event) => eventFlags(event) !== 0x20);
    assert.deepEqual(
      stored.map((event) => Buffer.from(event)),
      [...first.events, ...second.events].map((event) => Buffer.from(event)),
    );
    assert.equal(eventServerId(reader.events[0]!), 4001);
  }
  assert.equal(stream.held, 0);
});

for (const name of [
  "ddl",
  "dml",
  "xa",
  "tagged-gtid",
  "compression",
  "mysql56",
  "checksum-none",
  "types",
]) {
  test(`a dump of "${name}" is that file`, async () => {
    const stream = new MemoryStream();
    stream.addFile(fixture(name), "binlog.000001", { chunkBytes: 1500, pieceBytes: 700 });
    await using run = await serve(stream);
    for (const compression of [undefined, "zlib", "zstd"] as const) {
      const config = compression === undefined ? {} : { compression };
      const reader = await (await dump(run.port, END, config)).toEnd();
      const [rotate, ...events] = reader.events;
      assert.equal(rotate![4], EventType.ROTATE);
      const want = eventsOf(onTheWire(fixture(name)));
      assert.ok(Buffer.compare(Buffer.concat(events), Buffer.concat(want)) === 0);
    }
  });
}

test("what the replica has is left out, and a heartbeat tells where the next event stands", async () => {
  const { stream, first, second } = twoFiles();
  await using run = await serve(stream);
  const at = (made: FileMaker, index: number): number =>
    4 + made.events.slice(0, index).reduce((sum, event) => sum + event.length, 0);
  const cases: [string, string, string[]][] = [
    [
      `${SOURCE}:1-2`,
      "ROT FDE PRE HB2 G Q W X G Q W X G Q W X ROT ROT FDE PRE G Q W X G Q W X G Q W X G Q W X",
      ["ROT binlog.000001:4", `HB binlog.000001:${at(first, 2 + 8)}`, "ROT binlog.000002:4"],
    ],
    [
      `${SOURCE}:2:4`,
      "ROT FDE PRE G Q W X HB2 G Q W X HB2 G Q W X ROT ROT FDE PRE G Q W X G Q W X G Q W X G Q W X",
      [
        "ROT binlog.000001:4",
        `HB binlog.000001:${at(first, 2 + 8)}`,
        `HB binlog.000001:${at(first, 2 + 16)}`,
        "ROT binlog.000002:4",
      ],
    ],
    [
      `${SOURCE}:5`,
      "ROT FDE PRE G Q W X G Q W X G Q W X G Q W X HB2 ROT ROT FDE PRE G Q W X G Q W X G Q W X G Q W X",
      ["ROT binlog.000001:4", `HB binlog.000001:${at(first, 2 + 20)}`, "ROT binlog.000002:4"],
    ],
    [`${SOURCE}:1-5`, "ROT FDE PRE G Q W X G Q W X G Q W X G Q W X", ["ROT binlog.000002:4"]],
    [
      `${SOURCE}:1-9`,
      "ROT FDE PRE HB2",
      ["ROT binlog.000002:4", `HB binlog.000002:${second.size}`],
    ],
    [
      `${SOURCE}:1-8`,
      "ROT FDE PRE HB2 G Q W X",
      ["ROT binlog.000002:4", `HB binlog.000002:${at(second, 2 + 12)}`],
    ],
    [
      `${SOURCE}:1-5:9`,
      "ROT FDE PRE G Q W X G Q W X G Q W X HB2",
      ["ROT binlog.000002:4", `HB binlog.000002:${second.size}`],
    ],
  ];
  for (const [gtids, want, where] of cases) {
    const reader = await (await dump(run.port, { ...END, gtids })).toEnd();
    assert.equal(types(reader), want, gtids);
    assert.deepEqual(places(reader), where, gtids);
  }
  const v1 = await (await dump(run.port, { flags: NON_BLOCK, gtids: `${SOURCE}:1-9` })).toEnd();
  assert.equal(types(v1), "ROT FDE PRE HB1");
  const mariadb = await (
    await dump(run.port, { ...END, gtids: `${SOURCE}:1-9`, mariadb: true })
  ).toEnd();
  assert.equal(
    types(mariadb),
    "ROT FDE PRE HB1",
    "flag 2 of a MariaDB replica means something else",
  );
});

test("created is zero in every description when the start file's first transaction is skipped", async () => {
  const { stream } = twoFiles();
  await using run = await serve(stream);
  const created = async (settings: object): Promise<number[]> => {
    const reader = await (await dump(run.port, { ...END, ...settings })).toEnd();
    return reader.events
      .filter((event) => event[4] === EventType.FORMAT_DESCRIPTION)
      .map((event) => new DataView(event.buffer, event.byteOffset).getUint32(19 + 52, true));
  };
  assert.deepEqual(await created({ gtids: "" }), [77, 0]);
  assert.deepEqual(await created({ gtids: `${SOURCE}:2` }), [77, 0]);
  assert.deepEqual(await created({ gtids: `${SOURCE}:1` }), [0, 0]);
  assert.deepEqual(await created({ gtids: `${SOURCE}:1`, file: "binlog.000001" }), [77, 0]);
  assert.deepEqual(await created({ gtids: null }), [77, 0]);
  assert.deepEqual(await created({ gtids: null, file: "binlog.000001", position: 158 }), [0, 0]);
});

test("any set of GTIDs gets exactly the others, in order, in whole transactions", async () => {
  const stream = new MemoryStream(SOURCE);
  const first = new FileMaker("").transactions(1, 30, 200).rotate("binlog.000002");
  stream.addFile(first.file, "binlog.000001", { chunkBytes: 1500, pieceBytes: 900 });
  const second = new FileMaker(`${SOURCE}:1-30`)
    .transaction({ gno: 31, bytes: 9000 })
    .transactions(32, 60, 200);
  stream.addFile(second.file, "binlog.000002", { chunkBytes: 1500, pieceBytes: 900 });
  assert.ok(stream.entries.length > 20);
  await using run = await serve(stream);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 }), async (has) => {
      const set = new GtidSet();
      for (const gno of has) set.add(SOURCE, BigInt(gno));
      const reader = await (await dump(run.port, { ...END, gtids: set.toString() })).toEnd();
      assert.equal(reader.end, "EOF");
      const want = Array.from({ length: 60 }, (_, i) => i + 1).filter((gno) => !has.includes(gno));
      assert.deepEqual(gnos(reader), want);
      const file = "FDE PRE( HB2)?( G Q W X( HB2)?)*";
      assert.match(types(reader), new RegExp(`^ROT ${file}( ROT ROT ${file})?$`));
    }),
    { numRuns: 60 },
  );
});

test("a live dump gets what is committed, and nothing of an unfinished transaction", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transactions(1, 2);
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream);
  const reader = await (await dump(run.port)).count(3 + 8);
  assert.equal(types(reader), "ROT FDE PRE G Q W X G Q W X");
  const before = made.events.length;
  made.transaction({ gno: 3, bytes: 5000 }).transaction({ gno: 4 });
  const more = framed(made.events.slice(before));
  const part = framed(made.events.slice(before, before + 3)).length;
  stream.newPull("CRC32", 1000);
  stream.feed(more.subarray(0, part), 500);
  assert.ok(stream.state.open !== null, "a transaction is open");
  await assert.rejects(reader.until((one) => one.packets.length > 11, 200));
  stream.feed(more.subarray(part), 500);
  await reader.count(11 + 8);
  assert.deepEqual(gnos(reader), [1, 2, 3, 4]);
  reader.close();
  await waitFor(() => run.server.registry.size === 0, { deadlineMs: 2000, what: "no replica" });
});

test("a broken tail is never seen; the transaction comes once, whole", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transactions(1, 2);
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream);
  const reader = await (await dump(run.port)).count(11);
  made.transaction({ gno: 3, bytes: 5000 }).transaction({ gno: 4 });
  const more = framed(made.events.slice(2 + 8));
  stream.newPull("CRC32", 1000);
  stream.feed(more.subarray(0, framed(made.events.slice(10, 13)).length), 500);
  assert.ok(stream.state.open !== null, "a transaction is open");
  stream.newPull("CRC32", 1200);
  stream.feed(more, 700);
  await reader.count(19);
  assert.equal(types(reader), "ROT FDE PRE G Q W X G Q W X G Q W X G Q W X");
  const again = await (await dump(run.port, END)).toEnd();
  assert.deepEqual(gnos(again), [1, 2, 3, 4]);
  assert.deepEqual(
    again.events.slice(1).map((event) => Buffer.from(event)),
    made.events.map((event) => Buffer.from(event)),
  );
  reader.close();
});

test("heartbeats come in silence, with the replica's own file and position", async () => {
  const { stream, second } = twoFiles();
  const { platform, asked } = recordingPlatform();
  await using run = await serve(stream, { platform });
  const reader = await (await dump(run.port, { heartbeatMs: 50, gtids: `${SOURCE}:1-8` })).until(
    (one) => one.events.filter((event) => event[4] === EventType.HEARTBEAT_V2).length >= 4,
  );
  assert.ok(asked.filter((ms) => ms === 50).length >= 3, "each after the period");
  assert.match(types(reader), /^ROT FDE PRE HB2 G Q W X HB2 HB2 HB2$/);
  assert.equal(places(reader).at(-1), `HB binlog.000002:${second.size}`);
  reader.close();
  const silent = await dump(run.port, { gtids: `${SOURCE}:1-9`, flags: 0 });
  await silent.count(4);
  await assert.rejects(
    silent.until((one) => one.packets.length > 4, 150),
    "none are asked for",
  );
  silent.close();
});

test("heartbeats go on while a transaction is open here", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transactions(1, 2);
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream);
  const reader = await (await dump(run.port, { heartbeatMs: 30 })).count(11);
  const end = made.size;
  made.transaction({ gno: 3, bytes: 5000 });
  stream.newPull("CRC32", 1000);
  stream.feed(framed(made.events.slice(10, 13)), 500);
  assert.ok(stream.state.open !== null, "a transaction is open");
  await reader.count(13);
  assert.equal(places(reader).at(-1), `HB binlog.000001:${end}`);
  reader.close();
});

test("ROTATE waits for the next file; heartbeats name the old one until then", async () => {
  const stream = new MemoryStream(SOURCE);
  const first = new FileMaker("").transactions(1, 1).rotate("binlog.000002");
  stream.addFile(first.file, "binlog.000001");
  await using run = await serve(stream);
  const reader = await (await dump(run.port, { heartbeatMs: 30 })).count(9);
  assert.match(types(reader), /^ROT FDE PRE G Q W X HB2 HB2/);
  const rotateBytes = first.events.at(-1)!.length;
  assert.equal(places(reader).at(-1), `HB binlog.000001:${first.size - rotateBytes}`);
  assert.equal(run.server.registry.list()[0]!.lagBytes, 0);
  stream.addFile(new FileMaker(`${SOURCE}:1`).transactions(2, 2).file, "binlog.000002");
  await reader.until((one) => gnos(one).length === 2);
  assert.match(types(reader), /(HB2 )+ROT ROT FDE PRE G Q W X$/);
  const rotate = reader.events.filter((event) => event[4] === EventType.ROTATE)[1]!;
  assert.deepEqual(Buffer.from(rotate), Buffer.from(first.events.at(-1)!));
  reader.close();
});

test("a file that a crash ended is followed by the fake ROTATE alone; STOP goes with its transaction", async () => {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, 2).file, "binlog.000001");
  stream.addFile(new FileMaker(`${SOURCE}:1-2`).transactions(3, 3).stop().file, "binlog.000002");
  stream.addFile(new FileMaker(`${SOURCE}:1-3`).transactions(4, 4).file, "binlog.000003");
  await using run = await serve(stream);
  const all = await (await dump(run.port, END)).toEnd();
  assert.equal(
    types(all),
    "ROT FDE PRE G Q W X G Q W X ROT FDE PRE G Q W X STOP ROT FDE PRE G Q W X",
  );
  const named = { ...END, file: "binlog.000002" };
  const skipped = await (await dump(run.port, { ...named, gtids: `${SOURCE}:1-3` })).toEnd();
  assert.equal(types(skipped), "ROT FDE PRE ROT FDE PRE G Q W X");
});

test("a hole is passed with a heartbeat to its end", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("", { created: 77 }).transactions(1, 6);
  const { events } = made;
  const end = 4 + events.slice(0, 2 + 12).reduce((sum, event) => sum + event.length, 0);
  stream.state.start(1, GtidSet.parse(`${SOURCE}:1-3`));
  stream.newPull("CRC32");
  stream.feed(
    framed([
      fakeRotate("binlog.000001", 4, 1, nodeCrc32),
      ...events.slice(0, 2),
      heartbeat(2, "binlog.000001", end, 1, nodeCrc32),
      ...events.slice(2 + 12),
    ]),
  );
  assert.ok(stream.files[0]!.partial);
  await using run = await serve(stream);
  const zeroed = await (await dump(run.port, { ...END, gtids: `${SOURCE}:1-3` })).toEnd();
  assert.deepEqual([...zeroed.events[1]!.subarray(71, 75)], [0, 0, 0, 0], "created");
  for (const gtids of [`${SOURCE}:1-3`, null]) {
    const reader = await (await dump(run.port, { ...END, gtids })).toEnd();
    assert.equal(types(reader), "ROT FDE PRE HB2 G Q W X G Q W X G Q W X");
    assert.equal(places(reader).at(-1), `HB binlog.000001:${end}`);
  }
  const inside = await (
    await dump(run.port, { ...END, gtids: null, file: "binlog.000001", position: end - 50 })
  ).toEnd();
  assert.match(inside.end!, /^1236 Position .* was not pulled/);
  const before = 4 + events[0]!.length + events[1]!.length;
  const atStart = await (
    await dump(run.port, { ...END, gtids: null, file: "binlog.000001", position: before })
  ).toEnd();
  assert.equal(types(atStart), "ROT FDE HB2 G Q W X G Q W X G Q W X");
});

test("another source's files get our next names, and its ROTATE too", async () => {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(
    new FileMaker("").transactions(1, 2).rotate("binlog.000008").file,
    "binlog.000007",
  );
  stream.addFile(
    new FileMaker(`${SOURCE}:1-2`).transactions(3, 3).rotate("mysql-bin.000003").file,
    "mysql-bin.000002",
  );
  await using run = await serve(stream);
  const reader = await (await dump(run.port, END)).toEnd();
  assert.equal(types(reader), "ROT FDE PRE G Q W X G Q W X ROT ROT FDE PRE G Q W X ROT");
  const rotates = reader.events.filter((event) => event[4] === EventType.ROTATE);
  assert.deepEqual(
    rotates.map((event) => decodeRotate(event, "CRC32").file),
    ["binlog.000007", "binlog.000008", "binlog.000008", "binlog.000009"],
  );
  stream.addFile(new FileMaker(`${SOURCE}:1-3`).transactions(4, 4).file, "mysql-bin.000003");
  const named = await (
    await dump(run.port, { ...END, file: "binlog.000009", gtids: null })
  ).toEnd();
  assert.deepEqual(gnos(named), [4]);
  assert.equal(stream.files.at(-1)!.name, "binlog.000009");
});

test("file and position: every event's start is a place to begin", async () => {
  const { stream, first, second } = twoFiles();
  await using run = await serve(stream);
  let at = 4;
  for (const [i, event] of first.events.entries()) {
    at += event.length;
    const reader = await (
      await dump(run.port, { ...END, gtids: null, file: "binlog.000001", position: at })
    ).toEnd();
    const want = [...first.events.slice(i + 1), ...second.events].map((one) => Buffer.from(one));
    const [rotate, description, ...rest] = reader.events;
    assert.equal(decodeRotate(rotate!, "CRC32").position, at);
    assert.equal(description![4], EventType.FORMAT_DESCRIPTION);
    assert.deepEqual([...description!.subarray(13, 17)], [0, 0, 0, 0], "log_pos");
    const stored = rest.filter((one) => eventFlags(one) !== 0x20).map((one) => Buffer.from(one));
    assert.deepEqual(stored, want, `position ${at}`);
  }
});

test("positions inside chunks of one large transaction are found, and the rest of it comes", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transaction({ gno: 1, bytes: 40_000 }).transactions(2, 40, 300);
  stream.addFile(made.file, "binlog.000001", { chunkBytes: 2000, pieceBytes: 1500 });
  await using run = await serve(stream);
  let at = 4;
  for (const [i, event] of made.events.entries()) {
    at += event.length;
    if (i % 7 !== 3 && i > 6) continue;
    const reader = await (
      await dump(run.port, { ...END, gtids: null, file: "binlog.000001", position: at })
    ).toEnd();
    const want = Buffer.concat(made.events.slice(i + 1));
    assert.ok(Buffer.compare(Buffer.concat(reader.events.slice(2)), want) === 0, `position ${at}`);
  }
});

test("checksums follow what was announced, then the file", async () => {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(
    new FileMaker("", { checksum: "NONE" }).transactions(1, 1).rotate("binlog.000002").file,
    "binlog.000001",
  );
  stream.addFile(
    new FileMaker(`${SOURCE}:1`).transactions(2, 2).rotate("binlog.000003").file,
    "binlog.000002",
  );
  stream.addFile(
    new FileMaker(`${SOURCE}:1-2`, { checksum: "NONE" }).transactions(3, 3).file,
    "binlog.000003",
  );
  await using run = await serve(stream);
  const rotates = async (checksum: "CRC32" | "NONE" | null): Promise<number[] | string> => {
    const reader = await (await dump(run.port, { ...END, checksum })).toEnd();
    const lengths = reader.events
      .filter((event) => event[4] === EventType.ROTATE && eventFlags(event) === 0x20)
      .map((event) => event.length - (19 + 8 + "binlog.000001".length));
    return reader.end === "EOF" ? lengths : `${lengths} ${reader.end}`;
  };
  // The first as announced, the others as the file before them.
  assert.deepEqual(await rotates("CRC32"), [4, 0, 4]);
  assert.deepEqual(await rotates("NONE"), [0, 0, 4]);
  const inside = { ...END, checksum: null, gtids: null, file: "binlog.000002", position: 127 };
  const refused = await (await dump(run.port, inside)).toEnd();
  assert.match(refused.end!, /at 127, the last event read from '.\/binlog.000002' at 127/);
  assert.equal(stream.held, 0);
  assert.match(String(await rotates(null)), /^0,0 1236 Replica can not handle replication events/);
});
