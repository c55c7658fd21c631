/** What a power loss leaves on the simulated disk, outcome by outcome. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CRASH_OUTCOMES, type CrashOutcome } from "../../../runtime/memory/disk-image.ts";
import { type Machine, World } from "../../../runtime/memory/world.ts";
import type { Disk } from "../../../src/platform/disk.ts";

const SECTORS = 64;

async function readAll(disk: Disk, path: string): Promise<Uint8Array | null> {
  if (!(await disk.list("")).includes(path)) return null;
  const file = await disk.open(path, "r");
  const into = new Uint8Array(await file.size());
  await file.read(0, into);
  return into;
}

/** A synced file "old" with ones, then: twos over it, a new file, a rename, all unsynced. */
async function prepare(disk: Disk): Promise<void> {
  const old = await disk.open("old", "create");
  await old.write(0, [new Uint8Array(SECTORS * 512).fill(1)]);
  await old.sync();
  await (await disk.open("a", "create")).sync();
  await disk.syncDir("");
  await old.write(0, [new Uint8Array(SECTORS * 512).fill(2)]);
  await old.write(SECTORS * 512, [new Uint8Array(512).fill(3)]);
  const fresh = await disk.open("fresh", "create");
  await fresh.write(0, [Uint8Array.of(9)]);
  await fresh.sync();
  await disk.rename("a", "b");
}

async function crashed(
  outcome: CrashOutcome,
  seed: number,
): Promise<{ names: string[]; old: Uint8Array }> {
  const world = new World(seed);
  const machine: Machine = world.machine("m");
  const before = machine.start();
  await world.time.run(() => prepare(before.disk("/d")));
  machine.powerLoss(outcome);
  const disk = machine.start().disk("/d");
  return world.time.run(async () => ({
    names: await disk.list(""),
    old: (await readAll(disk, "old"))!,
  }));
}

function valuesPer(bytes: Uint8Array, size: number): number[][] {
  const out: number[][] = [];
  for (let at = 0; at < bytes.length; at += size)
    out.push([...new Set(bytes.subarray(at, at + size))]);
  return out;
}

test("what was synced survives every outcome, and nothing comes from nowhere", async () => {
  for (const outcome of CRASH_OUTCOMES) {
    for (let seed = 1; seed <= 20; seed++) {
      const { names, old } = await crashed(outcome, seed);
      assert.ok(names.includes("old"), outcome);
      assert.ok(names.includes("a") || names.includes("b"), outcome);
      assert.ok(old.length >= SECTORS * 512);
      const tail = [...new Set(old.subarray(SECTORS * 512))];
      assert.ok(old.subarray(0, SECTORS * 512).every((value) => value === 1 || value === 2));
      assert.ok(
        tail.every((value) => value === 3 || value === 0),
        outcome,
      );
    }
  }
});

test("drop and keep are the two ends", async () => {
  const dropped = await crashed("dropPending", 1);
  assert.deepEqual(dropped.names, ["a", "old"]);
  assert.equal(dropped.old.length, SECTORS * 512);
  assert.ok(dropped.old.every((value) => value === 1));
  const kept = await crashed("keepPending", 1);
  assert.deepEqual(kept.names, ["b", "fresh", "old"]);
  assert.equal(kept.old[0], 2);
  assert.equal(kept.old.at(-1), 3);
});

test("names are lost without a sync of the folder, renames by themselves", async () => {
  const lost = await crashed("entriesLost", 1);
  assert.deepEqual(lost.names, ["a", "old"]);
  assert.equal(lost.old[0], 2);
  assert.deepEqual((await crashed("renamesLost", 1)).names, ["a", "fresh", "old"]);
});

test("the size may be new and the contents not", async () => {
  const { old } = await crashed("sizeOnly", 1);
  assert.equal(old.length, (SECTORS + 1) * 512);
  assert.equal(old[0], 1);
  assert.equal(old.at(-1), 0);
});

