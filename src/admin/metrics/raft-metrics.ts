/** Metrics of consensus, of the members, and of the links to them. */
import { counter, gauge, labelled, type Metric, type Scrape } from "./metric.ts";

export const RAFT_METRICS: readonly Metric[] = [
  gauge(
    "binraft_raft_term",
    "The election term that this node is in; grows with every election",
    ({ status }) => status.raft.term,
  ),
  gauge(
    "binraft_raft_is_leader",
    "1 on the node that leads; the sum over the cluster is 1, but for moments",
    ({ status }) => status.raft.role === "leader",
  ),
  gauge(
    "binraft_raft_has_leader",
    "1 while this node knows a leader; 0 for long: writes are not possible from here",
    ({ cluster }) => cluster.leaderId !== 0,
  ),
  gauge(
    "binraft_raft_leader_silent_seconds",
    "Since this node heard of a leader: what it serves is no fresher; absent before it ever did",
    ({ status }) =>
      status.raft.leaderSilentMs === null ? null : status.raft.leaderSilentMs / 1000,
  ),
  gauge(
    "binraft_raft_first_index",
    "The first entry that the log of this node still has",
    ({ status }) => status.raft.firstIndex,
  ),
  gauge(
    "binraft_raft_last_index",
    "The last entry of the log of this node, committed or not",
    ({ status }) => status.raft.lastIndex,
  ),
  gauge(
    "binraft_raft_commit_index",
    "The last entry that a quorum has stored, as this node knows",
    ({ status }) => status.raft.commit,
  ),
  gauge(
    "binraft_raft_applied_index",
    "The last entry whose transactions this node serves; close to the commit index",
    ({ status }) => status.raft.applied,
  ),
  counter(
    "binraft_raft_elections_total",
    "Elections that this node has begun: many mean a network or a disk that hangs",
    ({ metrics }) => metrics.raft.elections,
  ),
  counter(
    "binraft_raft_leader_changes_total",
    "Times that this node saw another leader",
    ({ metrics }) => metrics.raft.leaderChanges,
  ),
  counter(
    "binraft_raft_proposals_total",
    "Entries that this node has proposed as leader",
    ({ metrics }) => metrics.raft.proposals,
  ),
  labelled(
    {
      name: "binraft_raft_commit_seconds",
      kind: "gauge",
      help: "From an entry's proposal until a quorum has it and it is applied here, of the last 1024; on leaders",
      labels: ["quantile"],
    },
    ({ metrics }) => [
      [["0.5"], seconds(metrics.raft.commitMsP50)],
      [["0.99"], seconds(metrics.raft.commitMsP99)],
    ],
  ),
  gauge(
    "binraft_raft_uncommitted_bytes",
    "Appended here and not stored by a quorum yet: growing means that the quorum is slow",
    ({ metrics }) => metrics.raft.uncommittedBytes,
  ),
  gauge(
    "binraft_raft_unsynced_bytes",
    "Handed to the disk of this node and not synced yet: growing means that the disk is slow",
    ({ metrics }) => metrics.raft.unsyncedBytes,
  ),
  gauge(
    "binraft_raft_hash_mismatch",
    "1 when the last comparison of entries with a peer differed: one of the two logs is wrong",
    ({ metrics }) => metrics.raft.hashMismatches,
  ),
];

export const CLUSTER_METRICS: readonly Metric[] = [
  labelled(
    {
      name: "binraft_cluster_members",
      kind: "gauge",
      help: "Members of the cluster by role",
      labels: ["role"],
    },
    ({ cluster }) =>
      (["voter", "learner"] as const).map((role) => [
        [role],
        cluster.members.filter((member) => member.role === role).length,
      ]),
  ),
  gauge(
    "binraft_cluster_members_connected",
    "Members that this node hears of, itself included",
    ({ cluster }) => cluster.members.filter((member) => member.connected).length,
  ),
  gauge("binraft_cluster_voters", "Voters of the cluster", ({ cluster }) => cluster.voters),
  gauge(
    "binraft_cluster_voters_connected",
    "Voters that this node hears of, itself included; below the quorum nothing is committed",
    ({ cluster }) => cluster.votersConnected,
  ),
  gauge(
    "binraft_cluster_quorum",
    "So many voters must store an entry before it counts",
    ({ cluster }) => cluster.quorum,
  ),
  gauge(
    "binraft_cluster_joint",
    "1 while members are being changed; for long: the change cannot finish",
    ({ cluster }) => cluster.joint,
  ),
  gauge(
    "binraft_cluster_refused_links",
    "Members whose link this node refuses; binraft member list says why",
    ({ cluster }) => cluster.members.filter((member) => member.refused !== "").length,
  ),
];

type Peer = Scrape["metrics"]["peers"][number];

function peer(
  name: Metric["name"],
  kind: Metric["kind"],
  help: string,
  value: (peer: Peer) => number | boolean | null,
): Metric {
  return labelled({ name, kind, help, labels: ["peer_id", "peer"] }, ({ metrics }) =>
    metrics.peers.map((one) => [[String(one.id), one.name], value(one)]),
  );
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

/** A series for each other member. */
export const PEER_METRICS: readonly Metric[] = [
  peer(
    "binraft_peer_connected",
    "gauge",
    "1 while there is a link to the member",
    ({ connected }) => connected,
  ),
  peer(
    "binraft_peer_sent_bytes_total",
    "counter",
    "Bytes sent to the member",
    ({ sentBytes }) => sentBytes,
  ),
  peer(
    "binraft_peer_received_bytes_total",
    "counter",
    "Bytes received from the member",
    ({ receivedBytes }) => receivedBytes,
  ),
  peer(
    "binraft_peer_dropped_messages_total",
    "counter",
    "Messages to the member that were dropped, since its queue was full or its link down",
    ({ droppedMessages }) => droppedMessages,
  ),
  peer(
    "binraft_peer_saved_bytes_total",
    "counter",
    "Bytes that did not go to the member since they were packed",
    ({ savedBytes }) => savedBytes,
  ),
  peer(
    "binraft_peer_queued_bytes",
    "gauge",
    "Bytes that wait to be sent to the member",
    ({ queuedBytes }) => queuedBytes,
  ),
  peer(
    "binraft_peer_rtt_seconds",
    "gauge",
    "Round trip to the member; absent until it was measured",
    ({ rttMs }) => (rttMs === null ? null : rttMs / 1000),
  ),
  labelled(
    {
      name: "binraft_peer_lag_entries",
      kind: "gauge",
      help: "Entries that the member still lacks; absent on nodes that do not know",
      labels: ["peer_id", "peer"],
    },
    ({ cluster }) =>
      cluster.members
        .filter((member) => !member.self)
        .map((member) => [[String(member.id), member.name], member.lagEntries]),
  ),
];
