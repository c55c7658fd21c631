/** Which writes the proxy in front of the nodes is asked to send on, and which stay. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplayRule } from "../../../src/admin/replay.ts";
import { isForLeader } from "../../../src/admin/replay.ts";
import { type Admin, problemOf, setUp } from "./admin-support.ts";

const rule: ReplayRule = (request, peer) =>
  request.has("x-proxy") ? { name: "x-replay", value: peer } : null;

/** Around a node that follows node 2. */
function follower(): Admin {
  const admin = setUp({ replay: rule });
  admin.node.members = admin.node.members.map((member) => ({ ...member, leader: member.id === 2 }));
  return admin;
}

const WRITE = { body: JSON.stringify({ bytes: 1000, hours: null }) };

test("a write that came through the proxy goes to the leader, by a header", async () => {
  const { call, node } = follower();
  const answer = await call("PUT", "/v1/cluster/retention", {
    ...WRITE,
    headers: { "x-proxy": "1" },
  });
  assert.equal(answer.headers.get("x-replay"), "10.0.0.2:4306");
  assert.equal(answer.status, 503);
  assert.match((await problemOf(answer)).detail, /the proxy in front of it sends the request on/);
  assert.deepEqual(node.calls, [], "nothing was done here");
});

test("without the proxy, at the leader, or before anybody leads it is done here", async () => {
  const direct = follower();
  const led = setUp({ replay: rule });
  const leaderless = follower();
  leaderless.node.members = leaderless.node.members.map((one) => ({ ...one, leader: false }));
  const proxied = { "x-proxy": "1" };
  for (const [{ call, node }, headers] of [
    [direct, {}],
    [led, proxied],
    [leaderless, proxied],
    [setUp(), proxied],
  ] as const) {
    const answer = await call("PUT", "/v1/cluster/retention", { ...WRITE, headers });
    assert.equal(answer.headers.get("x-replay"), null);
    assert.equal(answer.status, 200);
    assert.equal(node.calls.length, 1);
  }
});

test("only what was let in is sent on, and never a read", async () => {
  const { call } = follower();
  const headers = { "x-proxy": "1" };
  const read = await call("GET", "/v1/cluster", { headers });
  assert.deepEqual([read.status, read.headers.get("x-replay")], [200, null]);
  const path = "/v1/cluster/retention";
  const stranger = await call("PUT", path, {
    ...WRITE,
    headers: { ...headers, Authorization: "-" },
  });
  assert.deepEqual([stranger.status, stranger.headers.get("x-replay")], [401, null]);
  const big = { ...WRITE, headers: { ...headers, "content-length": String(1024 * 1024) } };
  assert.equal((await call("PUT", path, big)).headers.get("x-replay"), null);
});

test("what is of the node that is asked stays there; of all routes no other does", async () => {
  const { call } = setUp();
  const document = (await (await call("GET", "/openapi.json")).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const own: string[] = [];
  let others = 0;
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const name of Object.keys(methods)) {
      const method = name.toUpperCase();
      if (method === "GET") assert.equal(isForLeader(method, path), false, path);
      else if (isForLeader(method, path)) others++;
      else own.push(`${method} ${path}`);
    }
  }
  assert.deepEqual(own.sort(), [
    "DELETE /v1/replicas/{uuid}",
    "POST /v1/server/start",
    "POST /v1/server/stop",
  ]);
  assert.ok(others >= 10);
});

test("metrics are open where that was asked for, and nothing else is", async () => {
  const headers = { Authorization: "-" };
  const open = setUp({ openMetrics: true });
  assert.equal((await open.call("GET", "/metrics", { headers })).status, 200);
  assert.equal((await open.call("GET", "/v1/status", { headers })).status, 401);
  assert.equal((await setUp().call("GET", "/metrics", { headers })).status, 401);
});
