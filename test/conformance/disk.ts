/** Conformance of the disk: bytes, names, errors and the lock. What a crash keeps is in memory.test. */
import assert from "node:assert/strict";
import type { Disk, DiskFile } from "../../src/platform/disk.ts";
import type { Suite } from "./harness.ts";

const KIB = 1024;

async function contents(file: DiskFile): Promise<number[]> {
  const into = new Uint8Array(await file.size());
  assert.equal(await file.read(0, into), into.length);
  return [...into];
}

async function makeFile(disk: Disk, path: string, bytes: readonly number[]): Promise<void> {
  const file = await disk.open(path, "create");
  await file.write(0, [Uint8Array.from(bytes)]);
  await file.sync();
  await file.close();
}

export function diskConformance({ check }: Suite): void {
  check("files: writes at positions, short reads only at the end", async (harness) => {
    const disk = harness.platform.disk(await harness.newRoot());
    const file = await disk.open("a", "create");
    await file.write(4, [Uint8Array.of(5, 6), new Uint8Array(0), Uint8Array.of(7)]);
    assert.deepEqual(await contents(file), [0, 0, 0, 0, 5, 6, 7]);
    await file.write(1, [Uint8Array.of(1)]);
    const into = new Uint8Array(4);
    assert.equal(await file.read(5, into), 2);
    assert.deepEqual([...into], [6, 7, 0, 0]);
    assert.equal(await file.read(100, into), 0);
    await file.truncate(2);
    await file.truncate(4);
    assert.deepEqual(await contents(file), [0, 1, 0, 0]);
    await file.sync();
    await file.close();
    const again = await disk.open("a", "r");
    assert.deepEqual(await contents(again), [0, 1, 0, 0]);
    await assert.rejects(again.write(0, [Uint8Array.of(1)]), { name: "DiskError", code: "EBADF" });
    await again.close();
  });

  check("files: a durable write is one, and writes and reads as any other", async (harness) => {
    const disk = harness.platform.disk(await harness.newRoot());
    await makeFile(disk, "a", [1, 2, 3, 4]);
    const file = await disk.open("a", "durable");
    await file.write(1, [Uint8Array.of(7), Uint8Array.of(8)]);
    assert.deepEqual(await contents(file), [1, 7, 8, 4]);
    await file.close();
    await assert.rejects(disk.open("b", "durable"), { name: "DiskError", code: "ENOENT" });
  });

  check("files: thousands of parts in one write", async (harness) => {
    const disk = harness.platform.disk(await harness.newRoot());
    const file = await disk.open("a", "create");
    const parts = Array.from({ length: 3_000 }, (_, i) => new Uint8Array(1 + (i % 50)).fill(i));
    await file.write(10, parts);
    const expected = parts.flatMap((part) => [...part]);
    assert.deepEqual((await contents(file)).slice(10), expected);
    await file.close();
  });

  check("names: create is exclusive, rename replaces, remove may find nothing", async (harness) => {
    const disk = harness.platform.disk(await harness.newRoot());
    assert.deepEqual(await disk.list("log"), []);
    await assert.rejects(disk.open("log/a", "create"), { name: "DiskError", code: "ENOENT" });
    await disk.makeDir("log/deep");
    await disk.makeDir("log");
    await makeFile(disk, "log/b", [2]);
    await makeFile(disk, "log/a", [1]);
    await disk.syncDir("log");
    await assert.rejects(disk.open("log/a", "create"), { name: "DiskError", code: "EEXIST" });
    await assert.rejects(disk.open("log/none", "rw"), { name: "DiskError", code: "ENOENT" });
    assert.deepEqual(await disk.list("log"), ["a", "b", "deep"]);
    await disk.rename("log/a", "log/b");
    assert.deepEqual(await disk.list("log"), ["b", "deep"]);
    const file = await disk.open("log/b", "rw");
    assert.deepEqual(await contents(file), [1]);
    await file.close();
    await disk.remove("log/b");
    await disk.remove("log/b");
    await disk.remove("log/deep");
    assert.deepEqual(await disk.list("log"), []);
    assert.ok((await disk.freeBytes()) > 0);
  });

  check(
    "a full disk gives ENOSPC and leaves what was there",
    async (harness) => {
      const disk = await harness.smallDisk(512 * KIB);
      const file = await disk.open("a", "create");
      await file.write(0, [Uint8Array.of(1, 2, 3)]);
      await file.sync();
      const big = Array.from({ length: 64 }, () => new Uint8Array(64 * KIB).fill(9));
      await assert.rejects(file.write(3, big), { name: "DiskError", code: "ENOSPC" });
      // What did go in is a beginning of it, in its place.
      const [one, two, three, ...rest] = await contents(file);
      assert.deepEqual([one, two, three], [1, 2, 3]);
      assert.ok(rest.every((byte) => byte === 9));
      // With room again the same file goes on.
      await file.truncate(3);
      await file.write(3, [Uint8Array.of(4)]);
      assert.deepEqual(await contents(file), [1, 2, 3, 4]);
      await file.close();
    },
    "smallDisk",
  );

  check("the lock keeps others out and ends with its holder", async (harness) => {
    const root = await harness.newRoot();
    const disk = harness.platform.disk(root);
    const unlock = await disk.lock();
    await assert.rejects(disk.lock(), { name: "DiskError", code: "ELOCKED" });
    await unlock();
    await unlock();
    const holder = await harness.lockElsewhere(root);
    await assert.rejects(disk.lock(), { name: "DiskError", code: "ELOCKED" });
    await holder.kill();
    await (await disk.lock())();
  });
}
