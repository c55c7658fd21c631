/**
 * The Prometheus text of one scrape. A registry of its own each time, with the tables' metrics and
 * nothing else: prom-client's default collectors would look at the process past the platform, and a
 * replica that left must leave no series behind.
 */
import { Counter, Gauge, Registry } from "prom-client";
import type { Metric, Scrape } from "./metric.ts";
import { CLUSTER_METRICS, PEER_METRICS, RAFT_METRICS } from "./raft-metrics.ts";
import { NODE_METRICS, SERVER_METRICS } from "./server-metrics.ts";
import { STORAGE_METRICS, STREAM_METRICS, SYNCER_METRICS } from "./stream-metrics.ts";

export interface MetricGroup {
  readonly title: string;
  readonly metrics: readonly Metric[];
}

/** In the order of the text and of the reference page. */
export const METRIC_GROUPS: readonly MetricGroup[] = [
  { title: "Node and process", metrics: NODE_METRICS },
  { title: "Raft", metrics: RAFT_METRICS },
  { title: "Cluster", metrics: CLUSTER_METRICS },
  { title: "Peers", metrics: PEER_METRICS },
  { title: "Storage", metrics: STORAGE_METRICS },
  { title: "Stream", metrics: STREAM_METRICS },
  { title: "Syncer", metrics: SYNCER_METRICS },
  { title: "Server and replicas", metrics: SERVER_METRICS },
];

export const METRICS_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

export function renderMetrics(scrape: Scrape): Promise<string> {
  const registry = new Registry();
  for (const { metrics } of METRIC_GROUPS) {
    for (const metric of metrics) register(registry, metric, scrape);
  }
  return registry.metrics();
}

function register(registry: Registry, metric: Metric, scrape: Scrape): void {
  const found = metric.read(scrape).filter(({ value }) => Number.isFinite(value));
  if (found.length === 0) return;
  const { name, help, labels } = metric;
  const options = { name, help, labelNames: labels, registers: [registry] };
  if (metric.kind === "gauge") {
    const made = new Gauge(options);
    for (const sample of found) made.set(sample.labels, sample.value);
  } else {
    const made = new Counter(options);
    for (const sample of found) made.inc(sample.labels, Math.max(0, sample.value));
  }
}
