/** Sources that are changed, put back and purged: one history, or a state with a next step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventType, eventType } from "../../../src/binlog/event.ts";
import type { WorldSource } from "../cluster/world-source.ts";
import { A, B, Pulling } from "./pulling.ts";

function commit(source: WorldSource, first: number, last: number, seed = 0): void {
  for (let gno = first; gno <= last; gno++) source.commit(A, gno, 40, { seed });
}

test("A source that was only asked is not ours: back at the one before, its file goes on", async () => {
  const pulling = await Pulling.start((source) => commit(source, 1, 5));
  const { source, time, node } = pulling;
  const other = await pulling.another(B, `${A}:1-5`);
  // It takes us and sends nothing.
  other.eventDelayMs = () => 3_600_000;
  await time.run(() => node.setSource(other.settings(pulling.world.machine)));
  await pulling.until(() => other.dumps > 0);
  await time.advance(60_000);
  assert.deepEqual(node.gtid().sourceUuids, [A]);
  commit(source, 6, 8);
  await time.run(() => node.setSource(source.settings(pulling.world.machine)));
  await pulling.has(source);
  await pulling.until(() => pulling.acked === source.end.position);
  source.rotate();
  commit(source, 9, 10);
  await pulling.has(source);
  assert.deepEqual(
    node.files().map(({ end }) => end),
    ["rotate", "open"],
  );
  for (const { name, bytes } of source.files)
    assert.deepEqual(await pulling.exported(name), Buffer.from(bytes));
  await pulling.stop();
});

test("From a source to another and back: what is there goes on in a file of its own", async () => {
  const pulling = await Pulling.start((source) => commit(source, 1, 5));
  const { source, time, node } = pulling;
  const other = await pulling.another(B, `${A}:1-5`);
  other.commit(B, 1);
  await time.run(() => node.setSource(other.settings(pulling.world.machine)));
  await pulling.has(other);
  // The first one has followed the other.
  source.commit(B, 1);
  commit(source, 6, 8);
  await time.run(() => node.setSource(source.settings(pulling.world.machine)));
  await pulling.has(source);
  assert.deepEqual(
    node.files().map(({ end, sourceUuid }) => [end, sourceUuid]),
    [
      ["tail-unknown", A],
      ["tail-unknown", B],
      ["open", A],
    ],
  );
  await pulling.stop();
});

test("Put back, with numbers used again: a FORK, whatever file they stand in", async () => {
  for (const rotations of [0, 1, 2]) {
    const pulling = await Pulling.start((source) => commit(source, 1, 3));
    const { source } = pulling;
    const before = source.copy();
    for (let i = 0; i < rotations; i++) source.rotate();
    commit(source, 4, 6);
    await pulling.has(source);
    await pulling.away(() => {
      source.putBack(before);
      commit(source, 4, 8, 99);
    });
    await pulling.is("FORK");
    assert.match(pulling.syncer.next, /new-timeline/);
    assert.equal(pulling.node.gtid().executed, `${A}:1-6`);
    await pulling.stop();
  }
});

test("Put back, and the last transaction has other bytes of the same length: a FORK", async () => {
  const pulling = await Pulling.start((source) => commit(source, 1, 3));
  const { source } = pulling;
  const before = source.copy();
  commit(source, 4, 6);
  await pulling.has(source);
  const { position } = source.end;
  await pulling.away(() => {
    source.putBackInFile(before);
    commit(source, 4, 6, 99);
    assert.equal(source.end.position, position);
    commit(source, 7, 8);
  });
  await pulling.is("FORK");
  assert.equal(pulling.node.gtid().executed, `${A}:1-6`);
  await pulling.stop();
});

test("Put back, and our last file ends with nothing in it: a FORK too", async () => {
  const pulling = await Pulling.start((source) => commit(source, 1, 3));
  const { source } = pulling;
  const before = source.copy();
  commit(source, 4, 6);
  source.rotate();
  await pulling.until(() => pulling.node.files().length === 2);
  await pulling.away(() => {
    // As many transactions, and a file of the same name behind the same set: it is of another time.
    source.putBackInFile(before);
    commit(source, 4, 6, 99);
    source.rotate();
    commit(source, 7, 8);
  });
  await pulling.is("FORK");
  await pulling.stop();
});

test("Our last file is gone and what it held is not purged: a FORK", async () => {
  const pulling = await Pulling.start((source) => commit(source, 1, 3));
  const { source } = pulling;
  source.rotate();
  commit(source, 4, 6);
  await pulling.has(source);
  await pulling.away(() => {
    source.rotate();
    const now = source.copy();
    source.putBack({ ...now, files: now.files.filter(({ name }) => name !== "binlog.000002") });
  });
  await pulling.is("FORK");
  await pulling.stop();
});

/** Away while the source purged all that is stored here. */
async function purgedAway(seed: number): Promise<Pulling> {
  const pulling = await Pulling.start((source) => commit(source, 1, 3));
  const { source } = pulling;
  const before = source.copy();
  commit(source, 4, 6);
  await pulling.has(source);
  await pulling.away(() => {
    if (seed !== 0) {
      source.putBack(before);
      commit(source, 4, 6, seed);
    }
    source.rotate().purge();
    commit(source, 7, 9);
  });
  return pulling;
}

