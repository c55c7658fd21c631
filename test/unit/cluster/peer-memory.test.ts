/** What a node must never forget of itself and of the others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CRASH_OUTCOMES, FileImage } from "../../../runtime/memory/disk-image.ts";
import { World } from "../../../runtime/memory/world.ts";
import type { Place } from "../../../src/cluster/formation.ts";
import { isBefore, PeerMemory } from "../../../src/cluster/peer-memory.ts";
import type { Hello } from "../../../src/peers/protocol.ts";
import { EMPTY_CONF_STATE } from "../../../src/raft/types.ts";
import { LogCorrupt } from "../../../src/storage/storage.ts";
import { nodeCrc32 } from "../../support/crc.ts";

const PEER = "d2".repeat(16);
const OTHER = "d3".repeat(16);
const FILE = "node.state";

class MemoryWorld {
  readonly world: World = new World(7);
  readonly machine = this.world.machine("a");
  disk = this.machine.start().disk("data");

  get file(): FileImage {
    const file = this.machine.disk("data").image.get(FILE);
    assert.ok(file instanceof FileImage);
    return file;
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    return this.world.time.run(task);
  }

  open(uuid = "d1".repeat(16)): Promise<PeerMemory> {
    return this.run(() => PeerMemory.open(this.disk, nodeCrc32, () => uuid));
  }

  /** A new process on the same disk. */
  reopen(): Promise<PeerMemory> {
    this.disk = this.machine.start().disk("data");
    return this.open("never taken");
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.file.visible.size);
    this.file.visible.read(0, bytes);
    return bytes;
  }

  put(bytes: Uint8Array): void {
    for (const image of [this.file.visible, this.file.durable]) {
      image.truncate(0);
      image.write(0, bytes);
    }
  }
}

function hello(change: Partial<Hello> = {}): Hello {
  return {
    protocol: 1,
    clusterId: "c",
    foundedMs: null,
    raftId: 2,
    diskUuid: PEER,
    name: "two",
    version: "0",
    boots: 3,
    nonce: "n3",
    term: 7,
    vote: 2,
    lastTerm: 5,
    lastIndex: 100,
    installs: 0,
    heartbeatMs: 50,
    electionMs: 500,
    ...change,
  };
}

test("peer memory: counts starts, keeps the disk's name and what it was told", async () => {
  const world = new MemoryWorld();
  let memory = await world.open();
  const { diskUuid } = memory;
  assert.equal(memory.boots, 1);
  assert.equal(memory.of(PEER), null);
  await world.run(() => memory.greet(hello()));
  for (let boots = 2; boots < 6; boots++) {
    memory = await world.reopen();
    assert.deepEqual([memory.boots, memory.diskUuid], [boots, diskUuid]);
    assert.deepEqual(memory.of(PEER), {
      boots: 3,
      nonce: "n3",
      term: 7,
      vote: 2,
      lastTerm: 5,
      lastIndex: 100,
      installs: 0,
    });
  }
});

test("peer memory: a start is counted before it can be told of", async () => {
  const world = new MemoryWorld();
  await world.open();
  for (const outcome of CRASH_OUTCOMES) {
    const memory = await world.reopen();
    world.machine.powerLoss(outcome);
    assert.equal((await world.reopen()).boots, memory.boots + 1, outcome);
  }
});

