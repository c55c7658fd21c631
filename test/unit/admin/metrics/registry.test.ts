import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_SERIES, type Metric, type Scrape } from "../../../../src/admin/metrics/metric.ts";
import { METRIC_GROUPS, renderMetrics } from "../../../../src/admin/metrics/registry.ts";
import { CANARY, fakeReplica } from "../fake-cluster.ts";
import { FakeNode } from "../fake-node.ts";
import { parseMetrics } from "./metrics-text.ts";

const ALL: readonly Metric[] = METRIC_GROUPS.flatMap((group) => group.metrics);

function scrapeOf(node: FakeNode): Scrape {
  return {
    status: node.status(),
    cluster: node.cluster(),
    metrics: node.metrics(),
    replicas: node.replicas(),
    ready: node.notReady() === null,
  };
}

async function valuesOf(node: FakeNode): Promise<ReadonlyMap<string, number>> {
  return parseMetrics(await renderMetrics(scrapeOf(node))).values;
}

test("names say kind and unit, help is a phrase", () => {
  assert.equal(new Set(ALL.map((metric) => metric.name)).size, ALL.length);
  const families = ALL.map(({ name }) => name.replace(/_total$/, ""));
  assert.equal(new Set(families).size, ALL.length, "OpenMetrics takes _total off");
  for (const { name, kind, help, labels } of ALL) {
    assert.match(name, /^binraft_[a-z]+(_[a-z]+)*$/);
    assert.equal(name.endsWith("_total"), kind === "counter", name);
    assert.ok(!/_(ms|millis|kib|mib)(_|$)/.test(name), name);
    assert.match(help, /^[A-Z0-9][^\n]{8,100}[^.]$/, name);
    for (const label of labels) assert.match(label, /^[a-z_]+$/);
  }
});

test("every metric is in the text with its help, its kind and the node's number", async () => {
  const node = new FakeNode();
  node.followers = [fakeReplica(5), fakeReplica(6)];
  const { values, kinds, helps } = parseMetrics(await renderMetrics(scrapeOf(node)));
  for (const { name, kind, help } of ALL) {
    assert.equal(kinds.get(name), kind, name);
    assert.equal(helps.get(name), help, name);
  }
  assert.equal(kinds.size, ALL.length, "nothing else, such as default collectors");
  const expected: Readonly<Record<string, number>> = {
    binraft_raft_term: 1,
    binraft_raft_is_leader: 1,
    binraft_raft_has_leader: 1,
    binraft_raft_elections_total: 11,
    binraft_raft_leader_changes_total: 12,
    binraft_raft_proposals_total: 13,
    binraft_raft_uncommitted_bytes: 14,
    binraft_raft_unsynced_bytes: 15,
    binraft_raft_hash_mismatch: 0,
    'binraft_cluster_members{role="voter"}': 2,
    'binraft_cluster_members{role="learner"}': 1,
    binraft_cluster_members_connected: 2,
    binraft_cluster_voters: 2,
    binraft_cluster_quorum: 2,
    binraft_cluster_voters_connected: 2,
    'binraft_peer_connected{peer_id="2",peer="n2"}': 1,
    'binraft_peer_connected{peer_id="3",peer="n3"}': 0,
    'binraft_peer_sent_bytes_total{peer_id="2",peer="n2"}': 102,
    'binraft_peer_received_bytes_total{peer_id="2",peer="n2"}': 202,
    'binraft_peer_dropped_messages_total{peer_id="3",peer="n3"}': 303,
    'binraft_peer_queued_bytes{peer_id="3",peer="n3"}': 403,
    'binraft_peer_rtt_seconds{peer_id="2",peer="n2"}': 0.0125,
    'binraft_peer_lag_entries{peer_id="2",peer="n2"}': 2,
    'binraft_syncer_state{state="RUNNING"}': 1,
    'binraft_syncer_state{state="GAP"}': 0,
    binraft_syncer_source_waits: 1,
    binraft_server_accepted_connections_total: 21,
    binraft_server_refused_connections_total: 22,
    binraft_server_logins_total: 23,
    binraft_server_denied_logins_total: 24,
    binraft_server_dumps_total: 25,
    binraft_server_sent_bytes_total: 26,
    'binraft_replica_lag_bytes{server_id="5",server_uuid="uuid-5"}': 50,
    'binraft_replica_lag_bytes{server_id="6",server_uuid="uuid-6"}': 60,
    binraft_replicas_lag_bytes_max: 60,
    binraft_process_uptime_seconds: 0.001,
    binraft_alarms: 0,
    binraft_ready: 1,
    'binraft_build_info{version="0.1.0",runtime="test"}': 1,
    'binraft_node_info{cluster_id="c1d",id="1",name="n1",region="iad"}': 1,
  };
  for (const [series, value] of Object.entries(expected)) {
    assert.equal(values.get(series), value, series);
  }
});

