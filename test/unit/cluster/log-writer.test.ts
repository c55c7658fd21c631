/** What the core wants written: in order, as few batches as may be, and told of only when it is durable. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LogWriter } from "../../../src/cluster/log-writer.ts";
import { type Entry, EntryType, type Message, message } from "../../../src/raft/types.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { type LogBatch, LogFull } from "../../../src/storage/storage.ts";
import { LogWorld } from "../storage/world-log.ts";

/** The log of a simulated disk behind its writer; each batch is noted as it begins and as it ends. */
class WriterWorld extends LogWorld {
  readonly batches: LogBatch[] = [];
  /** "begin 1-3", "durable MsgAppResp 3", …, in their order. */
  readonly order: string[] = [];
  writer!: LogWriter;
  ended: Error | null = null;
  readonly #stop = new AbortController();

  static async start(seed = 1): Promise<WriterWorld> {
    const world = new WriterWorld(seed);
    const log = await world.open();
    const { clock } = world.world.machine("a").startBeside().platform;
    world.writer = new LogWriter(world.#watched(log), clock, {
      onDurable: (responses) => world.#durable(responses),
      onInstalled: ({ index }) => world.order.push(`installed ${index}`),
    });
    world.writer.run(world.#stop.signal).catch((error: Error) => {
      world.ended = error;
    });
    return world;
  }

  #watched(log: DurableLog): DurableLog {
    const append = log.append.bind(log);
    log.append = async (batch) => {
      this.order.push(`begin ${spanOf(batch.entries)}`);
      await append(batch);
      this.batches.push(batch);
      this.order.push(`end ${spanOf(batch.entries)}`);
    };
    return log;
  }

  #durable(responses: readonly Message[]): void {
    for (const { type, index } of responses) {
      this.order.push(`durable ${type} ${index}`);
      // Told only when no write that the disk owes holds it.
      if (type === "MsgAppResp") assert.ok(this.log!.lastIndex >= index, `${index} is durable`);
    }
  }

  /** One write of the core: entries from `first` on, answered for their last. */
  push(first: number, sizes: readonly number[], more: Partial<Message> = {}): void {
    const entries = sizes.map(
      (size, i): Entry => ({
        index: first + i,
        term: more.term ?? 1,
        type: EntryType.NORMAL,
        // Of the stream, so that it does not count as a control entry.
        data: new Uint8Array(size).fill(1),
      }),
    );
    const responses = [message("MsgAppResp", { index: first + sizes.length - 1 })];
    this.writer.push(
      message("MsgStorageAppend", { term: 1, vote: 1, commit: 0, entries, responses, ...more }),
    );
  }

  async until(condition: () => boolean): Promise<void> {
    const isReached = await this.world.time.runUntil(
      () => condition() || this.ended !== null,
      60_000,
    );
    if (this.ended !== null) throw this.ended;
    assert.ok(isReached, this.order.join(", "));
  }

  told(index: number): boolean {
    return this.order.includes(`durable MsgAppResp ${index}`);
  }
}

function spanOf(entries: readonly Entry[]): string {
  return entries.length === 0 ? "nothing" : `${entries[0]!.index}-${entries.at(-1)!.index}`;
}

test("What comes while a batch is written becomes the next one; answers keep their order", async () => {
  const world = await WriterWorld.start();
  world.push(1, [10]);
  await world.until(() => world.order.length > 0);
  for (let index = 2; index <= 5; index++) world.push(index, [10]);
  assert.equal(world.told(1), false, "nothing is told while it is written");
  await world.until(() => world.told(5));
  assert.deepEqual(world.order, [
    "begin 1-1",
    "end 1-1",
    "durable MsgAppResp 1",
    "begin 2-5",
    "end 2-5",
    ...[2, 3, 4, 5].map((index) => `durable MsgAppResp ${index}`),
  ]);
  assert.equal(world.writer.unsyncedBytes, 0);
  assert.equal(world.writer.writingMs, 0);
});

test("Entries that replace others are a batch of their own, which cuts the log", async () => {
  const world = await WriterWorld.start();
  world.push(1, [10]);
  await world.until(() => world.order.length > 0);
  world.push(2, [10, 10, 10]);
  world.push(3, [10], { term: 2 });
  await world.until(() => world.told(3) && world.batches.length === 3);
  const spans = world.batches.map(({ entries }) => spanOf(entries));
  assert.deepEqual(spans, ["1-1", "2-4", "3-3"]);
  assert.equal(world.batches[2]!.truncateAfter, 2);
  assert.equal(world.log!.lastIndex, 3);
  assert.equal(world.log!.term(3), 2);
});

