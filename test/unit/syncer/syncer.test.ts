import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../runtime/memory/world.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { SyncerHost } from "../../../src/syncer/host.ts";
import { Syncer } from "../../../src/syncer/syncer.ts";

test("what stopped it in one term of leadership is looked at anew in the next", async () => {
  const world = new World(1);
  const platform = world.machine("n1").start();
  let asked = 0;
  const syncer = new Syncer({
    platform,
    host: { leads: true, term: 1, stream: { brokenPulls: 0 } } as unknown as SyncerHost,
    logger: silentLogger,
    config: async () => {
      asked++;
      return null;
    },
    stopped: () => null,
    describe: () => "",
  });
  for (const term of [1, 2]) {
    const leads = new AbortController();
    const run = syncer.run(leads.signal);
    await world.time.advance(60_000);
    assert.equal(asked, term, "it stays stopped while the term lasts");
    leads.abort();
    await world.time.run(() => run);
  }
});
