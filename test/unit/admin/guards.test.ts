import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeCrypto } from "../../../runtime/node/crypto.ts";
import { createApp } from "../../../src/admin/app.ts";
import { MAX_BODY_BYTES } from "../../../src/admin/guards.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { FakeNode } from "./fake-node.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const ROUTES = ["/livez", "/readyz", "/v1/status", "/errors/BR4001", "/openapi.json", "/nothing"];

async function answer(
  headers: Record<string, string>,
  options: { path?: string; method?: string; body?: string; hostNames?: string[] } = {},
): Promise<{ status: number; code: string }> {
  const node = new FakeNode();
  const hostNames = options.hostNames ?? ["10.1.2.3", "Node-1"];
  const app = createApp({
    node,
    clock: { mono: () => 0, soon: (fn) => queueMicrotask(fn) },
    crypto: nodeCrypto,
    token: TOKEN,
    hostNames,
    openMetrics: false,
    replay: null,
    logger: silentLogger,
  });
  const init: RequestInit = {
    method: options.method ?? "GET",
    headers: { Host: "127.0.0.1", ...headers },
  };
  if (options.body !== undefined) init.body = options.body;
  const response = await app.request(`http://127.0.0.1${options.path ?? "/v1/status"}`, init);
  const text = await response.text();
  const code = text.startsWith("{") ? ((JSON.parse(text) as { code?: string }).code ?? "") : "";
  return { status: response.status, code };
}

test("Host must be this node, on every route", async () => {
  const Authorization = `Bearer ${TOKEN}`;
  for (const path of ROUTES) {
    for (const Host of [
      "evil.example",
      "evil.example:8306",
      "127.0.0.1.evil.example",
      "8.8.8.8",
      "[2001:db8::1]:1",
    ]) {
      assert.deepEqual(
        await answer({ Host, Authorization }, { path }),
        { status: 403, code: "BR4002" },
        `${Host}${path}`,
      );
    }
  }
  for (const Host of [
    "127.0.0.1",
    "127.0.0.1:8306",
    "localhost:1",
    "LOCALHOST",
    "[::1]:8306",
    "10.1.2.3:1",
    "node-1",
  ]) {
    assert.equal((await answer({ Host, Authorization })).status, 200, Host);
  }
});

test("Host may be any address where all are listened on, but no other name", async () => {
  const Authorization = `Bearer ${TOKEN}`;
  const hostNames = ["0.0.0.0"];
  assert.equal((await answer({ Host: "10.9.9.9:8306", Authorization }, { hostNames })).status, 200);
  assert.equal(
    (await answer({ Host: "[2001:db8::1]:8306", Authorization }, { hostNames })).status,
    200,
  );
  assert.equal((await answer({ Host: "evil.example", Authorization }, { hostNames })).status, 403);
});

test("requests of other sites are refused even with the token", async () => {
  const Authorization = `Bearer ${TOKEN}`;
  const Host = "127.0.0.1:8306";
  const foreign = [
    { Origin: "http://evil.example" },
    { Origin: "null" },
    { Origin: "http://127.0.0.1:9999" },
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
  ];
  for (const headers of foreign) {
    assert.deepEqual(await answer({ Host, Authorization, ...headers }), {
      status: 403,
      code: "BR4003",
    });
  }
  const own = [
    { Origin: "http://127.0.0.1:8306" },
    { "Sec-Fetch-Site": "same-origin" },
    { "Sec-Fetch-Site": "none" },
  ];
  for (const headers of own)
    assert.equal((await answer({ Host, Authorization, ...headers })).status, 200);
});

test("the token must be right, whatever its length", async () => {
  for (let length = 0; length <= 70; length++) {
    const wrong = { Authorization: `Bearer ${"0".repeat(length)}` };
    assert.deepEqual(await answer(wrong), { status: 401, code: "BR4001" });
  }
  for (const Authorization of [
    "",
    TOKEN,
    `Basic ${TOKEN}`,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(1)}`,
    "Bearer",
  ]) {
    assert.equal((await answer({ Authorization })).status, 401, Authorization);
  }
  assert.equal((await answer({})).status, 401);
  assert.equal((await answer({}, { path: "/openapi.json" })).status, 401);
  assert.equal((await answer({ Authorization: `bearer ${TOKEN}` })).status, 200);
});

test("writes must be JSON and small", async () => {
  const Authorization = `Bearer ${TOKEN}`;
  const path = "/v1/syncer/start";
  const method = "POST";
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "",
  ]) {
    const headers = { Authorization, "Content-Type": type };
    assert.deepEqual(
      await answer(headers, { path, method, body: "{}" }),
      { status: 415, code: "BR4004" },
      type,
    );
  }
  const json = { Authorization, "Content-Type": "application/json; charset=utf-8" };
  assert.equal((await answer(json, { path, method, body: "{}" })).status, 200);
  const large = { ...json, "Content-Length": String(MAX_BODY_BYTES + 1) };
  assert.deepEqual(await answer(large, { path, method, body: "{}" }), {
    status: 413,
    code: "BR4005",
  });
  const chunked = { ...json, "Transfer-Encoding": "chunked" };
  assert.deepEqual(await answer(chunked, { path, method, body: "{}" }), {
    status: 411,
    code: "BR4005",
  });
});
