/**
 * One node, composed: log, apply, peers, syncer and binlog server, and the answers to the admin API
 * (operations.ts). Start order: place in the cluster → log → apply what is committed → serve → lead →
 * pull. Stop order is the reverse and ends with a checkpoint, so that the next start is quick.
 *
 * Reads are answered here. What only the leader may do goes through leader-calls.ts; what follows
 * from an entry on every node happens when it is applied (`#follow`).
 */
import type { Logger } from "../base/logger.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import type { Address } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { Scrub } from "../storage/scrub.ts";
import type { SyncerStatus } from "../syncer/host.ts";
import { backupBytes } from "./backup.ts";
import type { ClusterPart } from "./cluster-part.ts";
import { clusterStatus, memberStatus, nodeMetrics } from "./cluster-status.ts";
import type { Command, SourceSettings } from "./command.ts";
import { exportBytes } from "./export.ts";
import { LeaderCalls } from "./leader-calls.ts";
import { LeaderOperations, noFile, type Provide, provideOperations } from "./leader-operations.ts";
import { LeaderWrites } from "./leader-writes.ts";
import { membersOf } from "./members.ts";
import { checkpointOf, type NodeCore } from "./node-core.ts";
import type { NodeServer } from "./node-server.ts";
import type { NodeSettings, StartOptions } from "./node-settings.ts";
import {
  accountStatus,
  type ClusterOperations,
  type ClusterStatus,
  type GtidStatus,
  type MemberStatus,
  type NearNode,
  type NodeMetrics,
  type NodeOperations,
  type NodeStatus,
  type ReplicaStatus,
  type ServerStatus,
  type SourceChange,
} from "./operations.ts";
import { nearestNodes, refusePlacement } from "./placement-operations.ts";
import { RetentionWatch } from "./retention-watch.ts";
import { sealChange } from "./source-config.ts";
import { SourcePart } from "./source-part.ts";
import { nodeStatus } from "./status.ts";

const DRAIN_MS = 5_000;
/** What start-node.ts has put together. */
export interface NodeParts {
  readonly core: NodeCore;
  readonly server: NodeServer;
  readonly cluster: ClusterPart | null;
  readonly options: StartOptions;
  readonly failed: Promise<Error>;
  readonly fail: (error: Error) => void;
}

export class RunningNode extends LeaderWrites implements NodeOperations, ClusterOperations {
  /** For embedders, and for who checks it. */
  readonly core: NodeCore;
  readonly #server: NodeServer;
  readonly #cluster: ClusterPart | null;
  readonly #platform: Platform;
  readonly #logger: Logger;
  readonly #settings: NodeSettings;
  readonly #source: SourcePart;
  protected readonly leader: LeaderCalls;
  readonly #stopSource = new AbortController();
  readonly #stopDriver = new AbortController();
  readonly #stopScrub = new AbortController();
  readonly #stopRetention = new AbortController();
  readonly #driverRun: Promise<void>;
  readonly #sourceRun: Promise<void>;
  readonly #scrubRun: Promise<void>;
  readonly #retentionRun: Promise<void>;
  readonly #startedMs: number;
  #purging: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;
  /** The log cannot be written any more: the process must end with this. */
  readonly failed: Promise<Error>;

