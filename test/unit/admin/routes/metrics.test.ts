import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, setUp } from "../admin-support.ts";
import { CANARY, fakeReplica } from "../fake-cluster.ts";
import { parseMetrics } from "../metrics/metrics-text.ts";

test("GET /metrics is Prometheus' text, without secrets", async () => {
  const { node, call } = setUp();
  node.followers = [fakeReplica(5)];
  node.alarms = [CANARY];
  const response = await call("GET", "/metrics");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  assert.ok(!text.includes(CANARY));
  const { values } = parseMetrics(text);
  assert.equal(values.get("binraft_alarms"), 1);
  assert.equal(values.get('binraft_replica_lag_bytes{server_id="5",server_uuid="uuid-5"}'), 50);
});

test("a replica that left has no series at the next scrape", async () => {
  const { node, call } = setUp();
  node.followers = [fakeReplica(5)];
  assert.match(await (await call("GET", "/metrics")).text(), /uuid-5/);
  node.followers = [];
  assert.doesNotMatch(await (await call("GET", "/metrics")).text(), /uuid-5/);
});

test("GET /metrics needs the token", async () => {
  const { call } = setUp();
  const response = await call("GET", "/metrics", { headers: { Authorization: "-" } });
  assert.equal(response.status, 401);
  assert.equal((await problemOf(response)).code, "BR4001");
});
