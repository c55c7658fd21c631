/** What is lost of the log's end takes neither its term nor a change of the members along. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fitness } from "../../../src/cluster/fitness.ts";
import { LogStorage } from "../../../src/cluster/raft-storage.ts";
import { DEFAULT_RAFT_CONFIG } from "../../../src/raft/config.ts";
import { RawNode } from "../../../src/raft/raw-node.ts";
import {
  APPEND_THREAD,
  EMPTY_CONF_STATE,
  type Entry,
  EntryType,
  message,
  silentRaftLogger,
} from "../../../src/raft/types.ts";
import { RecordType } from "../../../src/storage/format.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { EntryDamaged, EntryGone } from "../../../src/storage/storage.ts";
import { batchesOf, loseSector, segmentPaths } from "./batches.ts";
import { LogWorld, payload } from "./world-log.ts";

function entry(index: number, term: number, type: Entry["type"] = EntryType.NORMAL): Entry {
  return { index, term, type, data: payload(index, 200) };
}

/** Writes these batches, loses the first sector of those named by their place, and opens again. */
async function reopened(
  seed: number,
  batches: readonly { term: number; vote: number; commit: number; entries: Entry[] }[],
  lost: readonly number[],
): Promise<DurableLog> {
  const world = new LogWorld(seed);
  await world.open();
  for (const { entries, ...hardState } of batches)
    await world.settle(world.log!.append({ hardState, entries }));
  await world.settle(world.log!.close());
  const stored = batchesOf(world.disk);
  for (const at of lost) loseSector(world.disk, stored[at]!.path, stored[at]!.at);
  return world.open();
}

function follower(log: DurableLog): RawNode {
  const conf = { ...EMPTY_CONF_STATE, voters: [1, 2, 3] };
  return new RawNode({
    ...DEFAULT_RAFT_CONFIG,
    id: 1,
    storage: new LogStorage(log, 0, conf, () => 1),
    random: () => 0,
    logger: silentRaftLogger,
    asyncStorageWrites: true,
    deliverCommitted: false,
  });
}

function votesFor(node: RawNode, term: number, logTerm: number, index: number): boolean {
  node.step(message("MsgVote", { from: 3, to: 1, term, logTerm, index }));
  const append = node.ready().messages.find(({ to }) => to === APPEND_THREAD)!;
  return !append.responses.find(({ type }) => type === "MsgVoteResp")!.reject;
}

test("lost entries keep the term of the last one: a log of an earlier term gets no vote", async () => {
  // Entry 4 is committed; then the node voted in term 3. Node 3 has a long tail of term 1.
  const log = await reopened(
    1,
    [
      { term: 1, vote: 1, commit: 2, entries: [entry(1, 1), entry(2, 1), entry(3, 1)] },
      { term: 2, vote: 2, commit: 3, entries: [entry(4, 2)] },
      { term: 3, vote: 3, commit: 4, entries: [] },
    ],
    [1],
  );
  assert.deepEqual([log.lastIndex, log.term(4), log.term(2)], [4, 2, 1]);
  assert.equal(votesFor(follower(log), 4, 1, 9), false);
  assert.equal(votesFor(follower(log), 4, 2, 4), true);
});

test("of several lost entries the terms in between are not guessed, and the last one's is known", async () => {
  const log = await reopened(
    2,
    [
      { term: 1, vote: 1, commit: 1, entries: [entry(1, 1)] },
      { term: 3, vote: 1, commit: 1, entries: [entry(2, 1), entry(3, 2), entry(4, 3)] },
      { term: 5, vote: 1, commit: 4, entries: [entry(5, 5)] },
    ],
    [1],
  );
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((index) => log.term(index)),
    [1, undefined, undefined, 3, 5],
  );
  assert.equal(log.lacksTerms, true);
  const node = follower(log);
  const fitness = new Fitness(log, node);
  node.raft.leaderlessTicks = 1_000_000;
  assert.equal(fitness.mayLead(false, false, 10), false, "it could not say what a peer must match");
  assert.deepEqual(
    log.damage.map(({ fromIndex, toIndex }) => [fromIndex, toIndex]),
    [[2, 4]],
  );
});

