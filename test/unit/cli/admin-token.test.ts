import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { adminToken } from "../../../src/cli/admin-token.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { configFor, platform } from "./node-config.ts";

test("adminToken makes a token of 256 bits once, readable by its owner only", async () => {
  await using dir = await tempDir("token");
  const config = await configFor(dir.path);
  const token = await adminToken(platform, config);
  assert.match(token, /^[0-9a-f]{64}$/);
  assert.equal(await adminToken(platform, config), token);
  assert.equal((await stat(path.join(dir.path, "admin-token"))).mode & 0o777, 0o600);
});

test("adminToken takes the operator's file, and refuses a short one", async () => {
  await using dir = await tempDir("token");
  const file = path.join(dir.path, "mine");
  await writeFile(file, "a-token-of-mine-0123\n", { mode: 0o600 });
  const config = await configFor(dir.path, { "admin.token_file": file });
  assert.equal(await adminToken(platform, config), "a-token-of-mine-0123");
  await writeFile(file, "short");
  await assert.rejects(adminToken(platform, config), { code: "BR1006" });
  await assert.rejects(
    adminToken(platform, await configFor(dir.path, { "admin.token_file": `${file}x` })),
    {
      message: /does not exist/,
    },
  );
});
