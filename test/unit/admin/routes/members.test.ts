import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProblemDocument } from "../../../../src/admin/problem.ts";
import { OperationError } from "../../../../src/cluster/operations.ts";
import { setUp } from "../admin-support.ts";

test("GET /v1/members lists them, one is found by its id or its name", async () => {
  const { node, send } = setUp();
  const { items } = (await send("GET", "/v1/members")).body as { items: { name: string }[] };
  assert.deepEqual(
    items.map((member) => member.name),
    ["n1", "n2", "n3"],
  );
  assert.deepEqual((await send("GET", "/v1/members/2")).body, items[1]);
  assert.deepEqual((await send("GET", "/v1/members/n2")).body, items[1]);
  assert.deepEqual(items[2], {
    id: 3,
    name: "n3",
    region: "syd",
    role: "learner",
    fromNow: false,
    leader: false,
    self: false,
    diskUuid: "disk-3",
    peerAddress: "10.0.0.3:4306",
    mysqlAddress: "10.0.0.3:3307",
    adminUrl: "https://10.0.0.3:8306",
    version: "0.1.0",
    connected: false,
    lastIndex: null,
    lagEntries: null,
    server: "stopped",
    refused: "",
  });
  const missing = await send("GET", "/v1/members/n9");
  assert.equal(missing.status, 404);
  assert.equal((missing.body as ProblemDocument).next, "binraft member list");
  node.members = node.members.map((member) => ({ ...member, name: "n1" }));
  const ambiguous = await send("GET", "/v1/members/n1");
  assert.equal(ambiguous.status, 409);
  assert.equal((ambiguous.body as ProblemDocument).code, "BR4008");
  assert.equal((await send("GET", "/v1/members/3")).status, 200);
});

test("each change reaches the node and answers with the member", async () => {
  const { node, send } = setUp();
  const added = await send("POST", "/v1/members", { address: "[2001:db8::4]:4306" });
  assert.equal(added.status, 200);
  assert.equal((added.body as { peerAddress: string }).peerAddress, "[2001:db8::4]:4306");
  const promoted = await send("POST", "/v1/members/n3/promote", {});
  assert.equal((promoted.body as { role: string }).role, "voter");
  const demoted = await send("POST", "/v1/members/2/demote", {});
  assert.equal((demoted.body as { role: string }).role, "learner");
  const fresh = await send("POST", "/v1/members/n2/replace", { with: "n3" });
  assert.equal((fresh.body as { name: string }).name, "n3");
  assert.deepEqual(await send("DELETE", "/v1/members/n2"), { status: 204, body: null });
  assert.deepEqual(node.calls, [
    "add [2001:db8::4]:4306",
    "promote n3",
    "demote 2",
    "replace n2 n3",
    "remove-member n2",
  ]);
  assert.equal((await send("GET", "/v1/members/n2")).status, 404);
});

test("wrong requests are refused before the node hears of them", async () => {
  const { node, send } = setUp();
  const cases: readonly [string, unknown, RegExp][] = [
    ["/v1/members", {}, /address/],
    ["/v1/members", { address: "10.0.0.4" }, /address: expected "HOST:PORT"/],
    ["/v1/members", { address: "https://10.0.0.4:4306" }, /address/],
    ["/v1/members", { address: "10.0.0.4:0" }, /port/],
    ["/v1/members", { address: "10.0.0.4:65536" }, /port/],
    ["/v1/members", { address: "10.0.0.4:4306", learner: false }, /learner/],
    ["/v1/members/n3/promote", { force: true }, /force/],
    ["/v1/members/n3/demote", { force: true }, /force/],
    ["/v1/members/n3/replace", {}, /with/],
    ["/v1/members/n3/replace", { with: "n2", force: true }, /force/],
    ["/v1/server/start", { now: true }, /now/],
    ["/v1/server/stop", { now: true }, /now/],
  ];
  for (const [path, sent, expected] of cases) {
    const { status, body } = await send("POST", path, sent);
    assert.equal(status, 400, `${path} ${JSON.stringify(sent)}`);
    assert.match((body as ProblemDocument).detail, expected);
  }
  assert.deepEqual(node.calls, []);
});

test("the leader's refusal of an unsafe change is a conflict with what to do first", async () => {
  const { node, send } = setUp();
  node.fail = new OperationError("conflict", "The rest has no quorum", "start n3 first");
  const { status, body } = await send("DELETE", "/v1/members/n2");
  assert.equal(status, 409);
  const { code, detail, next } = body as ProblemDocument;
  assert.deepEqual([code, detail, next], ["BR4008", "The rest has no quorum", "start n3 first"]);
});