test("What would prove the history is purged: REFUSED until an operator vouches for it", async () => {
  for (const seed of [0, 99]) {
    const pulling = await purgedAway(seed);
    const { source, time } = pulling;
    await pulling.is("REFUSED");
    const { reason, next, gtids } = pulling.syncer;
    assert.match(reason, /purged "binlog.000001", our last file/);
    assert.match(next, /accept-unproved.*new-timeline/);
    assert.equal(gtids["last stored"], `${A}:6`);
    assert.equal(pulling.node.gtid().executed, `${A}:1-6`);
    await time.run(() => assert.rejects(pulling.node.acceptUnproved("wrong"), /confirmation/));
    await time.run(() => pulling.node.acceptUnproved(pulling.node.status().clusterId));
    await pulling.has(source);
    assert.equal(pulling.node.files()[0]!.end, "tail-unknown");
    // It held for that once: what is stored since has to be proved again.
    await pulling.away(() => {
      source.rotate().purge();
    });
    await pulling.is("REFUSED");
    await pulling.stop();
  }
});

test("An accepted gap is not refused again for want of a proof", async () => {
  const pulling = await Pulling.start((source) => commit(source, 1, 3));
  const { source, time } = pulling;
  await pulling.away(() => {
    commit(source, 4, 6);
    source.rotate().purge();
    commit(source, 7, 9);
  });
  await pulling.is("GAP");
  assert.match(pulling.syncer.reason, /do not accept the gap if the source was put back/);
  const { missing } = pulling.syncer.gtids;
  assert.equal(missing, `${A}:4-6`);
  await time.run(() => pulling.node.acceptGap(missing!, pulling.node.status().clusterId));
  await pulling.has(source);
  assert.equal(pulling.syncer.state, "RUNNING");
  await pulling.stop();
});

test("A purge that leaves our last file needs nobody, although its last transaction is gone", async () => {
  const pulling = await Pulling.start((source) => commit(source, 1, 3));
  const { source } = pulling;
  source.rotate();
  await pulling.until(() => pulling.node.files().length === 2);
  await pulling.away(() => {
    source.purge();
    commit(source, 4, 5);
  });
  await pulling.has(source);
  await pulling.stop();
});

test("The source says that it purged what was never in its files (gtid_purged = '+...'): a GAP", async () => {
  const pulling = await Pulling.start((source) => commit(source, 1, 3));
  const { source } = pulling;
  await pulling.away(() => {
    source.variables.set("gtid_executed", `${A}:1-3,${B}:1-2`);
    source.variables.set("gtid_purged", `${B}:1-2`);
  });
  await pulling.is("GAP");
  assert.equal(pulling.syncer.gtids["missing"], `${B}:1-2`);
  await pulling.stop();
});

test("A new timeline begins with the source's purged set, although there are old files", async () => {
  const pulling = await purgedAway(99);
  await pulling.is("REFUSED");
  const { clusterId } = pulling.node.status();
  await pulling.time.run(() => pulling.node.newTimeline(clusterId));
  await pulling.has(pulling.source);
  assert.equal(pulling.node.gtid().purged, `${A}:1-6`);
  await pulling.stop();
});

test("a pull that broke right behind a file's description goes on with what follows it", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source, node } = pulling;
  // The description is sent at once, and long before what stands behind it.
  const isSlow = (event: Uint8Array): boolean => eventType(event) === EventType.PREVIOUS_GTIDS;
  source.eventDelayMs = (event) => (isSlow(event) ? 5_000 : 0);
  source.rotate();
  await pulling.until(() => node.files().length === 2);
  assert.equal(node.core.state.stream.file!.end, "open");
  source.cutDumps();
  source.eventDelayMs = () => 0;
  source.commit(A, 2);
  await pulling.has(source);
  const { name, bytes } = source.files.at(-1)!;
  assert.ok(Buffer.from(await pulling.exported(name)).equals(bytes), "the source's file");
  await pulling.stop();
});

test("a file without transactions that has ended is not taken up again at its end", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source, node } = pulling;
  source.rotate();
  await pulling.until(() => node.files().length === 2);
  // Its end comes at once, and long before the next file's beginning.
  const isSlow = (event: Uint8Array): boolean => eventType(event) === EventType.FORMAT_DESCRIPTION;
  source.eventDelayMs = (event) => (isSlow(event) ? 5_000 : 0);
  source.rotate();
  await pulling.until(() => node.files()[1]!.end === "rotate");
  source.cutDumps();
  source.eventDelayMs = () => 0;
  source.commit(A, 2);
  await pulling.has(source);
  for (const { name, bytes } of source.files)
    assert.ok(Buffer.from(await pulling.exported(name)).equals(bytes), name);
  await pulling.stop();
});
