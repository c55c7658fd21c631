/** One snapshot of a node for the API, the CLI and people; and what of it needs an eye. */
import type { Platform } from "../platform/platform.ts";
import type { SyncerStatus } from "../syncer/host.ts";
import { LOCKED_OUT } from "../syncer/source-login.ts";
import type { ClusterPart } from "./cluster-part.ts";
import { isVoter } from "./members.ts";
import type { NodeCore } from "./node-core.ts";
import type { NodeSettings } from "./node-settings.ts";
import type { NodeStatus, ServerStatus } from "./operations.ts";

export interface StatusParts {
  readonly settings: NodeSettings;
  readonly platform: Platform;
  readonly syncer: SyncerStatus;
  readonly server: ServerStatus;
  readonly serverAlarms: readonly string[];
  readonly cluster: ClusterPart | null;
  /** Monotonic. */
  readonly startedMs: number;
}

export function nodeStatus(core: NodeCore, parts: StatusParts): NodeStatus {
  const { log, state, driver } = core;
  const { stream } = state;
  const { name, region, version, dataDir } = parts.settings;
  const { process, clock } = parts.platform;
  return {
    node: { name, region, version, runtime: process.runtime },
    clusterId: log.identity.clusterId,
    raft: {
      id: log.identity.raftId,
      role: roleOf(core),
      term: driver.term,
      commit: driver.commit,
      applied: driver.applied,
      lastIndex: log.lastIndex,
      firstIndex: log.firstIndex,
      leaderSilentMs: driver.consensus.leaderSilentMs,
    },
    storage: {
      dataDir,
      logBytes: log.diskBytes,
      segments: log.segmentCount,
      full: log.full,
      appendedBytes: log.appendedBytes,
      syncs: log.syncs,
      damage: log.damage.map((d) => `entries ${d.fromIndex} to ${d.toIndex}: ${d.why}`),
    },
    stream: {
      executed: stream.executed.toString(),
      purged: stream.purged.toString(),
      files: stream.files.length,
      file: stream.file?.name ?? "",
      position: stream.file?.size ?? 0,
      visibleBytes: stream.visibleEnd,
      deadBytes: stream.deadBytes,
      open: stream.open !== null,
    },
    syncer: parts.syncer,
    server: parts.server,
    alarms: [
      ...alarmsOf(core, parts.syncer),
      ...clusterAlarms(core, parts.cluster),
      ...parts.serverAlarms,
    ],
    process: {
      pid: process.pid,
      rssBytes: process.rssBytes(),
      cpuMs: process.cpuMs(),
      uptimeMs: Math.round(clock.mono() - parts.startedMs),
    },
  };
}

function roleOf({ driver, state, log }: NodeCore): string {
  if (driver.leads) return "leader";
  const { raftId } = log.identity;
  const hasVote = isVoter(state.conf, raftId);
  return hasVote || state.conf.voters.length === 0 ? "follower" : "learner";
}

/** What concerns the others. */
function clusterAlarms({ driver, state, log }: NodeCore, cluster: ClusterPart | null): string[] {
  const alarms: string[] = [];
  const { fenced, node } = driver.consensus;
  if (fenced !== null) alarms.push(fenced);
  else if (cluster !== null && node.leader === 0)
    alarms.push(
      "No leader is known: commits at the source wait until a majority of the voters hear each other",
    );
  for (const { id, connected, trouble } of cluster?.peers.reports() ?? []) {
    const member = state.members.get(id);
    if (!connected && member !== undefined)
      alarms.push(`Node "${member.name}" (${id}) is not heard of: ${trouble}`);
  }
  const other = cluster?.otherClusterAlarm ?? null;
  if (other !== null) alarms.push(other);
  if (state.settings.stoppedBecause !== null) alarms.push(state.settings.stoppedBecause);
  const hopeless = cluster?.hopelessDamage ?? null;
  if (hopeless !== null && log.damage.length > 0)
    alarms.push(
      `Entries ${hopeless.fromIndex} to ${hopeless.toIndex} could not be repaired from a peer: if it stays so, ` +
        "replace this node (move its data directory away, start it empty, promote it, remove the old member)",
    );
  const critical = cluster?.needlesslyCritical() ?? [];
  if (critical.length > 0)
    alarms.push(
      `Losing region ${critical.join(" or ")} stops commits: binraft cluster placement shows better voters`,
    );
  for (const [id, index] of cluster?.host.mismatched ?? []) {
    alarms.push(
      `The entries up to ${index} are not the same on this node (${log.identity.raftId}) and on node ${id}: one of ` +
        "them has wrong bytes; binraft log verify on both shows which",
    );
  }
  return alarms;
}

/** Sentences; none when all is well. */
function alarmsOf(core: NodeCore, syncer: SyncerStatus): string[] {
  const { log, driver } = core;
  const alarms: string[] = [];
  if (log.full)
    alarms.push(
      "The disk is full: once the room that is left is used, nothing new is taken in and commits wait; free space, " +
        "and it goes on by itself",
    );
  if (driver.damaged !== null)
    alarms.push(`The log is damaged: ${driver.damaged.message}; binraft log verify shows where`);
  for (const range of log.damage) {
    alarms.push(
      `Entries ${range.fromIndex} to ${range.toIndex} are damaged on this disk and are not served`,
    );
  }
  if (syncer.state === "GAP" || syncer.state === "FORK" || syncer.state === "REFUSED") {
    alarms.push(`The syncer stopped (${syncer.state}): ${syncer.reason}`);
  }
  if (syncer.brokenPulls >= 3) {
    alarms.push(
      `${syncer.brokenPulls} pulls in a row broke inside one transaction: the retry is slowed down`,
    );
  }
  if (syncer.loginHangs) alarms.push(LOCKED_OUT);
  if (syncer.semiSyncSource?.active === false) {
    alarms.push(
      "The source does not wait for binraft: its semi-sync fell back after the time-out, or is off",
    );
  }
  const others = syncer.semiSyncSource?.otherReplicas ?? 0;
  if (others > 0) {
    alarms.push(
      `The source has ${others} semi-sync ${others === 1 ? "replica" : "replicas"} beside binraft: an ACK from ` +
        "there would do instead of ours; set rpl_semi_sync_replica_enabled = OFF there",
    );
  }
  const warned = syncer.checks.filter((check) => check.level === "warn");
  for (const check of warned) alarms.push(check.message);
  return alarms;
}