test("a change of the members that is lost is known to be lost", async () => {
  for (const change of [2, 3, 4]) {
    const type = (index: number): Entry["type"] =>
      index === change ? EntryType.CONF_CHANGE_V2 : EntryType.NORMAL;
    const log = await reopened(
      3,
      [
        { term: 1, vote: 1, commit: 0, entries: [entry(1, 1, type(1))] },
        { term: 1, vote: 1, commit: 1, entries: [entry(2, 1, type(2)), entry(3, 1, type(3))] },
        { term: 1, vote: 1, commit: 3, entries: [entry(4, 1, type(4))] },
      ],
      [1],
    );
    assert.equal(log.hasConfChange(2, 4), change < 4, `entry ${change}`);
    assert.equal(log.hasConfChange(4, 5), change === 4);
  }
});

test("a batch without entries that is lost costs nothing, be it that its end is not known as committed", async () => {
  const log = await reopened(
    4,
    [
      { term: 1, vote: 1, commit: 0, entries: [entry(1, 1), entry(2, 1)] },
      { term: 2, vote: 2, commit: 0, entries: [] },
      { term: 3, vote: 3, commit: 0, entries: [] },
    ],
    [1],
  );
  assert.deepEqual([log.damage.length, log.lastIndex, log.term(2)], [0, 2, 1]);
  assert.deepEqual(log.hardState, { term: 3, vote: 3, commit: 0 });
});

test("a lost batch of several terms that no later one knows as committed is nobody's log", async () => {
  const batches = [
    { term: 1, vote: 1, commit: 1, entries: [entry(1, 1)] },
    { term: 3, vote: 1, commit: 1, entries: [entry(2, 1), entry(3, 2), entry(4, 3)] },
    { term: 5, vote: 1, commit: 1, entries: [entry(5, 5)] },
  ];
  await assert.rejects(reopened(5, batches, [1]), /later ones follow.*must not go on/);
  const known = { term: 5, vote: 1, commit: 5, entries: [entry(6, 5)] };
  assert.equal((await reopened(5, [...batches, known], [1])).damage.length, 1);
});

test("a read that waits for room while its segment is purged says that the entry is gone", async () => {
  const world = new LogWorld(1);
  const state = { index: 0 };
  const log = await world.open({
    blockBytes: 64 * 1024,
    segmentBytes: 32 * 1024,
    hotBytes: 1000,
    checkpoint: () => ({ index: state.index, term: 1, data: payload(7, 20) }),
  });
  for (let i = 0; i < 120; i++) {
    state.index = log.lastIndex;
    await world.append([payload(i, 1500)], log.lastIndex);
  }
  const leases = [];
  for (const at of [60, 80, 100]) leases.push(await world.settle(log.read(at, 1)));
  const waiting = log.read(2, 1);
  waiting.catch(() => {});
  await world.settle(log.purgeBefore(70));
  assert.ok(log.firstIndex > 2);
  for (const lease of leases) lease.release();
  await assert.rejects(world.settle(waiting), EntryGone);
});

