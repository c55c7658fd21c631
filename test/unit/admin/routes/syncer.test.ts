import assert from "node:assert/strict";
import { test } from "node:test";
import { setUp } from "../admin-support.ts";

test("/v1/syncer shows the leader's syncer, whichever node is asked, and the settings", async () => {
  const { node, send } = setUp();
  node.syncerState = "STOPPED";
  node.leaderSyncer = { state: "RUNNING", reason: "the leader says so" };
  const shows = async (method: string, path: string, body?: unknown): Promise<void> => {
    const { state, reason, settings } = (await send(method, path, body)).body as {
      state: string;
      reason: string;
      settings: { host: string };
    };
    assert.deepEqual([state, reason, settings.host], ["RUNNING", "the leader says so", "h"], path);
  };
  await shows("GET", "/v1/syncer");
  await shows("POST", "/v1/syncer/start", {});
  await shows("PUT", "/v1/syncer", { host: "db" });
});