test("peer memory: logs are seen to grow, never to shrink", async () => {
  const world = new MemoryWorld();
  const memory = await world.open();
  const at = { term: 7, vote: 2, installs: 0 };
  memory.saw(PEER, { ...at, lastTerm: 5, lastIndex: 100 });
  assert.equal(memory.of(PEER), null, "only of those that were greeted");
  await world.run(() => memory.greet(hello()));
  const sees: readonly (readonly [term: number, index: number, then: readonly number[]])[] = [
    [5, 99, [5, 100]],
    [4, 900, [5, 100]],
    [5, 101, [5, 101]],
    [6, 7, [6, 7]],
    [5, 5000, [6, 7]],
  ];
  for (const [term, index, then] of sees) {
    memory.saw(PEER, { ...at, lastTerm: term, lastIndex: index });
    const { lastTerm, lastIndex, boots, nonce } = memory.of(PEER)!;
    assert.deepEqual([lastTerm, lastIndex], then);
    assert.deepEqual([boots, nonce], [3, "n3"]);
  }
  memory.saw(PEER, { term: 8, vote: 0, lastTerm: 6, lastIndex: 7, installs: 0 });
  memory.saw(PEER, { term: 8, vote: 3, lastTerm: 6, lastIndex: 7, installs: 0 });
  assert.deepEqual(
    [memory.of(PEER)!.term, memory.of(PEER)!.vote],
    [8, 3],
    "a vote without an entry",
  );
  await world.run(() => memory.flush());
  const known = memory.of(PEER);
  assert.deepEqual((await world.reopen()).of(PEER), known);
});

test("peer memory: forgets who is no member", async () => {
  const world = new MemoryWorld();
  const memory = await world.open();
  await world.run(() => memory.greet(hello()));
  await world.run(() => memory.greet(hello({ diskUuid: OTHER, raftId: 3 })));
  memory.forget(new Set([OTHER]));
  assert.equal(memory.of(PEER), null);
  assert.notEqual(memory.of(OTHER), null);
  await world.run(() => memory.flush());
  const again = await world.reopen();
  assert.equal(again.of(PEER), null, "for good");
  assert.notEqual(again.of(OTHER), null);
});

test("peer memory: its place is kept until the log says it", async () => {
  const world = new MemoryWorld();
  let memory = await world.open();
  assert.equal(memory.place, null);
  const identity = {
    raftId: 3,
    clusterId: "c1".repeat(16),
    diskUuid: memory.diskUuid,
    foundedMs: 7,
  };
  const place: Place = {
    identity,
    first: { conf: { ...EMPTY_CONF_STATE, voters: [1, 2, 3] }, members: [] },
    startsAt: 0,
    peers: [],
  };
  await world.run(() => memory.takePlace(place));
  world.machine.powerLoss("dropPending");
  memory = await world.reopen();
  assert.deepEqual(memory.place, place);
  memory.placeIsLogged();
  assert.equal(memory.place, null);
  await world.run(() => memory.flush());
  assert.equal((await world.reopen()).place, null);
});

test("peer memory: before and after", () => {
  const at = (
    lastTerm: number,
    lastIndex: number,
    installs = 0,
  ): Parameters<typeof isBefore>[0] => {
    return { lastTerm, lastIndex, installs };
  };
  assert.ok(isBefore(at(1, 9), at(2, 1)));
  assert.ok(isBefore(at(2, 1), at(2, 2)));
  assert.ok(!isBefore(at(2, 2), at(2, 2)));
  assert.ok(!isBefore(at(2, 1), at(1, 9)));
  assert.ok(!isBefore(at(1, 9, 3), at(2, 1, 2)));
  assert.ok(isBefore(at(2, 1, 2), at(1, 9, 3)));
});

test("peer memory: power loss at every step leaves the old or the new, and the new once it is told", async (t) => {
  const before = hello();
  const after = hello({ boots: 4, nonce: "n4", lastIndex: 200 });
  let crashes = 0;
  const seen = new Set<string>();
  for (const outcome of CRASH_OUTCOMES) {
    for (let step = 0; ; step++) {
      const world = new MemoryWorld();
      const memory = await world.open();
      await world.run(() => memory.greet(before));
      let isTold = false;
      void memory.greet(after).then(() => {
        isTold = true;
      });
      for (let i = 0; i < step && !isTold; i++) await world.world.time.step();
      const wasTold = isTold;
      world.machine.powerLoss(outcome);
      const again = await world.reopen();
      const what = `step ${step}, ${outcome}`;
      assert.equal(again.boots, 2, what);
      assert.equal(again.diskUuid, memory.diskUuid, what);
      const { nonce } = again.of(PEER)!;
      seen.add(nonce);
      if (wasTold) assert.equal(nonce, "n4", what);
      assert.ok(nonce === "n3" || nonce === "n4", what);
      crashes++;
      if (wasTold) break;
    }
  }
  assert.deepEqual([...seen].sort(), ["n3", "n4"]);
  t.diagnostic(`${crashes} crashes`);
});

