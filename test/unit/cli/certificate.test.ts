import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { replicaCredentials } from "../../../src/cli/certificate.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { configFor, platform } from "./node-config.ts";

test("replicaCredentials makes a certificate once and keeps it", async () => {
  await using dir = await tempDir("certificate");
  const config = await configFor(dir.path);
  const made = await replicaCredentials(platform, config);
  assert.match(made.cert, /^-----BEGIN CERTIFICATE-----/);
  assert.deepEqual(await replicaCredentials(platform, config), made);
  assert.equal((await stat(path.join(dir.path, "tls/server.key"))).mode & 0o777, 0o600);
  assert.equal(await readFile(path.join(dir.path, "tls/server.crt"), "utf8"), made.cert);
});

test("replicaCredentials takes the operator's pair", async () => {
  await using dir = await tempDir("certificate");
  await writeFile(path.join(dir.path, "c.pem"), "cert");
  await writeFile(path.join(dir.path, "k.pem"), "key", { mode: 0o600 });
  const flags = {
    "replicas.tls_cert": path.join(dir.path, "c.pem"),
    "replicas.tls_key": path.join(dir.path, "k.pem"),
  };
  assert.deepEqual(await replicaCredentials(platform, await configFor(dir.path, flags)), {
    cert: "cert",
    key: "key",
  });
});