test("A large append is written in parts, and answered after the last of them", async () => {
  const world = await WriterWorld.start();
  const mib = 1024 * 1024;
  world.push(
    1,
    Array.from({ length: 20 }, () => mib),
  );
  assert.equal(world.writer.unsyncedBytes, 20 * mib);
  await world.until(() => world.told(20));
  assert.ok(world.batches.length >= 3, `${world.batches.length} batches`);
  assert.equal(world.order.at(-2), "end 17-20");
  assert.equal(world.order.filter((line) => line.startsWith("durable")).length, 1);
  assert.equal(world.writer.unsyncedBytes, 0);
});

test("A commit index alone is not written; a vote is, before it is told", async () => {
  const world = await WriterWorld.start();
  world.push(1, [10]);
  await world.until(() => world.told(1));
  const { length } = world.batches;
  const commit = message("MsgStorageAppend", {
    term: 1,
    vote: 1,
    commit: 1,
    responses: [message("MsgHeartbeatResp", {})],
  });
  world.writer.push(commit);
  await world.until(() => world.order.at(-1) === "durable MsgHeartbeatResp 0");
  assert.equal(world.batches.length, length, "no sync for a commit index");
  const vote = message("MsgStorageAppend", {
    term: 5,
    vote: 3,
    commit: 1,
    responses: [message("MsgVoteResp", {})],
  });
  world.writer.push(vote);
  await world.until(() => world.order.at(-1) === "durable MsgVoteResp 0");
  assert.deepEqual(world.order.slice(-3, -1), ["begin nothing", "end nothing"]);
  assert.deepEqual(world.log!.hardState, { term: 5, vote: 3, commit: 1 });
});

test("While the disk has no room for entries, votes go on; then all of it in its order", async () => {
  const world = await WriterWorld.start();
  world.push(1, [10]);
  await world.until(() => world.told(1));
  const { faults, image } = world.disk;
  faults.capacityBytes = image.usedBytes();
  world.push(
    2,
    Array.from({ length: 4 }, () => 300_000),
  );
  world.push(6, [10]);
  await world.until(() => world.writer.full);
  world.writer.push(
    message("MsgStorageAppend", {
      term: 7,
      vote: 2,
      commit: 1,
      responses: [message("MsgVoteResp", {}), message("MsgAppResp", { index: 6 })],
    }),
  );
  await world.until(() => world.order.includes("durable MsgVoteResp 0"));
  assert.equal(world.log!.hardState.term, 7, "durable before it was told");
  assert.equal(world.log!.lastIndex, 1);
  assert.equal(world.told(6), false, "nothing of the entries is told");
  faults.capacityBytes = Number.POSITIVE_INFINITY;
  await world.until(() => world.told(6) && world.log!.lastIndex === 6);
  assert.equal(world.writer.full, false);
  const told = world.order.filter((line) => line.startsWith("durable MsgAppResp"));
  assert.deepEqual(told.slice(0, 2), ["durable MsgAppResp 1", "durable MsgAppResp 5"]);
});

test("A snapshot takes the place of the log, then come the entries behind it", async () => {
  const world = await WriterWorld.start();
  world.push(1, [10, 10]);
  await world.until(() => world.told(2));
  const conf = {
    voters: [1],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  world.push(41, [10], {
    term: 3,
    commit: 40,
    snapshot: { index: 40, term: 3, data: Uint8Array.of(1, 2, 3), conf },
  });
  world.push(42, [10], { term: 3, commit: 40 });
  await world.until(() => world.told(42));
  const from = world.order.indexOf("installed 40");
  assert.deepEqual(world.order.slice(from), [
    "installed 40",
    "begin 41-42",
    "end 41-42",
    "durable MsgAppResp 41",
    "durable MsgAppResp 42",
  ]);
  assert.equal(world.log!.firstIndex, 41);
  assert.equal(world.log!.checkpoint!.index, 40);
  assert.deepEqual(world.log!.hardState, { term: 3, vote: 1, commit: 40 });
});

test("A write that fails ends it, and nothing is told", async () => {
  const world = await WriterWorld.start();
  world.disk.faults.writeError = "EIO";
  world.push(1, [10]);
  await assert.rejects(
    world.until(() => false),
    (error: Error) => !(error instanceof LogFull),
  );
  assert.equal(world.told(1), false);
});
