/** The cluster as this node sees it, for the API and people; what it does not know is null. */
import type { ServerCounters } from "../server/shared.ts";
import type { ClusterPart } from "./cluster-part.ts";
import { isVoter, type Member } from "./members.ts";
import type { NodeCore } from "./node-core.ts";
import type { NodeSettings } from "./node-settings.ts";
import {
  type ClusterStatus,
  type MemberStatus,
  type NodeMetrics,
  OperationError,
} from "./operations.ts";

export function clusterStatus(
  core: NodeCore,
  settings: NodeSettings,
  cluster: ClusterPart | null,
): ClusterStatus {
  const { state, driver, log } = core;
  const { node, heartbeatMs, electionMs } = driver.consensus;
  const { conf } = state;
  const ids = state.members.size > 0 ? [...state.members.keys()] : [log.identity.raftId];
  const members = ids.sort((a, b) => a - b).map((id) => memberStatus(core, settings, cluster, id));
  const voters = members.filter(({ role }) => role === "voter");
  return {
    clusterId: log.identity.clusterId,
    term: driver.term,
    leaderId: node.leader,
    leaderName:
      state.members.get(node.leader)?.name ?? (node.role === "leader" ? settings.name : ""),
    voters: conf.voters.length,
    quorum: Math.floor(conf.voters.length / 2) + 1,
    votersConnected: voters.filter(({ connected }) => connected).length,
    members,
    joint: conf.votersOutgoing.length > 0,
    heartbeatMs,
    electionMs,
    rtts: cluster?.matrix().rows() ?? [],
    retentionBytes: state.settings.retention?.bytes ?? null,
    retentionHours: state.settings.retention?.hours ?? null,
    formatVersion: state.formatVersion,
  };
}

export function memberStatus(
  core: NodeCore,
  settings: NodeSettings,
  cluster: ClusterPart | null,
  id: number,
): MemberStatus {
  const { state, driver, log } = core;
  const { node } = driver.consensus;
  const self = id === log.identity.raftId;
  const member = state.members.get(id) ?? (self ? ofItself(core, settings) : null);
  if (member === null) throw new OperationError("not-found", `There is no member ${id}`);
  const lastIndex = self ? log.lastIndex : knownIndex(core, cluster, id);
  const last = Math.max(node.lastIndex, node.commit);
  const report = cluster?.peers.reports().find((one) => one.id === id);
  return {
    id,
    name: member.name,
    region: member.region,
    role: isVoter(state.conf, id) ? "voter" : "learner",
    fromNow: (member.startsAt ?? 0) > (state.stream.files[0]?.startEntry ?? 0),
    leader: node.leader === id,
    self,
    diskUuid: member.diskUuid,
    peerAddress: member.peer,
    mysqlAddress: member.mysql,
    adminUrl: member.admin,
    version: member.version,
    connected: self || report?.connected === true,
    lastIndex,
    lagEntries: lastIndex === null ? null : Math.max(0, last - lastIndex),
    server: member.server,
    refused: self ? (driver.consensus.fenced ?? "") : (report?.trouble ?? ""),
  };
}

function knownIndex(core: NodeCore, cluster: ClusterPart | null, id: number): number | null {
  const { raft, role } = core.driver.consensus.node;
  const match = role === "leader" ? (raft.tracker.progress.get(id)?.match ?? null) : null;
  return match ?? cluster?.host.statuses.get(id)?.lastIndex ?? null;
}

/** A node of its own has no entry about itself. */
function ofItself({ log }: NodeCore, settings: NodeSettings): Member {
  const { host, port } = settings.mysqlAddress;
  return {
    id: log.identity.raftId,
    diskUuid: log.identity.diskUuid,
    name: settings.name,
    region: settings.region,
    peer: "",
    mysql: `${host}:${port}`,
    admin: "",
    version: settings.version,
    formatVersion: 1,
    server: "running",
  };
}

export function nodeMetrics(
  core: NodeCore,
  server: Readonly<ServerCounters>,
  cluster: ClusterPart | null,
): NodeMetrics {
  const { consensus } = core.driver;
  const { members } = core.state;
  const { connections, refusedConnections, logins, deniedLogins, dumps, bytesSent } = server;
  return {
    raft: {
      elections: consensus.history.elections,
      leaderChanges: consensus.history.leaderChanges,
      proposals: consensus.proposals,
      commitMsP50: core.driver.commitTimes.quantileMs(0.5),
      commitMsP99: core.driver.commitTimes.quantileMs(0.99),
      uncommittedBytes: consensus.uncommittedBytes,
      unsyncedBytes: consensus.unsyncedBytes,
      hashMismatches: cluster?.host.mismatched.size ?? 0,
    },
    peers: (cluster?.peers.reports() ?? []).map(({ trouble: _, rtt, ...report }) => ({
      ...report,
      name: members.get(report.id)?.name ?? "",
      rttMs: report.connected ? (rtt?.smoothedMs ?? null) : null,
    })),
    server: { connections, refusedConnections, logins, deniedLogins, dumps, bytesSent },
  };
}