  constructor({ core, server, cluster, options, failed, fail }: NodeParts) {
    super();
    this.core = core;
    this.#server = server;
    this.#cluster = cluster;
    this.#platform = options.platform;
    this.#logger = options.logger;
    this.#settings = options.settings;
    this.#startedMs = options.platform.clock.mono();
    this.failed = failed;
    const { clusterUuid } = server;
    this.#source = new SourcePart({ core, options, clusterUuid, voters: cluster });
    server.tables = this.#source.tables;
    const { platform, logger } = options;
    this.leader = new LeaderCalls(core, platform.clock, cluster?.peers ?? null);
    const operations = new LeaderOperations({ core, platform, logger, source: this.#source });
    const provide: Provide = (name, method) => this.leader.provide(name, method);
    provideOperations(provide, operations);
    provide("syncer", async () => this.#source.syncer.status());
    provide("timeline", async () => core.state.stream.epoch);
    if (cluster === null) refusePlacement(provide);
    else cluster.provide(provide, operations);
    core.driver.observe({
      commandApplied: (command) => this.#follow(command),
      confApplied: () => this.#membersChanged(),
      chunkApplied: () => {
        const { startsAt, stream } = core.state;
        if (startsAt === stream.applied) this.#purge();
      },
      replaced: () => this.#replaced(),
    });
    // It would go on serving what it has and get nothing new: replicas are to go elsewhere.
    core.driver.consensus.onFenced = () => {
      void server.want(false, DRAIN_MS);
      this.#source.membersChanged();
    };
    cluster?.begin(this.leader, () => server.slowestEntry());
    this.#driverRun = core.driver.run(this.#stopDriver.signal).catch((error: Error) => fail(error));
    const { clock } = platform;
    this.#sourceRun = this.#source.run(this.#stopSource.signal).catch((e: Error) => fail(e));
    this.#retentionRun = new RetentionWatch({
      core,
      clock,
      logger,
      slowestEntry: () =>
        Math.min(server.slowestEntry(), cluster?.slowestEntry() ?? Number.MAX_SAFE_INTEGER),
      purge: (firstKept) => this.purge(firstKept, false),
    }).run(this.#stopRetention.signal);
    // What was applied before anybody observed: a start may have come in the middle of it.
    this.#membersChanged();
    cluster?.timingChanged();
    this.#purge();
    this.#scrubRun = new Scrub(core.log, platform.clock, logger.with({ part: "scrub" }))
      .run(this.#stopScrub.signal)
      .catch((error: Error) => logger.error("The scrub ended", { reason: error.message }));
  }

  /** What an entry brings about on each node. */
  #follow(command: Command): void {
    switch (command.type) {
      case "set-source":
      case "set-syncer":
      case "accept-unproved":
        this.#source.settingsChanged();
        return;
      case "accept-gap":
      case "new-timeline":
        // Those that lack the gap must be told so, not fed what comes behind it.
        this.#server.dropReplicas();
        this.#source.settingsChanged();
        return;
      case "purge":
        this.#purge();
        return;
      case "announce":
        this.#cluster?.membersChanged();
        return;
      case "set-timing":
        this.#cluster?.timingChanged();
        return;
      case "set-server":
        if (command.id === this.core.log.identity.raftId)
          void this.#server.want(command.wanted === "running", DRAIN_MS);
        return;
      default:
    }
  }

  /** A snapshot took the place of all that was here. */
  #replaced(): void {
    this.#server.dropReplicas();
    this.#cluster?.timingChanged();
    this.#membersChanged();
    void this.#server.want(this.#serverWanted, DRAIN_MS);
  }

  #membersChanged(): void {
    this.#cluster?.membersChanged();
    this.#source.membersChanged();
    const { state, log, driver } = this.core;
    const { raftId } = log.identity;
    // One that catches up comes upon its own entry later.
    if (raftId <= state.highestId && !membersOf(state.conf).includes(raftId))
      driver.consensus.fence("This node was removed from the cluster");
  }

