import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { loginKey } from "../../../src/cluster/login-key.ts";
import { DiskError } from "../../../src/platform/disk.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { thisPlatform } from "../../support/this-platform.ts";

const platform = await thisPlatform();

test("the key for unknown accounts is made once and kept", async () => {
  await using dir = await tempDir();
  const disk = platform.disk(dir.path);
  const first = await loginKey(disk, platform.random, silentLogger);
  assert.equal(first.length, 32);
  assert.deepEqual(await loginKey(disk, platform.random, silentLogger), first);
  await disk.remove("login-key");
  assert.notDeepEqual(await loginKey(disk, platform.random, silentLogger), first);
});

test("trouble with the disk does not keep a node from starting", async () => {
  await using dir = await tempDir();
  const disk = platform.disk(dir.path);
  const full = {
    ...disk,
    open: (path: string, mode: "r" | "rw" | "durable" | "create") =>
      mode === "r" ? disk.open(path, mode) : Promise.reject(new DiskError("ENOSPC", "full")),
    remove: (path: string) => disk.remove(path),
    root: disk.root,
  } as typeof disk;
  assert.equal((await loginKey(full, platform.random, silentLogger)).length, 32);
});
