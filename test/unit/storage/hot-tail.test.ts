import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferPool } from "../../../src/base/buffer-pool.ts";
import { type Entry, EntryType } from "../../../src/raft/types.ts";
import { ENTRY_OVERHEAD_BYTES, HotTail } from "../../../src/storage/hot-tail.ts";

const MAX_BYTES = 1024 * 1024;

function entry(index: number, bytes: number): Entry {
  return { index, term: 1, type: EntryType.NORMAL, data: new Uint8Array(bytes) };
}

function kept(tail: HotTail, last: number): number {
  let first = last;
  while (first > 1 && tail.has(first - 1)) first--;
  return last - first + 1;
}

test("what an entry costs beside its payload counts: small ones do not fill the memory", () => {
  const tail = new HotTail(MAX_BYTES, new BufferPool(64, 0));
  for (let index = 1; index <= 50_000; index++) tail.push(entry(index, 10));
  assert.equal(kept(tail, 50_000), Math.floor(MAX_BYTES / (ENTRY_OVERHEAD_BYTES + 10)));
});

test("the newest entry stays, be it larger than the bound", () => {
  const tail = new HotTail(MAX_BYTES, new BufferPool(64, 0));
  tail.push(entry(1, 10));
  tail.push(entry(2, 2 * MAX_BYTES));
  assert.equal(tail.has(1), false);
  assert.equal(tail.read(2, 1)?.entries[0]?.index, 2);
});

test("a payload that is a view counts with the buffer that it keeps", () => {
  const tail = new HotTail(MAX_BYTES, new BufferPool(64, 0));
  for (let index = 1; index <= 100; index++) {
    const data = new Uint8Array(64 * 1024).subarray(0, 10);
    tail.push({ ...entry(index, 0), data });
  }
  assert.equal(kept(tail, 100), Math.floor(MAX_BYTES / (ENTRY_OVERHEAD_BYTES + 64 * 1024)));
});