test("the end of a sealed segment and its index are lost: the next segment says what stood there", async () => {
  const world = new LogWorld(6);
  const options = { segmentBytes: 16 * 1024 };
  const log = await world.open(options);
  for (let index = 1; log.segmentCount < 3; index++) {
    const type = index % 5 === 0 ? EntryType.CONF_CHANGE_V2 : EntryType.NORMAL;
    const entries = [{ index, term: 1 + Math.floor(index / 4), type, data: payload(index, 900) }];
    const hardState = { term: entries[0]!.term, vote: 1, commit: index - 1 };
    await world.settle(log.append({ hardState, entries }));
  }
  const terms = (one: DurableLog): unknown[] =>
    Array.from({ length: one.lastIndex }, (_, i) => [
      one.term(i + 1),
      one.hasConfChange(i + 1, i + 2),
    ]);
  const before = terms(log);
  const { lastIndex } = log;
  await world.settle(log.close());
  const [path] = segmentPaths(world.disk);
  const ending = batchesOf(world.disk)
    .filter((batch) => batch.path === path)
    .slice(-2);
  assert.deepEqual(
    ending[1]!.records.map(({ type }) => type),
    [RecordType.INDEX],
  );
  const lost = ending[0]!.records.at(-1)!.index;
  for (const { at } of ending) loseSector(world.disk, path!, at);
  const again = await world.open(options);
  assert.equal(again.lastIndex, lastIndex);
  assert.equal(again.damage.length, 1);
  const { fromIndex, toIndex } = again.damage[0]!;
  assert.ok(fromIndex <= lost && toIndex === lost);
  const after = terms(again);
  assert.deepEqual(
    after[lost - 1],
    before[lost - 1],
    "its term, and whether it changes the members",
  );
  assert.deepEqual(after.slice(lost), before.slice(lost));
});

for (const last of [9, 10]) {
  test(`what a lost end of a sealed segment had replaced, up to ${last}, does not come back`, async () => {
    const world = new LogWorld(7);
    const log = await world.open();
    const put = (commit: number, entries: Entry[], truncateAfter?: number): Promise<void> => {
      const cut = truncateAfter === undefined ? {} : { truncateAfter };
      const hardState = { term: entries[0]!.term, vote: 1, commit };
      return world.settle(log.append({ hardState, entries, ...cut }));
    };
    const run = (from: number, to: number, term: number): Entry[] =>
      Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term));
    await put(7, run(1, 10, 1));
    await put(7, run(8, last, 2), 7);
    // It does not fit: the segment is sealed.
    await put(7, [{ ...entry(last + 1, 2), data: payload(1, 56_000) }]);
    await put(last + 1, [entry(last + 2, 2)]);
    await world.settle(log.close());
    const batches = batchesOf(world.disk);
    const sealed = batches.findIndex(({ records }) => records[0]!.type === RecordType.INDEX);
    assert.equal(batches[sealed - 1]!.records[0]!.type, RecordType.TRUNCATE);
    for (const { path, at } of batches.slice(sealed - 1, sealed + 1))
      loseSector(world.disk, path, at);
    const again = await world.open();
    assert.deepEqual(
      again.damage.map(({ fromIndex, toIndex }) => [fromIndex, toIndex]),
      [[8, last]],
    );
    for (let index = 8; index <= last; index++)
      await assert.rejects(world.settle(again.read(index, 1)), EntryDamaged);
    assert.deepEqual([again.term(7), again.term(last), again.term(last + 1)], [1, 2, 2]);
  });
}

test("of a lost range that was cut, what is left may hold an older change of the members", async () => {
  const world = new LogWorld(8);
  const log = await world.open();
  const put = (commit: number, entries: Entry[], truncateAfter?: number): Promise<void> => {
    const cut = truncateAfter === undefined ? {} : { truncateAfter };
    const hardState = { term: entries[0]!.term, vote: 1, commit };
    return world.settle(log.append({ hardState, entries, ...cut }));
  };
  const types = [EntryType.NORMAL, EntryType.CONF_CHANGE_V2] as const;
  await put(1, [entry(1, 1)]);
  await put(
    1,
    [0, 1, 0, 0, 1].map((kind, i) => entry(2 + i, 1, types[kind])),
  );
  await put(4, [entry(5, 2)], 4);
  await world.settle(log.close());
  const lost = batchesOf(world.disk)[1]!;
  loseSector(world.disk, lost.path, lost.at);
  const again = await world.open();
  assert.deepEqual(
    again.damage.map(({ fromIndex, toIndex }) => [fromIndex, toIndex]),
    [[2, 4]],
  );
  assert.equal(again.hasConfChange(2, 5), true);
  assert.equal(again.hasConfChange(5, 6), false);
});
