/**
 * Logs that were cut and went on, with sectors lost anywhere, most of them at the ends of segments: what opens
 * tells no entry, no term and no member change other than what was written last.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { type Entry, EntryType } from "../../../src/raft/types.ts";
import { RecordType } from "../../../src/storage/format.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { EntryDamaged, LogCorrupt } from "../../../src/storage/storage.ts";
import { batchesOf, loseSector } from "../../unit/storage/batches.ts";
import { LogWorld, payload } from "../../unit/storage/world-log.ts";

const SEEDS = 250;
const BATCHES = 40;
/** Several segments a log. */
const SMALL = { segmentBytes: 16 * 1024 };

/** Appends batches, a quarter of which take the place of what was not committed. Returns what counts. */
async function write(world: LogWorld, random: SeededRandom): Promise<Entry[]> {
  const log = await world.open(SMALL);
  let truth: Entry[] = [];
  let term = 1;
  let commit = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const { length } = truth;
    const isCut = length > commit && random.below(4) === 0;
    const keep = isCut ? commit + random.below(length - commit) : length;
    if (isCut || random.below(7) === 0) term++;
    truth = truth.slice(0, keep);
    const entries: Entry[] = [];
    for (let left = 1 + random.below(4); left > 0; left--) {
      const type = random.below(7) === 0 ? EntryType.CONF_CHANGE : EntryType.NORMAL;
      const data = payload(random.below(1_000_000), random.below(900));
      entries.push({ index: keep + entries.length + 1, term, type, data });
    }
    truth.push(...entries);
    if (random.below(2) === 0) commit = Math.max(commit, Math.min(keep, commit + random.below(6)));
    const cut = isCut ? { truncateAfter: keep } : {};
    await world.settle(log.append({ hardState: { term, vote: 1, commit }, entries, ...cut }));
  }
  await world.settle(log.close());
  return truth;
}

/** Up to four batches that follow each other, and often a segment's INDEX with what stands before it. */
function damage(world: LogWorld, random: SeededRandom): void {
  const stored = batchesOf(world.disk);
  const lost = new Set<number>();
  const from = random.below(stored.length);
  for (let at = from; at <= from + random.below(4); at++) lost.add(at);
  const ends = stored.flatMap(({ records }, at) =>
    records[0]!.type === RecordType.INDEX ? [at] : [],
  );
  if (ends.length > 0 && random.below(10) < 7) {
    const end = ends[random.below(ends.length)]!;
    for (let at = end - random.below(4); at <= end; at++) lost.add(at);
  }
  for (const at of lost) {
    const batch = stored[at];
    if (batch !== undefined) loseSector(world.disk, batch.path, batch.at);
  }
}

async function compare(world: LogWorld, log: DurableLog, truth: readonly Entry[]): Promise<void> {
  assert.equal(log.lastIndex, truth.length);
  for (const entry of truth) {
    const term = log.term(entry.index);
    assert.ok(term === undefined || term === entry.term, `term of ${entry.index}: ${term}`);
    try {
      const lease = await world.settle(log.read(entry.index, 1));
      assert.deepEqual(Buffer.from(lease.entries[0]!.data), Buffer.from(entry.data));
      assert.equal(lease.entries[0]!.term, entry.term);
      lease.release();
    } catch (error) {
      if (!(error instanceof EntryDamaged)) throw error;
    }
  }
  for (const { fromIndex, toIndex } of log.damage) {
    const within = truth.slice(fromIndex - 1, toIndex);
    if (within.some(({ type }) => type === EntryType.CONF_CHANGE))
      assert.ok(log.hasConfChange(fromIndex, toIndex + 1), `a change in ${fromIndex}-${toIndex}`);
  }
}

test("lost sectors bring back nothing that was replaced, and hide no term and no change", async () => {
  const counts = { opened: 0, damaged: 0, refused: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new LogWorld(seed);
    const random = new SeededRandom(seed);
    const truth = await write(world, random);
    damage(world, random);
    try {
      const log = await world.open(SMALL);
      counts.opened++;
      if (log.damage.length > 0) counts.damaged++;
      await compare(world, log, truth);
      await world.settle(log.close());
    } catch (error) {
      if (error instanceof LogCorrupt) counts.refused++;
      else throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  for (const [name, count] of Object.entries(counts))
    assert.ok(count >= 20, `${name}: ${JSON.stringify(counts)}`);
});
