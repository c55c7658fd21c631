import assert from "node:assert/strict";
import { test } from "node:test";
import { CRASH_OUTCOMES } from "../../../runtime/memory/disk-image.ts";
import type { Entry } from "../../../src/raft/types.ts";
import { EntryDamaged, LogCorrupt, LogFull } from "../../../src/storage/storage.ts";
import { LogWorld, payload } from "./world-log.ts";

test("DurableLog reads back what it appended, across segments and a restart", async () => {
  const world = new LogWorld(1);
  await world.open();
  const payloads: Uint8Array[] = [];
  for (let i = 0; i < 60; i++) {
    const batch = [payload(i, 100 + i * 37), payload(i + 1000, 3000)];
    payloads.push(...batch);
    await world.append(batch, world.log!.lastIndex);
  }
  assert.ok(world.log!.segmentCount > 2, "it rolled");
  const check = async (): Promise<void> => {
    const entries = await world.readAll();
    assert.deepEqual(
      entries.map((entry) => entry.index),
      payloads.map((_, i) => i + 1),
    );
    for (const [i, entry] of entries.entries()) assert.deepEqual(entry.data, payloads[i]);
  };
  await check();
  await world.settle(world.log!.close());
  await world.open();
  await check();
  assert.equal(world.log!.term(120), 1);
  assert.equal(world.log!.term(121), undefined);
  assert.equal(world.log!.hardState.term, 1);
});

test("DurableLog loses nothing acknowledged in a power loss, whatever the disk does", async () => {
  for (const outcome of CRASH_OUTCOMES) {
    for (let seed = 1; seed <= 12; seed++) {
      const world = new LogWorld(seed);
      await world.open();
      const acknowledged: Uint8Array[] = [];
      for (let i = 0; i < seed * 2; i++) {
        const batch = [payload(i, 50 + ((i * 991) % 9000))];
        await world.append(batch, world.log!.lastIndex);
        acknowledged.push(...batch);
      }
      // One more is on its way when the power goes.
      const last = payload(7777, 20_000);
      const entry = { index: world.log!.lastIndex + 1, term: 1, type: 0, data: last } as const;
      void world
        .log!.append({ hardState: { term: 1, vote: 1, commit: 0 }, entries: [entry] })
        .catch(() => {});
      const began = world.world.time.now;
      await world.world.time.runUntil(() => world.world.time.now > began + 0.03 * seed, 10);
      world.world.machine("a").powerLoss(outcome);
      const log = await world.open();
      const label = `${outcome} seed ${seed}: ${world.reports.join("; ")}`;
      const entries = await world.readAll();
      assert.ok(entries.length >= acknowledged.length, label);
      for (const [i, data] of acknowledged.entries())
        assert.deepEqual(entries[i]!.data, data, label);
      if (entries.length > acknowledged.length) assert.deepEqual(entries.at(-1)!.data, last, label);
      await world.append([payload(1, 300)]);
      assert.equal(log.lastIndex, entries.length + 1);
      assert.deepEqual(world.failures, []);
    }
  }
});

test("DurableLog never truncates or serves a damaged byte: each byte of a segment flipped", async () => {
  const world = new LogWorld(3);
  await world.open({ segmentBytes: 16 * 1024 });
  const payloads = [payload(1, 700), payload(2, 1500), payload(3, 10)];
  for (const [i, data] of payloads.entries()) await world.append([data], i);
  await world.settle(world.log!.close());
  const [name] = world.disk.image.list("log").filter((file) => file.endsWith(".seg"));
  assert.ok(name !== undefined, world.disk.image.list("").join());
  const path = `log/${name}`;
  const verdicts = { refused: 0, damaged: 0, whole: 0 };
  for (let offset = 0; offset < 8192 + 5 * 1024; offset++) {
    world.disk.faults.bitFlips = [{ path, offset, mask: 0x10 }];
    try {
      await world.open({ segmentBytes: 16 * 1024 });
    } catch (error) {
      assert.ok(
        error instanceof LogCorrupt || (error as Error).name === "UnknownFormat",
        `${offset}: ${error}`,
      );
      verdicts.refused++;
      continue;
    }
    const log = world.log!;
    assert.equal(log.lastIndex, 3, `byte ${offset}: an acknowledged entry was cut`);
    let damaged = false;
    for (let index = 1; index <= 3; index++) {
      try {
        const lease = await world.settle(log.read(index, 1));
        assert.deepEqual(lease.entries[0]!.data, payloads[index - 1], `byte ${offset}`);
        lease.release();
      } catch (error) {
        assert.ok(error instanceof EntryDamaged, `${offset}: ${error}`);
        damaged = true;
      }
    }
    if (damaged) {
      verdicts.damaged++;
      assert.ok(log.damage.length > 0);
    } else verdicts.whole++;
    await world.settle(log.close());
  }
  assert.ok(verdicts.refused > 0 && verdicts.damaged > 2000, JSON.stringify(verdicts));
});

