/** One snapshot of a node for the API, the CLI and people; and what of it needs an eye. */
import type { Platform } from "../platform/platform.ts";
import type { SyncerStatus } from "../syncer/host.ts";
import type { NodeSettings } from "./node.ts";
import type { NodeCore } from "./node-core.ts";
import type { NodeStatus, ServerStatus } from "./operations.ts";

export interface StatusParts {
  readonly settings: NodeSettings;
  readonly platform: Platform;
  readonly syncer: SyncerStatus;
  readonly server: ServerStatus;
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
      role: driver.leads ? "leader" : "follower",
      term: driver.term,
      commit: driver.commit,
      applied: driver.applied,
      lastIndex: log.lastIndex,
      firstIndex: log.firstIndex,
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
    alarms: alarmsOf(core, parts.syncer),
    process: {
      pid: process.pid,
      rssBytes: process.rssBytes(),
      cpuMs: process.cpuMs(),
      uptimeMs: Math.round(clock.mono() - parts.startedMs),
    },
  };
}

/** Sentences; none when all is well. */
function alarmsOf(core: NodeCore, syncer: SyncerStatus): string[] {
  const { log, driver } = core;
  const alarms: string[] = [];
  if (log.full)
    alarms.push("The disk is full: nothing new is taken in; free space, and it goes on by itself");
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
  if (syncer.semiSyncSource?.active === false) {
    alarms.push(
      "The source does not wait for binraft: its semi-sync fell back after the time-out, or is off",
    );
  }
  const warned = syncer.checks.filter((check) => check.level === "warn");
  for (const check of warned) alarms.push(check.message);
  return alarms;
}
