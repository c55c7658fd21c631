import assert from "node:assert/strict";
import { test } from "node:test";
import { setUp } from "../admin-support.ts";

test("POST /v1/server/stop and /start answer with how the server is then", async () => {
  const { node, send } = setUp();
  const listening = async (method: string, path: string, body?: unknown): Promise<boolean> => {
    const answer = await send(method, path, body);
    assert.equal(answer.status, 200, path);
    return (answer.body as { listening: boolean }).listening;
  };
  assert.equal(await listening("GET", "/v1/server"), true);
  assert.equal(await listening("POST", "/v1/server/stop", {}), false);
  assert.equal(await listening("GET", "/v1/server"), false);
  assert.equal(await listening("POST", "/v1/server/start", {}), true);
  assert.deepEqual(node.calls, ["server stop", "server start"]);
});
