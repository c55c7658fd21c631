import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeHeartbeat,
  decodeRotate,
  fakeRotate,
  heartbeat,
} from "../../../src/binlog/control-events.ts";
import { EventType, eventFlags, eventServerId, eventTypeName } from "../../../src/binlog/event.ts";
import { decodeGtidEvent } from "../../../src/binlog/gtid-event.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { eventsOf, fixture } from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type DumpReader, dump, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { framed, MemoryStream, onTheWire } from "./memory-stream.ts";

const NON_BLOCK = 1;
const V2 = 2;

function types(reader: DumpReader): string {
  return reader.events.map((event) => SHORT[eventTypeName(event[4]!)] ?? "?").join(" ");
}
const SHORT: Record<string, string> = {
  Rotate: "ROT",
  Format_desc: "FDE",
  Previous_gtids: "PRE",
  Gtid: "G",
  Query: "Q",
  Write_rows: "W",
  Xid: "X",
  Stop: "STOP",
  Heartbeat_log_v2: "HB2",
  Heartbeat: "HB1",
};

function gnos(reader: DumpReader): number[] {
  return reader.events
    .filter((event) => event[4] === EventType.GTID)
    .map((event) => Number(decodeGtidEvent(event, 0, event.length - 4).gno));
}

/** Names and positions of heartbeats and artificial rotates, in order. */
function places(reader: DumpReader): string[] {
  return reader.events.flatMap((event) => {
    if (event[4] === EventType.HEARTBEAT || event[4] === EventType.HEARTBEAT_V2) {
      const { file, position } = decodeHeartbeat(event, "CRC32");
      return [`HB ${file}:${position}`];
    }
    if (event[4] !== EventType.ROTATE || eventFlags(event) !== 0x20) return [];
    const { file, position } = decodeRotate(event, "CRC32");
    return [`ROT ${file}:${position}`];
  });
}

function twoFiles(): { stream: MemoryStream; first: FileMaker; second: FileMaker } {
  const stream = new MemoryStream(SOURCE);
  const first = new FileMaker("", { created: 77 }).transactions(1, 5).rotate("binlog.000002");
  const second = new FileMaker(`${SOURCE}:1-5`).transactions(6, 9);
  stream.addFile(first.file, "binlog.000001");
  stream.addFile(second.file, "binlog.000002");
  return { stream, first, second };
}

const END = { flags: NON_BLOCK | V2 };

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
  await using run = await serve(stream);
  const started = performance.now();
  const reader = await (await dump(run.port, { heartbeatMs: 50, gtids: `${SOURCE}:1-8` })).until(
    (one) => one.events.filter((event) => event[4] === EventType.HEARTBEAT_V2).length >= 4,
  );
  assert.ok(performance.now() - started > 120);
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
  const inside = { ...END, checksum: null, gtids: null, file: "binlog.000002", position: 158 };
  const refused = await (await dump(run.port, inside)).toEnd();
  assert.match(refused.end!, /at 158, the last event read from '.\/binlog.000002' at 127/);
  assert.equal(stream.held, 0);
  assert.match(String(await rotates(null)), /^0,0 1236 Replica can not handle replication events/);
});

test("a dump of many megabytes is aligned once, and its packet numbers run on", async () => {
  const stream = new MemoryStream(SOURCE);
  const first = new FileMaker("").transactions(1, 9000, 300).rotate("binlog.000002");
  stream.addFile(first.file, "binlog.000001");
  const second = new FileMaker(`${SOURCE}:1-9000`).transactions(9001, 14_000, 300);
  stream.addFile(second.file, "binlog.000002");
  await using run = await serve(stream);
  const uuid = "aaaaaaaa-2222-3333-4444-555555555555";
  const padded = await (
    await dump(run.port, { ...END, uuid, heartbeatMs: 60_000, gtids: `${SOURCE}:1-5` })
  ).toEnd(20_000);
  const events = padded.events;
  const beats = events.filter((event) => event[4] === EventType.HEARTBEAT_V2);
  assert.ok(beats.length > 1 && beats.length <= 1 + 2 * 255, `${beats.length} heartbeats`);
  assert.equal(gnos(padded).length, 13_995);
  const plain = await (await dump(run.port, { ...END, gtids: `${SOURCE}:1-5` })).toEnd(20_000);
  assert.equal(plain.events.filter((event) => event[4] === EventType.HEARTBEAT_V2).length, 1);
  const without = (reader: DumpReader): Buffer =>
    Buffer.concat(reader.events.filter((event) => event[4] !== EventType.HEARTBEAT_V2));
  assert.ok(Buffer.compare(without(padded), without(plain)) === 0);
  // A replica checks them: never back, never another file.
  let last = 0;
  for (const beat of beats) {
    const { position } = decodeHeartbeat(beat, "CRC32");
    if (position < last) assert.ok(position < 200, "a new file began");
    last = position;
  }
});

