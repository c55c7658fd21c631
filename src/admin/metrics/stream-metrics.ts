/** Metrics of what is stored, and of the source that it comes from. */
import { counter, gauge, labelled, type Metric } from "./metric.ts";

export const STORAGE_METRICS: readonly Metric[] = [
  gauge(
    "binraft_storage_log_bytes",
    "What the log takes on the disk",
    ({ status }) => status.storage.logBytes,
  ),
  gauge(
    "binraft_storage_segments",
    "Files of the log on the disk",
    ({ status }) => status.storage.segments,
  ),
  counter(
    "binraft_storage_appended_bytes_total",
    "Bytes appended to the log",
    ({ status }) => status.storage.appendedBytes,
  ),
  counter(
    "binraft_storage_syncs_total",
    "Syncs of the log to the disk",
    ({ status }) => status.storage.syncs,
  ),
  gauge(
    "binraft_storage_damaged_ranges",
    "Ranges of entries that are damaged on the disk of this node (BR1205); should be 0",
    ({ status }) => status.storage.damage.length,
  ),
  gauge(
    "binraft_storage_full",
    "1 while the disk is full and nothing is appended (BR1203)",
    ({ status }) => status.storage.full,
  ),
];

export const STREAM_METRICS: readonly Metric[] = [
  gauge(
    "binraft_stream_visible_bytes",
    "Whole transactions taken in since the stream began, purged ones included",
    ({ status }) => status.stream.visibleBytes,
  ),
  gauge(
    "binraft_stream_dead_bytes",
    "Bytes taken in that no replica sees: what pulls left that broke off inside a transaction",
    ({ status }) => status.stream.deadBytes,
  ),
  gauge("binraft_stream_files", "Binlog files", ({ status }) => status.stream.files),
  gauge(
    "binraft_stream_inside_transaction",
    "1 while the stream ends inside a transaction",
    ({ status }) => status.stream.open,
  ),
];

const STATES = ["CONNECTING", "RUNNING", "STOPPED", "GAP", "FORK", "REFUSED"] as const;

/** Of this node; only the leader pulls, so take the sum or the maximum over the cluster. */
export const SYNCER_METRICS: readonly Metric[] = [
  labelled(
    {
      name: "binraft_syncer_state",
      kind: "gauge",
      help: "1 for the state that the syncer of this node is in; only the leader pulls",
      labels: ["state"],
    },
    ({ status }) => STATES.map((state) => [[state], status.syncer.state === state]),
  ),
  counter(
    "binraft_syncer_received_bytes_total",
    "Binlog received from the source",
    ({ status }) => status.syncer.receivedBytes,
  ),
  counter(
    "binraft_syncer_acks_total",
    "Semi-sync acknowledgements sent to the source",
    ({ status }) => status.syncer.acksSent,
  ),
  counter(
    "binraft_syncer_attempts_total",
    "Connections to the source that were tried",
    ({ status }) => status.syncer.attempts,
  ),
  gauge(
    "binraft_syncer_broken_pulls",
    "Pulls in a row that broke off inside the same transaction; should fall back to 0",
    ({ status }) => status.syncer.brokenPulls,
  ),
  gauge(
    "binraft_syncer_kept_connection",
    "1 while a connection to the source is logged in before it is needed; absent where none is kept",
    ({ status: { syncer } }) =>
      syncer.kept.state === "off" ? null : syncer.kept.state === "ready",
  ),
  gauge(
    "binraft_syncer_login_hangs",
    "1 while the source takes connections and lets nobody log in, and commits wait for ACKs",
    ({ status }) => status.syncer.loginHangs,
  ),
  gauge(
    "binraft_syncer_source_waits",
    "1 while commits at the source wait for an acknowledgement; absent without semi-sync",
    ({ status }) => status.syncer.semiSyncSource?.active ?? null,
  ),
  counter(
    "binraft_syncer_commits_without_ack_total",
    "Commits at the source that did not wait for an acknowledgement; absent without semi-sync",
    ({ status }) => status.syncer.semiSyncSource?.commitsWithoutAck ?? null,
  ),
];
