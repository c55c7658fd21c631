/** Metrics of the replicas that are served, and of the process. */
import { printable } from "../../base/logger.ts";
import type { ReplicaStatus } from "../../cluster/operations.ts";
import { counter, gauge, labelled, MAX_SERIES, type Metric } from "./metric.ts";

/** A server_uuid has 36; a replica may send anything. */
const MAX_UUID_LENGTH = 64;

export const SERVER_METRICS: readonly Metric[] = [
  gauge(
    "binraft_server_listening",
    "1 while the binlog server of this node takes connections",
    ({ status }) => status.server.listening,
  ),
  gauge(
    "binraft_server_connections",
    "Connections that are open",
    ({ status }) => status.server.connections,
  ),
  counter(
    "binraft_server_accepted_connections_total",
    "Connections that were taken",
    ({ metrics }) => metrics.server.connections,
  ),
  counter(
    "binraft_server_refused_connections_total",
    "Connections that were refused, since there were too many",
    ({ metrics }) => metrics.server.refusedConnections,
  ),
  counter(
    "binraft_server_logins_total",
    "Logins that succeeded",
    ({ metrics }) => metrics.server.logins,
  ),
  counter(
    "binraft_server_denied_logins_total",
    "Logins that failed: many may be somebody who guesses passwords",
    ({ metrics }) => metrics.server.deniedLogins,
  ),
  counter(
    "binraft_server_dumps_total",
    "Dumps that replicas have begun: many mean replicas that come and go",
    ({ metrics }) => metrics.server.dumps,
  ),
  counter(
    "binraft_server_sent_bytes_total",
    "Bytes sent to replicas",
    ({ metrics }) => metrics.server.bytesSent,
  ),
  gauge(
    "binraft_server_replicas",
    "Replicas that follow this node",
    ({ status }) => status.server.replicas,
  ),
  labelled(
    {
      name: "binraft_replica_lag_bytes",
      kind: "gauge",
      help: `Binlog that was not sent yet to the replica; of the ${MAX_SERIES} furthest behind`,
      labels: ["server_id", "server_uuid"],
    },
    ({ replicas }) =>
      furthestBehind(replicas).map((one) => [
        [String(one.serverId), printable(one.uuid, MAX_UUID_LENGTH)],
        one.lagBytes,
      ]),
  ),
  gauge(
    "binraft_replicas_lag_bytes_max",
    "Binlog that was not sent yet to the replica furthest behind",
    ({ replicas }) => replicas.reduce((most, { lagBytes }) => Math.max(most, lagBytes), 0),
  ),
];

/** One for each server: a replica that reconnects can be there twice for a moment. */
function furthestBehind(replicas: readonly ReplicaStatus[]): readonly ReplicaStatus[] {
  const worst = new Map<string, ReplicaStatus>();
  for (const replica of replicas) {
    const key = `${replica.serverId} ${printable(replica.uuid, MAX_UUID_LENGTH)}`;
    const known = worst.get(key);
    if (known === undefined || known.lagBytes < replica.lagBytes) worst.set(key, replica);
  }
  return [...worst.values()].sort((a, b) => b.lagBytes - a.lagBytes).slice(0, MAX_SERIES);
}

export const NODE_METRICS: readonly Metric[] = [
  gauge(
    "binraft_ready",
    "1 while GET /readyz answers 200: replicas can be sent here",
    ({ ready }) => ready,
  ),
  gauge(
    "binraft_alarms",
    "Things that need an eye of an operator; binraft status shows them",
    ({ status }) => status.alarms.length,
  ),
  gauge(
    "binraft_process_resident_bytes",
    "Memory that the process takes",
    ({ status }) => status.process.rssBytes,
  ),
  counter(
    "binraft_process_cpu_seconds_total",
    "CPU time of the process, user and system",
    ({ status }) => status.process.cpuMs / 1000,
  ),
  gauge(
    "binraft_process_uptime_seconds",
    "Since the node was started",
    ({ status }) => status.process.uptimeMs / 1000,
  ),
  labelled(
    {
      name: "binraft_build_info",
      kind: "gauge",
      help: "Always 1; the labels say which binraft on which runtime",
      labels: ["version", "runtime"],
    },
    ({ status: { node } }) => [[[node.version, node.runtime], 1]],
  ),
  labelled(
    {
      name: "binraft_node_info",
      kind: "gauge",
      help: "Always 1; the labels say which member of which cluster this is",
      labels: ["cluster_id", "id", "name", "region"],
    },
    ({ status: { clusterId, raft, node } }) => [
      [[clusterId, String(raft.id), node.name, node.region], 1],
    ],
  ),
];