test("skipping goes by the index: a large file is not read for a replica that has it", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transactions(1, 40_000, 300);
  stream.addFile(made.file, "binlog.000001");
  assert.ok(stream.marks.length > 5, `${stream.marks.length}`);
  let reads = 0;
  const read = stream.read.bind(stream);
  stream.read = (entry) => {
    const reader = read(entry);
    const next = reader.next.bind(reader);
    reader.next = () => {
      reads++;
      return next();
    };
    return reader;
  };
  await using run = await serve(stream);
  const reader = await (await dump(run.port, { ...END, gtids: `${SOURCE}:1-39990` })).toEnd();
  assert.deepEqual(
    gnos(reader),
    [39_991, 39_992, 39_993, 39_994, 39_995, 39_996, 39_997, 39_998, 39_999, 40_000],
  );
  assert.ok(reads < 10, `${reads} reads`);
});

test("STOP alone in its chunk goes with the transaction before it, within its file", async () => {
  const stream = new MemoryStream(SOURCE);
  const first = new FileMaker("").transactions(1, 1).stop();
  stream.newPull("CRC32");
  const packets = [fakeRotate("binlog.000001", 4, 1, nodeCrc32), ...first.events].map(
    (event) => event,
  );
  const bytes = framed(packets);
  const stopBytes = 5 + first.events.at(-1)!.length;
  stream.feed(bytes.subarray(0, bytes.length - stopBytes));
  stream.feed(bytes.subarray(bytes.length - stopBytes));
  stream.addFile(new FileMaker(`${SOURCE}:1`).stop().file, "binlog.000002");
  stream.addFile(new FileMaker(`${SOURCE}:1`).transactions(2, 2).file, "binlog.000003");
  await using run = await serve(stream);
  const settings = { ...END, file: "binlog.000001", gtids: `${SOURCE}:1` };
  const reader = await (await dump(run.port, settings)).toEnd();
  assert.equal(types(reader), "ROT FDE PRE ROT FDE PRE STOP ROT FDE PRE G Q W X");
});

test("transactions of several servers in one chunk are told apart", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("");
  const uuids = [
    SOURCE,
    "22222222-2222-3333-4444-555555555555",
    "33333333-2222-3333-4444-555555555555",
  ];
  const all: string[] = [];
  for (let i = 0; i < 40; i++) {
    const uuid = uuids[(i * i) % 3]!;
    const gno = i + 1 + (i > 20 ? 100 : 0);
    made.transaction({ gno, uuid });
    all.push(`${uuid}:${gno}`);
  }
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream);
  await fc.assert(
    fc.asyncProperty(fc.subarray(all), async (has) => {
      const reader = await (await dump(run.port, { ...END, gtids: has.join(",") })).toEnd();
      const got = reader.events
        .filter((event) => event[4] === EventType.GTID)
        .map((event) => {
          const { sid, gno } = decodeGtidEvent(event, 0, event.length - 4);
          return `${sid}:${gno}`;
        });
      assert.deepEqual(
        got,
        all.filter((gtid) => !has.includes(gtid)),
      );
    }),
    { numRuns: 40 },
  );
});

test("a named dump by GTID may begin inside a transaction; its description stays as it is", async () => {
  const { stream, first } = twoFiles();
  await using run = await serve(stream);
  const at = 4 + first.events.slice(0, 4).reduce((sum, event) => sum + event.length, 0);
  const settings = { ...END, file: "binlog.000001", position: at };
  const all = await (await dump(run.port, { ...settings, gtids: "" })).toEnd();
  assert.match(types(all), /^ROT FDE W X G Q W X/);
  assert.deepEqual(Buffer.from(all.events[1]!), Buffer.from(first.events[0]!));
  const skipped = await (await dump(run.port, { ...settings, gtids: `${SOURCE}:1-2` })).toEnd();
  assert.match(types(skipped), /^ROT FDE HB2 G Q W X/);
});

test("past 4 GiB version 1 heartbeats would lead back: none are sent; version 2 goes on", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("");
  const far = 5_000_000_000;
  made.size = far;
  made.transactions(2, 2);
  const [description, previous, ...rest] = made.events;
  stream.state.start(1, GtidSet.parse(`${SOURCE}:1`));
  stream.newPull("CRC32");
  const beat = heartbeat(2, "binlog.000001", far, 1, nodeCrc32);
  stream.feed(
    framed([fakeRotate("binlog.000001", 4, 1, nodeCrc32), description!, previous!, beat, ...rest]),
  );
  assert.equal(stream.files[0]!.size, made.size);
  await using run = await serve(stream);
  const gtids = `${SOURCE}:1`;
  const v2 = await (await dump(run.port, { ...END, gtids })).toEnd();
  assert.equal(types(v2), "ROT FDE PRE HB2 G Q W X");
  assert.deepEqual(places(v2).at(-1), `HB binlog.000001:${far}`);
  const v1 = await (await dump(run.port, { gtids, flags: 0, heartbeatMs: 20 })).count(7);
  await assert.rejects(v1.until((one) => one.packets.length > 7, 150));
  assert.equal(types(v1), "ROT FDE PRE G Q W X");
  v1.close();
});

