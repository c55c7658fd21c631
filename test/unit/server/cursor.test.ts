import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeHeartbeat, fakeRotate, heartbeat } from "../../../src/binlog/control-events.ts";
import { EventType } from "../../../src/binlog/event.ts";
import { decodeGtidEvent } from "../../../src/binlog/gtid-event.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type DumpReader, dump, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { framed, MemoryStream } from "./memory-stream.ts";

import { END, gnos, places, twoFiles, types } from "./reading.ts";

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
  const some = await (await dump(run.port, { ...settings, gtids: `${SOURCE}:2` })).toEnd();
  assert.match(types(some), /^ROT FDE W X HB2 G Q W X/);
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

test("a file of a server that knows no version 2 gets heartbeats of version 1, whatever is asked for", async () => {
  const stream = new MemoryStream(SOURCE);
  const made = new FileMaker("", { writer: "mysql56" }).transactions(1, 2);
  stream.addFile(made.file, "binlog.000001");
  await using run = await serve(stream);
  const all = await (await dump(run.port, { ...END, gtids: `${SOURCE}:1-2` })).toEnd();
  assert.match(types(all), / HB1$/);
  const some = await (await dump(run.port, { ...END, gtids: `${SOURCE}:1` })).toEnd();
  assert.match(types(some), / HB1 G Q W X$/);
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
  const made = new FileMaker("").transaction({ gno: 1, bytes: 6_000_000 }).transactions(2, 3);
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
  const waits = {
    deadlineMs: 20_000,
    what: "nothing more to go out, and the release of what was read",
  };
  // One is being read, and it and others are being sent; after two seconds without room it no longer
  // counts as being read, but all are still being sent.
  let most = 0;
  await waitFor(() => {
    most = Math.max(most, stream.held);
    return most >= 2 && stream.held === most - 1;
  }, waits);
  await reader.toEnd(20_000);
  const events = reader.events.filter((event) => event[4] !== EventType.HEARTBEAT_V2).slice(1);
  assert.ok(Buffer.compare(Buffer.concat(events), Buffer.concat(made.events)) === 0);
  await waitFor(() => stream.held === 0, { deadlineMs: 20_000, what: "all to be given back" });
});