test("DurableLog refuses a directory whose segment is missing, and names it", async () => {
  const world = new LogWorld(4);
  await world.open();
  for (let i = 0; i < 40; i++) await world.append([payload(i, 5000)], i);
  await world.settle(world.log!.close());
  const names = world.disk.image.list("log").filter((file) => file.endsWith(".seg"));
  world.disk.image.remove(`log/${names[1]}`);
  await assert.rejects(world.open(), (error: Error) => {
    assert.ok(error instanceof LogCorrupt);
    assert.match(error.message, new RegExp(names[1]!));
    return true;
  });
});

test("DurableLog drops a conflicting suffix and reads the new one, also after a restart", async () => {
  const world = new LogWorld(5);
  await world.open();
  for (let i = 0; i < 30; i++) await world.append([payload(i, 4000)]);
  const entries = [{ index: 11, term: 2, type: 0, data: payload(99, 10) }] as const;
  await world.settle(
    world.log!.append({ hardState: { term: 2, vote: 1, commit: 0 }, truncateAfter: 10, entries }),
  );
  const check = async (): Promise<void> => {
    const read = await world.readAll();
    assert.equal(read.length, 11);
    assert.equal(read[10]!.term, 2);
    assert.deepEqual(read[10]!.data, payload(99, 10));
    assert.equal(world.log!.term(10), 1);
    assert.equal(world.log!.term(11), 2);
  };
  await check();
  await world.settle(world.log!.close());
  await world.open();
  await check();
});

test("DurableLog does not serve from a block that was read before a cut what stood there", async () => {
  const world = new LogWorld(5);
  await world.open();
  for (let i = 0; i < 8; i++) await world.append([payload(i, 100)]);
  await world.settle(world.log!.close());
  // Nothing is in memory now but the block that this reads.
  const log = await world.open();
  (await world.settle(log.read(1, 10_000))).release();
  const entries = [4, 5].map(
    (index) => ({ index, term: 2, type: 0, data: payload(99, 10) }) as const,
  );
  await world.settle(
    log.append({ hardState: { term: 2, vote: 1, commit: 0 }, truncateAfter: 3, entries }),
  );
  const lease = await world.settle(log.read(1, 10_000));
  assert.deepEqual(
    lease.entries.map(({ index, term }) => [index, term]),
    [1, 2, 3].map((index) => [index, 1]),
  );
});

test("What a process wrote and did not live to sync is durable before the next one builds on it", async () => {
  for (const fate of ["killed before its sync", "ended by a failed sync"]) {
    const world = new LogWorld(8);
    await world.open();
    await world.append([payload(1, 300)]);
    if (fate === "killed before its sync") {
      world.disk.faults.syncMs = 1_000;
      const entry = { index: 2, term: 1, type: 0, data: payload(2, 300) } as const;
      void world.log!.append({ hardState: { term: 1, vote: 1, commit: 0 }, entries: [entry] });
      await world.world.time.advance(100);
    } else {
      world.disk.faults.syncError = "EIO";
      await assert.rejects(world.append([payload(2, 300)]));
    }
    world.disk.faults.syncMs = 0.2;
    world.disk.faults.syncError = null;
    await world.open();
    const seen = (await world.readAll()).length;
    assert.equal(seen, 2, "the kernel shows it");
    world.world.machine("a").powerLoss("dropPending");
    await world.open();
    assert.equal((await world.readAll()).length, seen, fate);
  }
});

test("DurableLog ends at the first sync error and never tries again", async () => {
  const world = new LogWorld(7);
  await world.open();
  await world.append([payload(1, 100)]);
  world.disk.faults.syncError = "EIO";
  await assert.rejects(world.append([payload(2, 100)]));
  assert.equal(world.failures.length, 1);
  world.disk.faults.syncError = null;
  await assert.rejects(world.append([payload(3, 100)]));
});

test("DurableLog purges whole segments below an index and the newest checkpoint", async () => {
  const world = new LogWorld(8);
  const checkpoint = (): { index: number; term: number; data: Uint8Array } | null =>
    world.log === null ? null : { index: world.log.lastIndex, term: 1, data: payload(1, 200) };
  await world.open({ checkpoint });
  for (let i = 0; i < 80; i++) await world.append([payload(i, 4000)], i);
  const segments = world.log!.segmentCount;
  await world.settle(world.log!.purgeBefore(50));
  assert.ok(world.log!.segmentCount < segments);
  assert.ok(world.log!.firstIndex > 1 && world.log!.firstIndex <= 50);
  const left = await world.readAll();
  assert.equal(left.at(-1)!.index, 80);
  await world.settle(world.log!.close());
  await world.open({ checkpoint });
  assert.equal((await world.readAll()).length, left.length);
  assert.ok(world.log!.checkpoint !== null && world.log!.checkpoint.data.length === 200);
});

