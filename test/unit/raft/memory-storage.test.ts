/** The log in memory against a naive one: a plain list from index 1 on that forgets nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryStorage } from "../../../src/raft/memory-storage.ts";
import { entrySize } from "../../../src/raft/sizes.ts";
import { COMPACTED, UNAVAILABLE } from "../../../src/raft/storage.ts";
import {
  EMPTY_CONF_STATE,
  EMPTY_HARD_STATE,
  EMPTY_SNAPSHOT,
  type Entry,
  EntryType,
  NO_BYTES,
  type Snapshot,
} from "../../../src/raft/types.ts";

const ALL = Number.POSITIVE_INFINITY;
const conf = { ...EMPTY_CONF_STATE, voters: [1, 2, 3] };

function entry(index: number, term: number, bytes = 0): Entry {
  return { index, term, type: EntryType.NORMAL, data: new Uint8Array(bytes) };
}

function snapshotAt(index: number, term: number): Snapshot {
  return { index, term, conf, data: NO_BYTES };
}

/** `terms[i]` is the term of index i; index 0 is the beginning. Sizes beside them. */
class Model {
  terms: number[] = [0];
  sizes: number[] = [0];
  /** The last one that was compacted. */
  offset = 0;
  snapshot = 0;

  get last(): number {
    return this.terms.length - 1;
  }

  cut(index: number, terms: readonly number[], sizes: readonly number[]): void {
    this.terms = [...this.terms.slice(0, index), ...terms];
    this.sizes = [...this.sizes.slice(0, index), ...sizes];
  }
}

interface Step {
  readonly kind: "append" | "compact" | "create" | "apply";
  /** Reduced to what is possible at the moment. */
  readonly at: number;
  readonly sizes: readonly number[];
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom("append", "append", "append", "compact", "create", "apply"),
    at: fc.nat(1000),
    sizes: fc.array(fc.nat(40), { maxLength: 6 }),
  }),
  { maxLength: 30 },
);

function perform(storage: MemoryStorage, model: Model, step: Step, term: number): void {
  const { at, sizes } = step;
  if (step.kind === "append") {
    // From anywhere, also from what was compacted already: that part is passed over.
    const first = 1 + (at % (model.last + 1));
    const entries = sizes.map((size, i) => entry(first + i, term, size));
    storage.append(entries);
    const fresh = entries.filter(({ index }) => index > model.offset);
    if (fresh.length === 0) return;
    model.cut(
      fresh[0]!.index,
      fresh.map((one) => one.term),
      fresh.map((one) => one.data.length),
    );
  } else if (step.kind === "compact") {
    if (model.last === model.offset) return;
    model.offset += 1 + (at % (model.last - model.offset));
    storage.compact(model.offset);
  } else if (step.kind === "create") {
    const least = Math.max(model.snapshot, model.offset - 1);
    if (model.last <= least) return;
    model.snapshot = least + 1 + (at % (model.last - least));
    const made = storage.createSnapshot(model.snapshot, conf, NO_BYTES);
    assert.equal(made.term, model.terms[model.snapshot]);
  } else {
    const index = at % (model.last + 5);
    const isNew = index > model.snapshot;
    assert.equal(storage.applySnapshot(snapshotAt(index, term)), isNew);
    if (!isNew) return;
    const before = new Array<number>(Math.max(0, index)).fill(0);
    model.cut(0, [...before, term], [...before, 0]);
    model.offset = model.snapshot = index;
  }
}

function compare(storage: MemoryStorage, model: Model): void {
  const { offset, last } = model;
  assert.equal(storage.firstIndex(), offset + 1);
  assert.equal(storage.lastIndex(), last);
  assert.equal(storage.snapshot().index, model.snapshot);
  for (let index = 0; index <= last + 2; index++) {
    const expected = index < offset ? COMPACTED : index > last ? UNAVAILABLE : model.terms[index]!;
    assert.equal(storage.term(index), expected, `term of ${index}`);
  }
  for (let low = 1; low <= last + 1; low++) {
    for (const high of [low, low + 1, last + 1, last + 2]) {
      for (const limit of [0, 30, 100, ALL]) compareRange(storage, model, low, high, limit);
    }
  }
}

function compareRange(
  storage: MemoryStorage,
  { offset, last, terms, sizes }: Model,
  low: number,
  high: number,
  limit: number,
): void {
  const what = `entries [${low}, ${high}) of at most ${limit} bytes, log (${offset}, ${last}]`;
  const found = storage.entries(low, high, limit);
  if (low <= offset || high > last + 1) {
    assert.equal(found, low <= offset ? COMPACTED : UNAVAILABLE, what);
    return;
  }
  const expected: Entry[] = [];
  let bytes = 0;
  for (let index = low; index < high; index++) {
    const next = entry(index, terms[index]!, sizes[index]!);
    bytes += entrySize(next);
    if (expected.length > 0 && bytes > limit) break;
    expected.push(next);
  }
  assert.deepEqual(found, expected, what);
}

test("whatever is appended, compacted and restored, it is the log that a plain list is", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const storage = new MemoryStorage();
      const model = new Model();
      for (const [i, step] of list.entries()) {
        perform(storage, model, step, i + 1);
        compare(storage, model);
      }
    }),
    { numRuns: 150 },
  );
});

test("it begins empty, and with the state that was stored", () => {
  const storage = new MemoryStorage();
  const { hardState, conf: first } = storage.initialState();
  assert.deepEqual([hardState, first], [EMPTY_HARD_STATE, EMPTY_CONF_STATE]);
  assert.equal(storage.snapshot(), EMPTY_SNAPSHOT);
  assert.deepEqual([storage.firstIndex(), storage.lastIndex(), storage.term(0)], [1, 0, 0]);
  storage.setHardState({ term: 3, vote: 2, commit: 4 });
  storage.applySnapshot(snapshotAt(5, 2));
  assert.deepEqual(storage.initialState(), { hardState: { term: 3, vote: 2, commit: 4 }, conf });
});

test("a gap, a compaction of what is not there and an old snapshot are refused", () => {
  const storage = new MemoryStorage();
  storage.append([entry(1, 1), entry(2, 1)]);
  assert.throws(() => storage.append([entry(4, 1)]), /leave no gap/);
  assert.throws(() => storage.compact(3), /in the log/);
  assert.throws(() => storage.compact(0), /in the log/);
  assert.throws(() => storage.createSnapshot(3, conf, NO_BYTES), /newer, and in the log/);
  storage.createSnapshot(2, conf, NO_BYTES);
  assert.throws(() => storage.createSnapshot(1, conf, NO_BYTES), /newer, and in the log/);
  assert.equal(storage.applySnapshot(snapshotAt(2, 1)), false);
  assert.equal(storage.lastIndex(), 2, "and nothing changed");
});

test("what was read stays as it was when the log goes on, and payloads are not copied", () => {
  const storage = new MemoryStorage();
  const payload = Uint8Array.of(1, 2, 3);
  storage.append([{ ...entry(1, 1), data: payload }, entry(2, 1)]);
  const read = storage.entries(1, 3, ALL) as readonly Entry[];
  assert.equal(read[0]?.data, payload);
  storage.append([entry(2, 2), entry(3, 2)]);
  storage.compact(2);
  assert.deepEqual(
    read.map(({ term }) => term),
    [1, 1],
  );
});
