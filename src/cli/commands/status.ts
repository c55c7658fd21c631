/** `binraft status`: one node and its cluster at a glance, for a tired person. */
import type { Command } from "commander";
import type { ClusterStatus, NodeStatus, ReplicaStatus } from "../../cluster/operations.ts";
import { delay } from "../../platform/clock.ts";
import type { SyncerStatus } from "../../syncer/host.ts";
import type { AdminClient } from "../client.ts";
import { CliError, ExitCode, type GlobalOptions } from "../context.ts";
import { formatBytes, formatDuration, type Output, plural } from "../output.ts";
import { act, type VerbTable } from "../verb.ts";
import { printMembers, quorumOf } from "./member.ts";
import { printReplicas } from "./replica.ts";

/** Longer than any heartbeat. */
const SILENT_MS = 10_000;

const WATCH_MS = 1000;

interface StatusOptions extends GlobalOptions {
  readonly watch?: boolean;
}

interface Shown extends NodeStatus {
  readonly followers: readonly ReplicaStatus[];
  readonly cluster: ClusterStatus;
}

export function addStatusVerb(program: Command, table: VerbTable): void {
  program
    .command("status")
    .description(
      "show what the node does and what needs an eye; ends with 0 when nothing does, 4 without a quorum",
    )
    .option("--watch", "again every second, until interrupted")
    .action(
      act<StatusOptions>(table, async (verb) => {
        const node = await verb.connect();
        const { output } = verb;
        if (verb.options.watch !== true) {
          const status = await fetchStatus(node);
          verb.exit = healthOf(status);
          return output.result(status, () => printStatus(output, status));
        }
        await watch(verb.context.platform.clock, node, output);
      }),
    );
}

async function fetchStatus(node: AdminClient): Promise<Shown> {
  const status = await node.get<NodeStatus>("/v1/status");
  const { items } = await node.get<{ items: ReplicaStatus[] }>("/v1/replicas");
  const cluster = await node.get<ClusterStatus>("/v1/cluster");
  const shown = { ...status, followers: items, cluster };
  if (cluster.leaderId === 0 || cluster.leaderId === status.raft.id) return shown;
  // The leader alone pulls: what a follower could tell of its own syncer is no news.
  const syncer = await node.get<SyncerStatus>("/v1/syncer").catch((error: unknown) => {
    // One that was removed, or is cut off, has no leader to ask: its own state says why.
    if (error instanceof CliError && error.exit === ExitCode.NO_QUORUM) return status.syncer;
    throw error;
  });
  return { ...shown, syncer };
}

/** For scripts: 0 when nothing needs an eye, 4 without a quorum, else 1. */
function healthOf({ cluster, alarms }: Shown): ExitCode {
  const { leaderId, votersConnected, quorum } = cluster;
  if (leaderId === 0 || votersConnected < quorum) return ExitCode.NO_QUORUM;
  return alarms.length === 0 ? ExitCode.OK : ExitCode.FAILED;
}

async function watch(
  clock: Parameters<typeof delay>[0],
  node: AdminClient,
  output: Output,
): Promise<void> {
  for (;;) {
    try {
      const status = await fetchStatus(node);
      if (output.json) output.jsonLine(status);
      else {
        output.clear();
        printStatus(output, status);
      }
    } catch (error) {
      // A restart of the node is what one watches for: it is away, then it reads its log (BR4009).
      const isAway = error instanceof CliError && error.exit === ExitCode.UNREACHABLE;
      if (!isAway && !(error instanceof CliError && error.code === "BR4009")) throw error;
      if (output.json) output.jsonLine({ unreachable: error.message });
      else output.line(error.message);
    }
    await delay(clock, WATCH_MS);
  }
}