test("DurableLog gives a reader what it asked for before that was purged", async () => {
  const world = new LogWorld(8);
  const checkpoint = (): { index: number; term: number; data: Uint8Array } | null =>
    world.log === null ? null : { index: world.log.lastIndex, term: 1, data: payload(1, 200) };
  const log = await world.open({ checkpoint });
  for (let i = 0; i < 80; i++) await world.append([payload(i, 4000)], i);
  // A slow disk: the manifest of the purge is there first.
  world.disk.faults.callMs = 5;
  const reading = log.read(1, 100);
  world.disk.faults.callMs = 0.001;
  world.disk.faults.syncMs = 0.001;
  const purging = log.purgeBefore(50);
  const lease = await world.settle(reading);
  assert.equal(lease.entries[0]!.index, 1);
  assert.ok(log.firstIndex > 1, "it was purged meanwhile");
  lease.release();
  await world.settle(purging);
});

test("An entry whose batch is lost before one without entries is damage, not a shorter log", async () => {
  const world = new LogWorld(9);
  await world.open();
  await world.append([payload(1, 500)]);
  const began = world.log!.appendedBytes;
  await world.append([payload(2, 500)], 2);
  await world.settle(
    world.log!.append({ hardState: { term: 2, vote: 1, commit: 2 }, entries: [] }),
  );
  await world.settle(world.log!.close());
  const [name] = world.disk.image.list("log").filter((file) => file.endsWith(".seg"));
  world.disk.faults.bitFlips = [{ path: `log/${name}`, offset: 8192 + began + 4, mask: 1 }];
  const log = await world.open();
  assert.equal(log.lastIndex, 2);
  assert.deepEqual(
    log.damage.map(({ fromIndex, toIndex }) => [fromIndex, toIndex]),
    [[2, 2]],
  );
  await assert.rejects(world.settle(log.read(2, 1)), EntryDamaged);
});

test("DurableLog never knows as committed what a batch was about to replace, wherever it is killed", async () => {
  let covered = 0;
  for (let step = 1; step < 60; step++) {
    const world = new LogWorld(3);
    await world.open();
    for (let i = 0; i < 8; i++) await world.append([payload(i, 5000)], world.log!.lastIndex);
    const segments = world.log!.segmentCount;
    // It replaces entries 6 to 8, is committed, and needs a further segment.
    const entries = [6, 7, 8].map(
      (index) => ({ index, term: 2, type: 0, data: payload(index, 5000) }) as const,
    );
    const hardState = { term: 2, vote: 1, commit: 8 };
    void world.log!.append({ hardState, truncateAfter: 5, entries }).catch(() => {});
    const { time } = world.world;
    const began = time.steps;
    await time.runUntil(() => time.steps >= began + step, 1000);
    world.world.machine("a").kill();
    const log = await world.open();
    for (let index = 6; index <= log.hardState.commit; index++)
      assert.equal(log.term(index), 2, `step ${step}: entry ${index} is known as committed`);
    if (log.segmentCount > segments && log.term(8) === 1) covered++;
  }
  assert.ok(covered > 0, "killed between the roll and the batch");
});

test("a process without a spare handle goes on: what needs one waits, and ends nothing", async () => {
  const world = new LogWorld(12);
  const log = await world.open({ segmentBytes: 16 * 1024 });
  for (let i = 0; i < 4; i++) await world.append([payload(i, 900)]);
  world.disk.faults.noHandles = true;
  const { segmentCount } = log;
  let done = 0;
  const appends = (async () => {
    for (let i = 0; i < 40; i++) {
      const entry: Entry = { index: log.lastIndex + 1, term: 1, type: 0, data: payload(i, 900) };
      const append = (): Promise<void> =>
        log.append({ hardState: { term: 1, vote: 1, commit: 0 }, entries: [entry] });
      // As the log writer does: a batch that has no room is tried again.
      for (let isWritten = false; !isWritten; ) {
        isWritten = await append().then(
          () => true,
          (error: Error) => {
            assert.equal(error.name, "LogFull");
            return false;
          },
        );
        if (!isWritten) await world.world.machine("a").life!.wait(500, "try again");
      }
      done++;
    }
  })();
  await world.world.time.advance(20_000);
  assert.ok(done < 40, "it needs a further segment");
  assert.deepEqual(world.failures, []);
  world.disk.faults.noHandles = false;
  await world.settle(appends);
  assert.ok(log.segmentCount > segmentCount);
  assert.deepEqual(world.failures, []);
  assert.equal((await world.readAll()).length, 44);
});

test("DurableLog of which segments are larger than before waits on a full disk, and does not end", async () => {
  const world = new LogWorld(12);
  await world.open({ segmentBytes: 64 * 1024 });
  await world.append([payload(1, 1000)]);
  await world.settle(world.log!.close());
  const { faults, image } = world.disk;
  faults.capacityBytes = image.usedBytes();
  await world.open({ segmentBytes: 256 * 1024 });
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) await world.append([payload(i, 3000)]);
  };
  await assert.rejects(fill(), LogFull);
  assert.deepEqual(world.failures, []);
  faults.capacityBytes = Number.POSITIVE_INFINITY;
  await world.world.time.advance(10_000);
  await fill();
  assert.deepEqual(world.failures, []);
});
