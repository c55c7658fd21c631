import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProblemDocument } from "../../../../src/admin/problem.ts";
import { OperationError } from "../../../../src/cluster/operations.ts";
import { setUp } from "../admin-support.ts";

test("GET /v1/cluster tells the leader, the quorum and the members, and nothing else", async () => {
  const { send } = setUp();
  const { status, body } = await send("GET", "/v1/cluster");
  assert.equal(status, 200);
  const { members, ...rest } = body as { members: { id: number }[] };
  assert.deepEqual(rest, {
    clusterId: "c1d",
    term: 7,
    leaderId: 1,
    leaderName: "n1",
    voters: 2,
    quorum: 2,
    votersConnected: 2,
    joint: false,
    heartbeatMs: 250,
    electionMs: 1500,
    rtts: [{ from: "fra", to: "iad", rttMs: 91.25, measured: true }],
    retentionBytes: null,
    retentionHours: 168,
    formatVersion: 2,
  });
  assert.deepEqual(
    members.map((member) => member.id),
    [1, 2, 3],
  );
});

test("POST /v1/cluster/leader names the new leader, even if this node has not heard of it", async () => {
  const { node, send } = setUp();
  assert.deepEqual(await send("POST", "/v1/cluster/leader", {}), {
    status: 200,
    body: { leaderId: 2, leaderName: "n2" },
  });
  assert.deepEqual(await send("POST", "/v1/cluster/leader", { member: "n3" }), {
    status: 200,
    body: { leaderId: 3, leaderName: "n3" },
  });
  assert.deepEqual(node.calls, ["transfer ", "transfer n3"]);
  assert.equal((await send("POST", "/v1/cluster/leader", { to: "n3" })).status, 400);
  assert.equal((await send("POST", "/v1/cluster/leader", { member: 3 })).status, 400);
  assert.equal(node.calls.length, 2);
});

test("PUT /v1/cluster/retention takes both bounds, and only whole numbers above 0", async () => {
  const { node, send } = setUp();
  assert.deepEqual((await send("GET", "/v1/cluster/retention")).body, { bytes: null, hours: 168 });
  const wanted = { bytes: 5_000_000_000_000, hours: null };
  assert.deepEqual(await send("PUT", "/v1/cluster/retention", wanted), {
    status: 200,
    body: wanted,
  });
  assert.deepEqual((await send("GET", "/v1/cluster/retention")).body, wanted);
  for (const [bad, names] of [
    [{ bytes: 1 }, /hours/],
    [{ hours: 1 }, /bytes/],
    [{ bytes: 0, hours: null }, /bytes/],
    [{ bytes: 1.5, hours: null }, /bytes/],
    [{ bytes: "1", hours: null }, /bytes/],
    [{ bytes: null, hours: -1 }, /hours/],
    [{ bytes: null, hours: null, days: 1 }, /days/],
  ] as const) {
    const { status, body } = await send("PUT", "/v1/cluster/retention", bad);
    assert.equal(status, 400, JSON.stringify(bad));
    assert.match((body as ProblemDocument).detail, names);
  }
  assert.deepEqual(node.calls, ["retention 5000000000000 null"]);
});

test("without a leader every write says so, and what is local still answers", async () => {
  const { node, send } = setUp();
  node.fail = new OperationError("no-quorum", "There is no leader", "wait for an election");
  const writes: readonly [string, string, unknown][] = [
    ["POST", "/v1/cluster/leader", {}],
    ["PUT", "/v1/cluster/retention", { bytes: null, hours: null }],
    ["POST", "/v1/members", { address: "10.0.0.4:4306" }],
    ["POST", "/v1/members/n3/promote", {}],
    ["POST", "/v1/members/n2/demote", {}],
    ["POST", "/v1/members/n2/replace", { with: "n3" }],
    ["DELETE", "/v1/members/n2", undefined],
    ["POST", "/v1/server/start", {}],
    ["POST", "/v1/server/stop", {}],
  ];
  for (const [method, path, sent] of writes) {
    const { status, body } = await send(method, path, sent);
    assert.equal(status, 503, path);
    const { code, detail, next } = body as ProblemDocument;
    assert.deepEqual(
      [code, detail, next],
      ["BR4011", "There is no leader", "wait for an election"],
    );
  }
  assert.equal(node.calls.length, writes.length);
  for (const path of ["/v1/cluster", "/v1/members", "/v1/syncer", "/v1/server"]) {
    assert.equal((await send("GET", path)).status, 200, path);
  }
});
