import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { FileMaker } from "../server/make-file.ts";
import { A, B, FoldWorld } from "./fold-world.ts";

const FILE = "binlog.000001";

/** Source A, its first transaction whole and its second, of several chunks, without its end. */
function brokenInside(): { world: FoldWorld; maker: FileMaker } {
  const world = new FoldWorld();
  const maker = new FileMaker("")
    .transaction({ uuid: A, gno: 1 })
    .transaction({ uuid: A, gno: 2, bytes: 2000 });
  for (const payload of world.pull(A, maker, FILE, 4).slice(0, -1))
    assert.equal(world.apply(payload).accepted, true);
  assert.ok(world.state.open !== null);
  return { world, maker };
}

test("Whatever is applied: dead ranges are in order, and replicas get the stream and no more", async () => {
  const kinds = ["new file", "resume", "resume", "go on", "go on", "again", "control"];
  const step = fc.tuple(
    fc.constantFrom(...kinds, "new timeline", "purge", "reload"),
    fc.nat(40),
    fc.nat(40),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const world = new FoldWorld();
      for (const [kind, a, b] of steps) {
        await world.step(kind, a, b);
        await world.check();
      }
    }),
    { numRuns: 400 },
  );
});

test("What was refused inside an unfinished transaction is buried with it, once", async () => {
  const { world, maker } = brokenInside();
  const { visibleEnd, streamEnd } = world.state;
  // Two that cannot continue: one of a pull that begins elsewhere, with a control entry between.
  for (const payload of world.pull(A, maker, FILE, 4))
    assert.equal(world.apply(payload).accepted, false);
  world.control((index) => world.state.pass(index));
  const refused = world.state.deadBytes;
  assert.ok(refused > 0);
  const promoted = new FileMaker(`${A}:1`)
    .transaction({ uuid: A, gno: 2, bytes: 300 })
    .transaction({ uuid: B, gno: 1 });
  for (const payload of world.pull(B, promoted, FILE, 4))
    assert.equal(world.apply(payload).accepted, true);
  assert.equal(world.state.dead.length, 1);
  assert.equal(world.state.deadBytes, refused + (streamEnd - visibleEnd));
  assert.equal(world.state.executed.toString(), `${A}:1-2,${B}:1`);
  await world.check();
});

test("A server is our source once a chunk of it is accepted, not before", () => {
  const { world, maker } = brokenInside();
  const promoted = new FileMaker(`${A}:1`).transaction({ uuid: B, gno: 1 });
  const [first] = world.pull(B, promoted, FILE, 4, 400, 7);
  assert.equal(world.apply(first!).accepted, false);
  assert.equal(world.state.source!.uuid, A);
  assert.deepEqual([...world.state.sourceUuids], [A]);
  assert.equal(world.state.file!.end, "open");
  // So the first one is simply continued.
  for (const payload of world.pull(A, maker, FILE, world.state.file!.size))
    assert.equal(world.apply(payload).accepted, true);
  assert.equal(world.state.executed.toString(), `${A}:1-2`);
  for (const payload of world.pull(B, new FileMaker(`${A}:1-2`), FILE, 4)) world.apply(payload);
  assert.equal(world.state.source!.uuid, B);
  assert.deepEqual(
    world.state.files.map(({ end, sourceUuid }) => [end, sourceUuid]),
    [
      ["tail-unknown", A],
      ["open", B],
    ],
  );
});

test("A file is continued by its own source only", () => {
  const { world, maker } = brokenInside();
  const [first] = world.pull(B, maker, FILE, world.state.file!.size);
  const outcome = world.apply(first!);
  assert.ok(!outcome.accepted && /another source/.test(outcome.reason));
});

test("What an operator vouches for holds until the next transaction", () => {
  const { world, maker } = brokenInside();
  world.control((index) => world.state.acceptUnproved(index));
  world.reload();
  assert.equal(world.state.last!.unprovedAccepted, true);
  for (const payload of world.pull(A, maker, FILE, world.state.file!.size)) world.apply(payload);
  assert.equal(world.state.last!.unprovedAccepted, false);
  world.control((index) => world.state.acceptGap(index, GtidSet.parse(`${B}:1-5`)));
  assert.equal(world.state.last!.unprovedAccepted, true);
  assert.equal(world.state.purged.toString(), `${B}:1-5`);
});

test("Until something is stored, the purged set is the newest source's", () => {
  const world = new FoldWorld();
  world.control((index) => world.state.start(index, GtidSet.parse(`${A}:1-5`)));
  world.control((index) => world.state.start(index, GtidSet.parse(`${B}:1-3`)));
  assert.equal(world.state.executed.toString(), `${B}:1-3`);
  const file = new FileMaker(`${B}:1-3`).transaction({ uuid: B, gno: 4 });
  for (const payload of world.pull(B, file, FILE, 4)) world.apply(payload);
  world.control((index) => world.state.start(index, GtidSet.parse(`${A}:1-5`)));
  assert.equal(world.state.executed.toString(), `${B}:1-4`);
  // A new timeline begins like an empty log, although there are files.
  world.newTimeline();
  world.control((index) => world.state.start(index, GtidSet.parse(`${A}:1-5`)));
  assert.equal(world.state.executed.toString(), `${A}:1-5`);
});