test("what is not known is absent, not 0", async () => {
  const node = new FakeNode();
  node.semiSyncSource = null;
  const values = await valuesOf(node);
  for (const series of [
    'binraft_peer_rtt_seconds{peer_id="3",peer="n3"}',
    'binraft_peer_lag_entries{peer_id="3",peer="n3"}',
    'binraft_peer_lag_entries{peer_id="1",peer="n1"}',
    "binraft_syncer_source_waits",
    "binraft_syncer_commits_without_ack_total",
  ]) {
    assert.ok(!values.has(series), series);
  }
});

test("exactly one state of the syncer is 1, whichever it is", async () => {
  const node = new FakeNode();
  for (const state of ["CONNECTING", "RUNNING", "STOPPED", "GAP", "FORK", "REFUSED"] as const) {
    node.syncerState = state;
    const states = [...(await valuesOf(node))].filter(([name]) =>
      /^binraft_syncer_state/.test(name),
    );
    assert.equal(states.length, 6);
    assert.deepEqual(
      states.filter(([, value]) => value === 1).map(([name]) => name),
      [`binraft_syncer_state{state="${state}"}`],
    );
  }
});

test("gauges follow the node: not ready, alarms, no leader, a refused link", async () => {
  const node = new FakeNode();
  node.ready = "it stops";
  node.alarms = [CANARY, "b"];
  node.leaderId = 0;
  node.listening = false;
  node.members[2] = { ...node.members[2]!, refused: CANARY };
  const values = await valuesOf(node);
  assert.equal(values.get("binraft_ready"), 0);
  assert.equal(values.get("binraft_alarms"), 2);
  assert.equal(values.get("binraft_raft_has_leader"), 0);
  assert.equal(values.get("binraft_server_listening"), 0);
  assert.equal(values.get("binraft_cluster_refused_links"), 1);
  assert.ok(!(await renderMetrics(scrapeOf(node))).includes(CANARY));
});

test("series of replicas are bounded to those furthest behind, one for each server", async () => {
  const node = new FakeNode();
  const many = Array.from({ length: 1000 }, (_, at) => fakeReplica(at + 1));
  node.followers = [fakeReplica(1000, { lagBytes: 3 }), ...many];
  const values = await valuesOf(node);
  const lags = [...values].filter(([name]) => name.startsWith("binraft_replica_lag_bytes"));
  assert.equal(lags.length, MAX_SERIES);
  assert.equal(lags[0]![0], 'binraft_replica_lag_bytes{server_id="1000",server_uuid="uuid-1000"}');
  assert.ok(Math.min(...lags.map(([, lag]) => lag)) > (1000 - MAX_SERIES) * 10);
  assert.equal(values.get("binraft_replicas_lag_bytes_max"), 10_000);
});

test("a replica's uuid cannot break the text", async () => {
  const node = new FakeNode();
  node.followers = [fakeReplica(9, { uuid: `"} 1\nevil{x="\\${"u".repeat(500)}` })];
  const { values, kinds } = parseMetrics(await renderMetrics(scrapeOf(node)));
  const lags = [...values.keys()].filter((name) => name.startsWith("binraft_replica_lag_bytes"));
  assert.equal(lags.length, 1);
  assert.ok(lags[0]!.length < 150);
  assert.equal(kinds.size, ALL.length);
});

test("numbers that are none are left out instead of failing the scrape", async () => {
  const node = new FakeNode();
  node.followers = [fakeReplica(5, { lagBytes: Number.NaN }), fakeReplica(6)];
  const values = await valuesOf(node);
  assert.ok(values.has('binraft_replica_lag_bytes{server_id="6",server_uuid="uuid-6"}'));
  assert.ok(!values.has('binraft_replica_lag_bytes{server_id="5",server_uuid="uuid-5"}'));
});