function printStatus(output: Output, status: Shown): void {
  const { node, raft, storage, stream, server, process } = status;
  for (const alarm of status.alarms) output.line(`${output.paint("red", "!")} ${alarm}`);
  if (status.alarms.length > 0) output.line();
  output.facts([
    ["node", list(`${node.name} in ${node.region}`, `binraft ${node.version} on ${node.runtime}`)],
    [
      "process",
      list(
        `pid ${process.pid}`,
        `up ${formatDuration(process.uptimeMs)}`,
        `${formatBytes(process.rssBytes)} resident`,
      ),
    ],
    ["cluster", list(status.clusterId, quorumOf(output, status.cluster))],
    [
      "raft",
      list(
        raft.role,
        raft.leaderSilentMs !== null && raft.leaderSilentMs > SILENT_MS
          ? output.paint("red", `no leader heard for ${formatDuration(raft.leaderSilentMs)}`)
          : "",
        `term ${raft.term}`,
        `entries ${raft.firstIndex} to ${raft.lastIndex}`,
        `committed ${raft.commit}`,
        `applied ${raft.applied}`,
      ),
    ],
    [
      "log",
      list(
        `${formatBytes(storage.logBytes)} in ${plural(storage.segments, "segment")}`,
        storage.dataDir,
        storage.full ? output.paint("red", "the disk is full") : "",
      ),
    ],
    [
      "stream",
      list(
        plural(stream.files, "file"),
        stream.file === "" ? "" : `ends at ${stream.file}:${stream.position}`,
        stream.open ? "inside a transaction" : "",
      ),
    ],
    ["executed", stream.executed === "" ? "nothing yet" : stream.executed],
    ["purged", stream.purged],
    [
      "server",
      list(
        server.listening ? server.address : "not listening",
        `TLS ${server.tls}`,
        `server_id ${server.serverId}`,
        plural(server.replicas, "replica"),
      ),
    ],
  ]);
  printSyncer(output, status.syncer);
  if (status.cluster.members.length > 1) {
    output.line();
    printMembers(output, status.cluster.members);
  }
  if (status.followers.length > 0) {
    output.line();
    printReplicas(output, status.followers);
  }
}

const STATE_COLOURS = { RUNNING: "green", CONNECTING: "yellow", STOPPED: "yellow" } as const;

export function printSyncer(output: Output, syncer: SyncerStatus): void {
  const { state, reason, source, sourceVersion, sourceUuid, gtids } = syncer;
  const colour = state in STATE_COLOURS ? STATE_COLOURS[state as "RUNNING"] : "red";
  const version = sourceVersion === "" ? "" : `MySQL ${sourceVersion}`;
  output.facts([
    ["syncer", `${output.paint(colour, state)}${reason === "" ? "" : `: ${reason}`}`],
    ["source", source === "" ? "none" : list(source, version, sourceUuid)],
    [
      "pulled to",
      syncer.file === ""
        ? ""
        : list(
            `${syncer.file}:${syncer.position}`,
            `${formatBytes(syncer.receivedBytes)} received`,
          ),
    ],
    ["semi-sync", state === "RUNNING" ? semiSync(syncer) : ""],
    ["kept connection", kept(syncer)],
    ...Object.entries(gtids).map(([name, set]) => [name, set === "" ? "nothing" : set] as const),
    ["next", syncer.next],
  ]);
}

function semiSync(syncer: SyncerStatus): string {
  const { semiSync: on, semiSyncSource, ackedFile, ackedPosition } = syncer;
  if (!on) return "off: the source's commits do not wait for binraft";
  const without = semiSyncSource?.commitsWithoutAck ?? 0;
  return list(
    semiSyncSource?.active === false ? "on, but the source does not wait" : "on",
    without === 0 ? "" : `${plural(without, "commit")} without an ACK`,
    ackedFile === "" ? "no ACK yet" : `acknowledged to ${ackedFile}:${ackedPosition}`,
  );
}

function kept({ kept: { state, reason }, loginHangs }: SyncerStatus): string {
  if (state === "off") return "";
  return list(state, reason, loginHangs ? "the source lets nobody log in" : "");
}

function list(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(", ");
}