test("padding is bounded where much is skipped in between", async () => {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, 12_000, 300).file, "binlog.000001");
  await using run = await serve(stream);
  const has = Array.from({ length: 12 }, (_, i) => i * 1000 + 500).map((gno) => `${SOURCE}:${gno}`);
  const uuid = "aaaaaaaa-2222-3333-4444-555555555555";
  const settings = { ...END, uuid, heartbeatMs: 60_000, gtids: has.join(",") };
  const reader = await (await dump(run.port, settings)).toEnd(20_000);
  const beats = reader.events.filter((event) => event[4] === EventType.HEARTBEAT_V2).length;
  const sentMiB = reader.events.reduce((sum, event) => sum + event.length, 0) / 2 ** 20;
  assert.ok(
    beats > 12 && beats <= 12 + 255 * (sentMiB + 1),
    `${beats} heartbeats in ${sentMiB} MiB`,
  );
  assert.equal(gnos(reader).length, 12_000 - 12);
});

test("skipping by the index stops before what is missing, and at the file's end", async () => {
  const stream = new MemoryStream(SOURCE);
  const first = new FileMaker("").transactions(1, 20_000, 300).rotate("binlog.000002");
  stream.addFile(first.file, "binlog.000001");
  const second = new FileMaker(`${SOURCE}:1-20000`).transactions(20_001, 40_000, 300);
  stream.addFile(second.file, "binlog.000002");
  await using run = await serve(stream);
  const gtids = `${SOURCE}:2-15000:15002-30000:30002-39999`;
  const reader = await (await dump(run.port, { ...END, gtids })).toEnd(20_000);
  assert.deepEqual(gnos(reader), [1, 15_001, 30_001, 40_000]);
  assert.equal(
    types(reader),
    "ROT FDE PRE G Q W X HB2 G Q W X HB2 ROT ROT FDE PRE HB2 G Q W X HB2 G Q W X",
  );
});

test("positions behind an event of several packets are found", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transaction({ gno: 1, bytes: 17_000_000 }).transactions(2, 3);
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream);
  const lengths = made.events.map((event) => event.length);
  for (const from of [5, 6, 7, 10]) {
    const position = 4 + lengths.slice(0, from).reduce((sum, length) => sum + length, 0);
    const settings = { ...END, gtids: null, file: "binlog.000001", position };
    const reader = await (await dump(run.port, settings)).toEnd();
    const want = Buffer.concat(made.events.slice(from));
    assert.ok(Buffer.compare(Buffer.concat(reader.events.slice(2)), want) === 0, `event ${from}`);
  }
});

test("the end of the file is a place to wait, also while a large transaction arrives", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transactions(1, 4000, 300);
  stream.addFile(made.file, "binlog.000001");
  const end = made.size;
  made.transaction({ gno: 4001, bytes: 3_000_000 });
  const more = framed(made.events.slice(2 + 16_000));
  stream.newPull("CRC32");
  stream.feed(more.subarray(0, 2_500_000));
  assert.ok(stream.marks.at(-1)!.fileOffset >= end, "the index is ahead of what can be seen");
  await using run = await serve(stream);
  const settings = { gtids: null, file: "binlog.000001", position: end };
  const reader = await (await dump(run.port, settings)).count(2);
  stream.feed(more.subarray(2_500_000));
  await reader.count(6);
  assert.equal(types(reader), "ROT FDE G Q W X");
  reader.close();
});

test("a dump that is told to stop ends with its transaction", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transaction({ gno: 1, bytes: 15_000_000 }).transactions(2, 3);
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream);
  const reader = await (
    await dump(run.port, { uuid: "aaaaaaaa-2222-3333-4444-555555555555" })
  ).count(3);
  assert.equal(run.server.registry.kick("aaaaaaaa-2222-3333-4444-555555555555"), 1);
  await reader.toEnd();
  assert.equal(reader.end, "closed");
  assert.match(types(reader), /^ROT FDE PRE G Q W X( G Q W X)*$/);
});

test("shared bytes stay as they are until a slow replica has taken them", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("").transactions(1, 30_000, 300);
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream);
  const uuid = "aaaaaaaa-2222-3333-4444-555555555555";
  const reader = await dump(run.port, { ...END, uuid, heartbeatMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const held = stream.held;
  assert.ok(held >= 2, "one is being read, and it and others are being sent");
  // After two seconds it no longer counts as being read, but all are still being sent.
  await waitFor(() => stream.held === held - 1, { deadlineMs: 5000, what: "its release" });
  await reader.toEnd(20_000);
  const events = reader.events.filter((event) => event[4] !== EventType.HEARTBEAT_V2).slice(1);
  assert.ok(Buffer.compare(Buffer.concat(events), Buffer.concat(made.events)) === 0);
  await waitFor(() => stream.held === 0, { deadlineMs: 2000, what: "all to be given back" });
});
