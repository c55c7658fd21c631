/** A last transaction that is too large to be sent again at each attach. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { WorldSource } from "../cluster/world-source.ts";
import { A, Pulling } from "./pulling.ts";

const MIB = 1024 * 1024;
/** 18 MiB. */
const LARGE = { bytes: MIB, rows: 18 };

function commitLarge(source: WorldSource, gno: number, change: object = {}): void {
  const { bytes, rows, ...more } = { ...LARGE, ...change };
  source.commit(A, gno, bytes, { rows, ...more });
}

async function withLarge(): Promise<Pulling> {
  const pulling = await Pulling.start((source) => {
    source.commit(A, 1);
    commitLarge(source, 2);
  });
  return pulling;
}

test("It is proved by its ends, not sent again, and a STOP behind it is stored", async () => {
  const pulling = await withLarge();
  const { source } = pulling;
  const [file] = source.files;
  let sent = 0;
  await pulling.away(() => {
    source.eventDelayMs = ({ length }) => {
      sent += length;
      return 5;
    };
    source.stopAndStart();
    source.commit(A, 3);
  });
  await pulling.has(source);
  assert.ok(sent < 4 * MIB, `${sent} bytes were sent`);
  assert.deepEqual(
    pulling.node.files().map(({ end }) => end),
    ["stop", "open"],
  );
  const exported = await pulling.exported(file!.name);
  assert.deepEqual(exported, Buffer.from(source.files[0]!.bytes));
  // With the STOP stored its last event is not the file's.
  await pulling.away(() => source.commit(A, 4));
  await pulling.has(source);
  await pulling.stop();
});

test("A pull that breaks goes on behind it", async () => {
  const pulling = await withLarge();
  const { source } = pulling;
  for (let gno = 3; gno < 6; gno++) {
    source.cutDumps();
    commitLarge(source, gno);
    await pulling.has(source);
  }
  assert.equal(pulling.syncer.state, "RUNNING");
  await pulling.stop();
});

test("Other content under its number is a FORK, wherever it begins to differ", async () => {
  const others: readonly [string, (source: WorldSource) => void][] = [
    ["its rows", (source) => commitLarge(source, 2, { seed: 99 })],
    ["its end, which comes earlier", (source) => commitLarge(source, 2, { rows: 17 })],
    ["its end, which comes later", (source) => commitLarge(source, 2, { rows: 19 })],
    ["its last event alone", (source) => commitLarge(source, 2, { xid: 77 })],
    ["its size", (source) => source.commit(A, 2)],
  ];
  for (const [what, reuse] of others) {
    const pulling = await Pulling.start((source) => source.commit(A, 1));
    const { source } = pulling;
    const before = source.copy();
    commitLarge(source, 2);
    await pulling.has(source);
    await pulling.away(() => {
      // Into the same file, as no real one would: nothing but the transaction tells.
      source.putBackInFile(before);
      reuse(source);
      source.commit(A, 3);
    });
    await pulling.is("FORK");
    assert.match(pulling.syncer.reason, /used numbers/, what);
    await pulling.stop();
  }
});

test("A STOP that is stored behind it does not stand for its end", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source } = pulling;
  const before = source.copy();
  commitLarge(source, 2);
  source.writeStop();
  await pulling.until(() => pulling.node.files()[0]!.end === "stop");
  await pulling.away(() => {
    source.putBackInFile(before);
    commitLarge(source, 2, { xid: 77 });
    source.stopAndStart();
  });
  await pulling.is("FORK");
  await pulling.stop();
});

test("Its events are too large to be read whole: its beginning and its place are proved", async () => {
  const pulling = await Pulling.start((source) => {
    source.commit(A, 1);
    source.commit(A, 2, 20 * MIB);
  });
  const { source } = pulling;
  await pulling.away(() => source.commit(A, 3));
  await pulling.has(source);
  await pulling.stop();
});
