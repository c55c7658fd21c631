/** Blocks that are loaded ahead: found by who asks, within their share, and never in the way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferPool } from "../../../src/base/buffer-pool.ts";
import { type Block, BlockCache } from "../../../src/storage/block-cache.ts";
import { PinnedBuffer } from "../../../src/storage/pinned-buffer.ts";

const BYTES = 100;

function loader(): { load: () => Promise<Block>; loads: () => number } {
  let count = 0;
  const pool = new BufferPool(BYTES, 8);
  const load = async (): Promise<Block> => {
    count++;
    return { entries: [], buffer: new PinnedBuffer(pool, pool.take()) };
  };
  return { load, loads: () => count };
}

test("a block that was loaded ahead is loaded once", async () => {
  const cache = new BlockCache(8 * BYTES);
  const { load, loads } = loader();
  cache.warm("a", BYTES, load);
  cache.warm("a", BYTES, load);
  (await cache.acquire("a", BYTES, load)).release();
  assert.equal(loads(), 1);
  assert.equal(cache.bytes, BYTES);
});

test("what is loaded ahead stays within a quarter, until somebody takes it", async () => {
  const cache = new BlockCache(8 * BYTES);
  const { load, loads } = loader();
  for (const key of ["a", "b", "c", "d"]) cache.warm(key, BYTES, load);
  assert.equal(loads(), 2);
  const lease = await cache.acquire("a", BYTES, load);
  cache.warm("c", BYTES, load);
  assert.equal(loads(), 3);
  lease.release();
});

test("a load ahead that fails is tried again by who needs it, and tells nobody else", async () => {
  const cache = new BlockCache(8 * BYTES);
  const { load } = loader();
  cache.warm("a", BYTES, () => Promise.reject(new Error("EIO")));
  await assert.rejects(cache.acquire("a", BYTES, load), /EIO/);
  assert.equal(cache.bytes, 0);
  (await cache.acquire("a", BYTES, load)).release();
  cache.warm("b", BYTES, () => Promise.reject(new Error("EIO")));
  await new Promise(setImmediate);
  assert.equal(cache.bytes, BYTES);
});

test("blocks in use leave no room for one ahead of need, and readers go first", async () => {
  const cache = new BlockCache(2 * BYTES);
  const { load, loads } = loader();
  const first = await cache.acquire("a", BYTES, load);
  const second = await cache.acquire("b", BYTES, load);
  cache.warm("c", BYTES / 2, load);
  assert.equal(loads(), 2);
  first.release();
  second.release();
  cache.warm("c", BYTES / 2, load);
  assert.equal(loads(), 3);
});
