/** What users get: the package on each runtime, and one executable that needs nothing else. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";
import { freePort } from "../../demo/mysql/server.ts";
import { RUNTIMES } from "../../demo/runtimes.ts";
import { type InstalledPackage, laidOutPackage } from "../support/installed-package.ts";
import { checkStart, checkVersion } from "../support/package-checks.ts";
import { whyNot } from "../support/runtimes.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const ROOT = path.join(import.meta.dirname, "../..");

const place = await tempDir("package");
after(() => place.remove());
let installed: Promise<InstalledPackage> | null = null;

for (const runtime of RUNTIMES) {
  test(`the package runs a node on ${runtime}`, { skip: whyNot(runtime) }, async () => {
    installed ??= laidOutPackage(place.path);
    await checkVersion(runtime, await installed);
    await checkStart(runtime, await installed);
  });
}

test("the executable runs a node where nothing is installed", { skip: whyNot("bun") }, async () => {
  const folder = await tempDir("executable");
  const file = path.join(folder.path, "binraft");
  const build = ["runtime/bun/executable.ts", file];
  const built = spawnSync(process.execPath, build, { cwd: ROOT, encoding: "utf8" });
  assert.equal(built.status, 0, built.stderr);
  const bare = { cwd: folder.path, env: {}, encoding: "utf8" } as const;
  assert.match(spawnSync(file, ["version"], bare).stdout, /^binraft \d+\.\d+\.\d+ on bun /);
  const [mysql, admin] = [await freePort(), await freePort()];
  await writeFile(
    path.join(folder.path, "binraft.toml"),
    `[node]\ndata_dir = "data"\n[listen]\nmysql = "127.0.0.1:${mysql}"\nadmin = "127.0.0.1:${admin}"\n`,
  );
  const node = spawn(file, ["start"], { ...bare, stdio: "ignore" });
  const ended = new Promise((resolve) => node.once("exit", resolve));
  try {
    const ready = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok;
    await waitFor(ready, { deadlineMs: 30_000, what: "the executable's node to be ready" });
  } finally {
    node.kill("SIGTERM");
    assert.equal(await ended, 0);
    await folder.remove();
  }
});