test("a write tears at sectors, and only there", async () => {
  for (const [outcome, sector] of [
    ["tear512", 512],
    ["tear4096", 4096],
  ] as const) {
    let torn = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { old } = await crashed(outcome, seed);
      const sectors = valuesPer(old.subarray(0, SECTORS * 512), sector);
      assert.ok(sectors.every((values) => values.length === 1));
      if (new Set(sectors.flat()).size === 2) torn++;
    }
    assert.ok(torn > 0, `${outcome} never tore anything`);
  }
});

test("prefixes and subsets differ from seed to seed", async () => {
  for (const outcome of ["prefix", "randomSubset"] as const) {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) seen.add((await crashed(outcome, seed)).names.join());
    assert.ok(seen.size > 1, outcome);
  }
});

test("a killed process leaves all that it wrote", async () => {
  const world = new World(1);
  const machine = world.machine("m");
  const before = machine.start();
  await world.time.run(() => prepare(before.disk("/d")));
  const disk = machine.start().disk("/d");
  assert.deepEqual(await world.time.run(() => disk.list("")), ["b", "fresh", "old"]);
});

test("a failed sync loses what was pending, though reads still show it", async () => {
  const world = new World(1);
  const machine = world.machine("m");
  const before = machine.start();
  const disk = before.disk("/d");
  const { faults } = machine.disk("/d");
  await world.time.run(async () => {
    const file = await disk.open("a", "create");
    await disk.syncDir("");
    await file.write(0, [Uint8Array.of(1, 2, 3)]);
    faults.syncError = "EIO";
    await assert.rejects(file.sync(), { name: "DiskError", code: "EIO" });
    faults.syncError = null;
    await file.sync();
    assert.deepEqual(await readAll(disk, "a"), Uint8Array.of(1, 2, 3));
  });
  machine.powerLoss("keepPending");
  const after = machine.start().disk("/d");
  assert.equal((await world.time.run(() => readAll(after, "a")))?.length, 0);
});

test("read faults lie over the disk and can be taken off", async () => {
  const world = new World(1);
  const machine = world.machine("m");
  const disk = machine.start().disk("/d");
  const { faults } = machine.disk("/d");
  await world.time.run(async () => {
    const file = await disk.open("a", "create");
    await file.write(0, [Uint8Array.of(1, 2, 3)]);
    faults.bitFlips.push({ path: "a", offset: 1, mask: 0x80 });
    assert.deepEqual(await readAll(disk, "a"), Uint8Array.of(1, 0x82, 3));
    faults.readErrors.push({ path: "a", from: 2, to: 3 });
    await assert.rejects(readAll(disk, "a"), { code: "EIO" });
    faults.readFaultsOn = false;
    assert.deepEqual(await readAll(disk, "a"), Uint8Array.of(1, 2, 3));
  });
});

test("a sync that hangs holds only its caller", async () => {
  const world = new World(1);
  const machine = world.machine("m");
  const platform = machine.start();
  machine.disk("/d").faults.syncHangs = true;
  let returned = false;
  await world.time.run(async () => {
    const file = await platform.disk("/d").open("a", "create");
    void file.sync().then(() => {
      returned = true;
    });
  });
  await world.time.advance(60_000);
  assert.equal(returned, false);
});

test("a durable write is there after any power loss once it resolved, and may tear before", async () => {
  for (const outcome of CRASH_OUTCOMES) {
    const world = new World(3);
    const machine = world.machine("m");
    const before = machine.start();
    const open = async (): Promise<void> => {
      const made = await before.disk("/d").open("a", "create");
      await made.write(0, [new Uint8Array(SECTORS * 512)]);
      await made.sync();
      await before.disk("/d").syncDir("");
    };
    await world.time.run(open);
    const file = await world.time.run(() => before.disk("/d").open("a", "durable"));
    await world.time.run(() => file.write(0, [new Uint8Array(512).fill(1)]));
    void file.write(512, [new Uint8Array(512).fill(2)]);
    machine.powerLoss(outcome);
    const after = (await world.time.run(() => readAll(machine.start().disk("/d"), "a")))!;
    assert.deepEqual(new Set(after.subarray(0, 512)), new Set([1]), outcome);
    assert.ok(after.subarray(512, 1024).every((value) => value === 0 || value === 2));
  }
});