test("peer memory: any changed byte, and any length that is left of it, is refused", async () => {
  const world = new MemoryWorld();
  const memory = await world.open();
  await world.run(() => memory.greet(hello()));
  const whole = world.bytes();
  const refused = async (bytes: Uint8Array, what: string): Promise<void> => {
    world.put(bytes);
    await assert.rejects(world.reopen(), (error: Error) => {
      assert.ok(error instanceof LogCorrupt, `${what}: ${error.stack}`);
      assert.match(error.message, /"node\.state" in "data" is damaged/, what);
      assert.match(error.message, /move the directory away/, what);
      return true;
    });
    assert.deepEqual(world.bytes(), bytes, `${what}: nothing is written over it`);
  };
  for (let at = 0; at < whole.length; at++) {
    for (const mask of [1, 0x20, 0x80]) {
      const bytes = whole.slice();
      bytes[at]! ^= mask;
      await refused(bytes, `byte ${at} ^ ${mask}`);
    }
  }
  for (let length = 0; length < whole.length; length++)
    await refused(whole.subarray(0, length), `${length} bytes`);
  world.put(whole);
  assert.equal((await world.reopen()).boots, 2);
});

test("peer memory: another format is refused by its number", async () => {
  const world = new MemoryWorld();
  await world.open();
  const bytes = world.bytes().slice();
  bytes[12] = 3;
  new DataView(bytes.buffer).setUint32(8, nodeCrc32(bytes.subarray(12)), true);
  world.put(bytes);
  await assert.rejects(world.reopen(), /has format 3; this binraft knows 2: use a newer one/);
});

test("peer memory: a full disk keeps in memory what it is told, and writes it when there is space", async () => {
  const world = new MemoryWorld();
  const memory = await world.open();
  await world.run(() => memory.greet(hello()));
  const { faults, image } = world.machine.disk("data");
  faults.capacityBytes = image.usedBytes();
  await world.run(() => memory.greet(hello({ boots: 4, nonce: "n4" })));
  assert.equal(memory.of(PEER)?.nonce, "n4");
  await assert.rejects(
    world.run(() => memory.flush()),
    { code: "ENOSPC" },
  );
  world.machine.powerLoss("keepPending");
  const old = await world.reopen().catch((error: Error) => error);
  assert.ok(old instanceof Error, "a start that cannot be counted is none");
  faults.capacityBytes = Number.POSITIVE_INFINITY;
  const again = await world.reopen();
  assert.equal(again.of(PEER)?.nonce, "n3", "the old one is whole");
  faults.capacityBytes = image.usedBytes();
  await world.run(() => again.greet(hello({ boots: 5, nonce: "n5" })));
  faults.capacityBytes = Number.POSITIVE_INFINITY;
  await world.run(() => again.flush());
  assert.equal((await world.reopen()).of(PEER)?.nonce, "n5");
});

test("peer memory: an error of the disk other than a full one reaches who greets", async () => {
  const world = new MemoryWorld();
  const memory = await world.open();
  world.machine.disk("data").faults.writeError = "EIO";
  await assert.rejects(
    world.run(() => memory.greet(hello())),
    { code: "EIO" },
  );
});

test("peer memory: greetings at the same time are all written", async () => {
  const world = new MemoryWorld();
  const memory = await world.open();
  const uuids = Array.from({ length: 8 }, (_, i) => `d${i}`.repeat(16));
  await world.run(() =>
    Promise.all(uuids.map((diskUuid) => memory.greet(hello({ diskUuid })))).then(() => {}),
  );
  world.machine.powerLoss("dropPending");
  const again = await world.reopen();
  for (const uuid of uuids) assert.notEqual(again.of(uuid), null);
});
