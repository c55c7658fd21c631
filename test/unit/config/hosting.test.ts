/** The layer of a provider: under the file, over the defaults. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostingSettings } from "../../../src/config/hosting.ts";
import { load, problems } from "./config-support.ts";

const SOMEWHERE: HostingSettings = {
  provider: "Somewhere",
  values: { "node.region": "hosted", "storage.retention_hours": "5" },
  discovery: "fly",
  host: "me.somewhere",
  hostNames: [],
  hasPrivateNetwork: false,
  secretCommand: (name) => `keep ${name}`,
};

test("a value of the provider gives way to the file and everything above", async () => {
  const hosting = SOMEWHERE;
  const hours = async (more: object): Promise<number | null> =>
    (await load({ hosting, ...more })).config.storage.retentionHours;
  assert.equal(await hours({}), 5);
  assert.equal(await hours({ toml: "[storage]\nretention_hours = 6" }), 6);
  assert.equal(await hours({ env: { BINRAFT_STORAGE_RETENTION_HOURS: "7" } }), 7);
  assert.equal(await hours({ flags: { "storage.retention_hours": "8" } }), 8);
  assert.equal((await load({})).config.storage.retentionHours, null);
});

test("a provider without a cluster of its own leaves a node alone", async () => {
  assert.equal((await load({ hosting: SOMEWHERE })).config.cluster, null);
});

test("without a private network the admin API off loopback needs TLS there, too", async () => {
  const flags = { "listen.admin": "0.0.0.0:8306", "admin.token_file": "t" };
  assert.match((await problems({ hosting: SOMEWHERE, flags }))[0]!, /admin\.tls_cert/);
});