  get #serverWanted(): boolean {
    const { state, log, driver } = this.core;
    if (driver.consensus.fenced !== null) return false;
    return state.members.get(log.identity.raftId)?.server !== "stopped";
  }

  #purge(): void {
    const { log, state } = this.core;
    this.#purging = this.#purging.then(async () => {
      const oldest = state.stream.files[0];
      if (oldest === undefined || this.#stopping !== null) return;
      await log.purgeBefore(oldest.startEntry).catch((error: Error) => {
        this.#logger.warn("Purging the log failed", { reason: error.message });
      });
    });
  }

  get mysqlAddress(): Address {
    return this.#server.address;
  }

  status(): NodeStatus {
    return nodeStatus(this.core, {
      settings: this.#settings,
      platform: this.#platform,
      syncer: this.#source.syncer.status(),
      server: this.#server.status(),
      serverAlarms: this.#server.alarms(),
      cluster: this.#cluster,
      startedMs: this.#startedMs,
    });
  }

  notReady(): string | null {
    const { driver, state } = this.core;
    const { fenced, node } = driver.consensus;
    if (this.#stopping !== null) return "the node is stopping";
    if (driver.damaged !== null) return "the log is damaged";
    if (fenced !== null) return fenced;
    if (this.#lacksAccounts) return "the accounts of its configuration are not in the log yet";
    if (!state.hasFirstFile) return "the log has not come to this node's first file yet";
    if (node.isOnlyVoter) return driver.leads ? null : "the node does not lead yet";
    return node.leader === 0 ? "no leader is known" : null;
  }

  /** Who logged in now would be told that the password is wrong. */
  get #lacksAccounts(): boolean {
    const known = this.core.state.settings.accounts;
    const wanted = [...this.#settings.accounts.keys()];
    if (this.core.driver.leads) return wanted.some((name) => !known.has(name));
    return wanted.length > 0 && known.size === 0;
  }

  replicas(): readonly ReplicaStatus[] {
    return this.#server.replicas();
  }
  kickReplica(uuid: string): boolean {
    return this.#server.kick(uuid);
  }

  gtid(): GtidStatus {
    const { executed, purged, sourceUuids } = this.core.state.stream;
    const sets = { executed: executed.toString(), purged: purged.toString() };
    return { ...sets, sourceUuids: [...sourceUuids] };
  }

  files(): readonly BinlogFile[] {
    return this.core.state.stream.files;
  }
  exportFile(name: string): AsyncIterable<Uint8Array> {
    const file = this.files().find((f) => f.name === name);
    if (file === undefined) throw noFile(name);
    return exportBytes(this.core.log, this.core.state.stream, file);
  }

  backup(): AsyncIterable<Uint8Array> {
    return backupBytes(this.core, this.#settings.version, this.#platform.crypto.crc32);
  }

  source(): SourceSettings | null {
    return this.core.state.settings.source;
  }

  /** Sealed here: what is secret in it goes no further as it is. */
  async setSource(change: SourceChange): Promise<void> {
    const [{ seal }, { secretPlaces }] = [this.#source, this.#settings];
    const sealed = await sealChange(change, this.source(), seal, secretPlaces);
    await this.leader.onLeader("setSource", sealed);
  }

  async syncer(): Promise<SyncerStatus> {
    if (this.core.driver.consensus.node.leader === 0) return this.#source.syncer.status();
    return (await this.leader.onLeader("syncer")) as SyncerStatus;
  }

  accounts(): ReturnType<NodeOperations["accounts"]> {
    return [...this.core.state.settings.accounts].map(accountStatus);
  }
  startServer(): Promise<ServerStatus> {
    return this.#wantServer("running");
  }
  stopServer(): Promise<ServerStatus> {
    return this.#wantServer("stopped");
  }
  async #wantServer(wanted: "running" | "stopped"): Promise<ServerStatus> {
    await this.leader.onLeader("setServer", this.core.log.identity.raftId, wanted);
    // The entry may not be applied here yet.
    await this.#server.want(wanted === "running", DRAIN_MS);
    return this.#server.status();
  }

  cluster(): ClusterStatus {
    return clusterStatus(this.core, this.#settings, this.#cluster);
  }
  nearest(region: string): readonly NearNode[] {
    return nearestNodes(this.core, this.#settings, this.#cluster, region);
  }
  metrics(): NodeMetrics {
    return nodeMetrics(this.core, this.#server.counters().counters, this.#cluster);
  }

  /** As this node knows it, once it has applied what made it. */
  protected async member(id: unknown): Promise<MemberStatus> {
    await this.core.driver.barrier(10_000).catch(() => {});
    return memberStatus(this.core, this.#settings, this.#cluster, id as number);
  }

  /** Drains, syncs, closes. The second call waits for the first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#stopRetention.abort();
    this.#stopScrub.abort();
    const isAlone = this.core.driver.consensus.node.isOnlyVoter;
    if (!isAlone) await this.#cluster?.leave();
    this.#stopSource.abort();
    await this.#sourceRun;
    await this.#server.stop(DRAIN_MS);
    // With others, what is not committed yet is theirs to settle.
    if (isAlone) await this.core.driver.settled().catch(() => {});
    this.#stopDriver.abort();
    await this.#driverRun;
    await this.#scrubRun;
    await this.#retentionRun;
    await this.#purging;
    await this.#cluster?.stop();
    const { log, state } = this.core;
    await log.saveCheckpoint(checkpointOf(log, state)).catch((error: Error) => {
      this.#logger.warn("No checkpoint was written at the stop: the next start takes longer", {
        reason: error.message,
      });
    });
    await log.close();
  }
}
