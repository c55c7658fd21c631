/**
 * One node, composed: log, apply, syncer and binlog server, and the answers to the admin API
 * (operations.ts). Start order: log → apply what is committed → serve → lead → pull. Stop order is
 * the reverse and ends with a checkpoint, so that the next start is quick.
 */

import type { Logger } from "../base/logger.ts";
import { printable } from "../base/logger.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { connect } from "../mysql/client.ts";
import { type Cancel, delay } from "../platform/clock.ts";
import type { Address } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { Scrub } from "../storage/scrub.ts";
import { checkSets } from "../syncer/attach.ts";
import { errantCheck, errantTransactions } from "../syncer/errant.ts";
import type { SourceCheck, SourceConfig } from "../syncer/host.ts";
import { SyncerStop } from "../syncer/host.ts";
import { readFacts } from "../syncer/source-checks.ts";
import { clientConfig } from "../syncer/source-session.ts";
import { Syncer } from "../syncer/syncer.ts";
import type { AccountSettings, SourceSettings } from "./command.ts";
import { exportBytes } from "./export.ts";
import { checkpointOf, type NodeCore, openCore } from "./node-core.ts";
import { NodeServer } from "./node-server.ts";
import {
  type GtidStatus,
  type NodeOperations,
  type NodeStatus,
  OperationError,
  type ReplicaStatus,
  type SourceChange,
} from "./operations.ts";
import { firstFileToKeep, type RetentionPolicy } from "./retention.ts";
import { resolveSource } from "./source-config.ts";
import { nodeStatus } from "./status.ts";
import { NodeSyncerHost } from "./syncer-host.ts";

export interface NodeSettings extends RetentionPolicy {
  readonly name: string;
  readonly region: string;
  readonly version: string;
  readonly dataDir: string;
  /** Null: derived from the disk's identity. */
  readonly serverId: number | null;
  readonly mysqlAddress: Address;
  readonly segmentBytes: number;
  /** For so long purge keeps what a replica will ask for that left; 0: not at all. */
  readonly keepForAbsentHours: number;
  readonly requireTls: boolean;
  readonly maxConnections: number;
  readonly allowOriginServerIds: boolean;
  /** Seeds of the replicated settings: they count once, then the log holds. */
  readonly source: SourceSettings | null;
  readonly accounts: ReadonlyMap<string, AccountSettings>;
}

export interface StartOptions {
  readonly platform: Platform;
  readonly logger: Logger;
  readonly settings: NodeSettings;
  /** For replicas; null serves without TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
}

const RETENTION_CHECK_MS = 30_000;
const DRAIN_MS = 5_000;

export async function startNode(options: StartOptions): Promise<RunningNode> {
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const { platform, logger, settings } = options;
  const core = await openCore(platform, logger, {
    dataDir: settings.dataDir,
    segmentBytes: settings.segmentBytes,
    onFatal: (error) => fail(error),
    cluster: null,
  });
  try {
    await core.driver.recover();
    const server = await NodeServer.start(core, options);
    return new RunningNode(core, server, options, failed, fail);
  } catch (error) {
    await core.log.close();
    throw error;
  }
}

export class RunningNode implements NodeOperations {
  readonly #core: NodeCore;
  readonly #server: NodeServer;
  readonly #platform: Platform;
  readonly #logger: Logger;
  readonly #settings: NodeSettings;
  readonly #syncer: Syncer;
  readonly #host: NodeSyncerHost;
  readonly #stopSyncer = new AbortController();
  readonly #stopDriver = new AbortController();
  readonly #stopScrub = new AbortController();
  readonly #driverRun: Promise<void>;
  readonly #syncerRun: Promise<void>;
  readonly #scrubRun: Promise<void>;
  readonly #startedMs: number;
  #retentionTimer: Cancel = () => {};
  #stopping: Promise<void> | null = null;
  /** The log cannot be written any more: the process must end with this. */
  readonly failed: Promise<Error>;

  constructor(
    core: NodeCore,
    server: NodeServer,
    options: StartOptions,
    failed: Promise<Error>,
    fail: (error: Error) => void,
  ) {
    this.#core = core;
    this.#server = server;
    this.#platform = options.platform;
    this.#logger = options.logger;
    this.#settings = options.settings;
    this.#startedMs = options.platform.clock.mono();
    this.failed = failed;
    this.#host = new NodeSyncerHost(core);
    this.#syncer = new Syncer({
      platform: options.platform,
      host: this.#host,
      logger: options.logger.with({ part: "syncer" }),
      config: () => this.#sourceConfig(),
      wanted: () => core.state.settings.syncer === "running",
      describe: () => describeSource(core.state.settings.source),
    });
    this.#driverRun = core.driver.run(this.#stopDriver.signal).catch((error: Error) => fail(error));
    this.#syncerRun = this.#lead().catch((error: Error) => fail(error));
    this.#watchRetention();
    const { platform, logger } = options;
    this.#scrubRun = new Scrub(core.log, platform.clock, logger.with({ part: "scrub" }))
      .run(this.#stopScrub.signal)
      .catch((error: Error) => logger.error("The scrub ended", { reason: error.message }));
  }

  /** Waits for leadership, seeds the settings of a fresh log, then pulls. */
  async #lead(): Promise<void> {
    const { driver } = this.#core;
    const signal = this.#stopSyncer.signal;
    while (!driver.leads && !signal.aborted) await delay(this.#platform.clock, 5, signal);
    if (signal.aborted) return;
    await this.#seed();
    await this.#syncer.run(signal);
  }

  async #seed(): Promise<void> {
    const { driver, state } = this.#core;
    const { source, accounts } = this.#settings;
    const held = state.settings;
    if (source !== null && held.source === null)
      await driver.command({ type: "set-source", source });
    else if (source !== null && JSON.stringify(source) !== JSON.stringify(held.source)) {
      this.#logger.warn(
        "The configuration's [source] differs from the one in the log, which holds: change it with binraft syncer set",
        { log: describeSource(held.source), file: describeSource(source) },
      );
    }
    for (const [name, account] of accounts) {
      const known = held.accounts.get(name);
      if (known === undefined) await driver.command({ type: "set-account", name, account });
      else if (known.sha2 !== account.sha2 || known.native !== account.native) {
        this.#logger.warn(
          "An account of the configuration differs from the one in the log, which holds: change it with binraft account set",
          { account: name },
        );
      }
    }
  }

  async #sourceConfig(): Promise<SourceConfig | null> {
    const { source } = this.#core.state.settings;
    if (source === null) return null;
    return resolveSource(source, this.#platform.process, this.#server.clusterUuid);
  }

  get mysqlAddress(): Address {
    return this.#server.address;
  }

  #watchRetention(): void {
    this.#retentionTimer = this.#platform.clock.after(RETENTION_CHECK_MS, () => {
      this.#retain()
        .catch((error: Error) => this.#logger.warn("Purging failed", { reason: error.message }))
        .finally(() => this.#watchRetention());
    });
  }

  async #retain(): Promise<void> {
    const { state, driver } = this.#core;
    const { files } = state.stream;
    const newest = files[files.length - 1]?.lastTimestamp ?? 0;
    // The events' own clock: a jump of this machine's clock must not purge anything.
    const nowSeconds = Math.min(
      this.#platform.clock.wall() / 1000,
      newest + this.#quietSeconds(newest),
    );
    const keep = firstFileToKeep(files, this.#settings, nowSeconds, this.#server.slowestEntry());
    if (keep !== null && driver.leads) await this.purge(keep.name, false);
  }

  #newest = { timestamp: 0, seenMs: 0 };
  /** How long nothing newer came, on the monotonic clock. */
  #quietSeconds(newest: number): number {
    const now = this.#platform.clock.mono();
    if (newest !== this.#newest.timestamp) this.#newest = { timestamp: newest, seenMs: now };
    return (now - this.#newest.seenMs) / 1000;
  }

  status(): NodeStatus {
    return nodeStatus(this.#core, {
      settings: this.#settings,
      platform: this.#platform,
      syncer: this.#syncer.status(),
      server: this.#server.status(),
      startedMs: this.#startedMs,
    });
  }

  notReady(): string | null {
    if (this.#stopping !== null) return "the node is stopping";
    if (this.#core.driver.damaged !== null) return "the log is damaged";
    return this.#core.driver.leads ? null : "the node does not lead yet";
  }

  replicas(): readonly ReplicaStatus[] {
    return this.#server.replicas();
  }

  kickReplica(uuid: string): boolean {
    return this.#server.kick(uuid);
  }

  gtid(): GtidStatus {
    const { executed, purged, sourceUuids } = this.#core.state.stream;
    return {
      executed: executed.toString(),
      purged: purged.toString(),
      sourceUuids: [...sourceUuids],
    };
  }

  files(): readonly BinlogFile[] {
    return this.#core.state.stream.files;
  }

  exportFile(name: string): AsyncIterable<Uint8Array> {
    const file = this.files().find((f) => f.name === name);
    if (file === undefined) throw noFile(name);
    return exportBytes(this.#core.log, this.#core.state.stream, file);
  }

  async purge(firstKept: string, dryRun: boolean): Promise<readonly string[]> {
    const { driver, log, state } = this.#core;
    const files = this.files();
    const at = files.findIndex((file) => file.name === firstKept);
    if (at < 0) throw noFile(firstKept);
    const names = files.slice(0, at).map((file) => file.name);
    if (dryRun || names.length === 0) return names;
    this.#mustLead();
    await driver.command({ type: "purge", firstKept });
    this.#logger.info("Purged binlog files", { first: names[0]!, last: names[names.length - 1]! });
    const oldest = state.stream.files[0];
    if (oldest !== undefined) await log.purgeBefore(oldest.startEntry);
    return names;
  }

  source(): SourceSettings | null {
    return this.#core.state.settings.source;
  }

  async setSource(change: SourceChange): Promise<void> {
    this.#mustLead();
    const old = this.source();
    const source = { ...DEFAULT_SOURCE, ...old, ...change };
    if (source.host === "" || source.user === "") {
      throw new OperationError(
        "invalid",
        "A source needs a host and a user: mysql://user@host:3306",
      );
    }
    await this.#core.driver.command({ type: "set-source", source });
    this.#syncer.restart();
  }

  async startSyncer(): Promise<void> {
    this.#mustLead();
    await this.#core.driver.command({ type: "set-syncer", wanted: "running" });
    this.#syncer.restart();
  }

  async stopSyncer(): Promise<void> {
    this.#mustLead();
    await this.#core.driver.command({ type: "set-syncer", wanted: "stopped" });
    this.#syncer.restart();
  }

  async checkSource(): Promise<readonly SourceCheck[]> {
    const config = await this.#sourceConfig();
    if (config === null) {
      throw new OperationError(
        "conflict",
        "No source is set",
        "binraft syncer set mysql://user@host:3306",
      );
    }
    const place = `${config.host}:${config.port}`;
    try {
      const client = await connect(clientConfig(config), this.#platform);
      try {
        const facts = await readFacts(client, config);
        const connected: SourceCheck = {
          name: "connect",
          level: "ok",
          message: `Connected to ${place}, MySQL ${facts.version}`,
        };
        return [connected, ...facts.checks, ...this.#checkSets(facts)];
      } finally {
        client.close();
      }
    } catch (error) {
      return [
        { name: "connect", level: "fail", message: printable((error as Error).message, 512) },
      ];
    }
  }

  #checkSets(facts: Parameters<typeof checkSets>[1]): SourceCheck[] {
    if (!this.#core.state.stream.started) return [];
    try {
      checkSets(this.#host, facts);
      const errant = errantCheck(errantTransactions(this.#core.state.stream, facts));
      return [
        {
          name: "gtid_sets",
          level: "ok",
          message: "The source has all that is stored here, and what comes next",
        },
        ...(errant === null ? [] : [errant]),
      ];
    } catch (error) {
      if (!(error instanceof SyncerStop)) throw error;
      const sets = Object.entries(error.gtids).map(([name, set]) => `${name}: ${set}`);
      return [
        {
          name: "gtid_sets",
          level: "fail",
          message: `${error.state}: ${error.message} (${sets.join("; ")}). Next: ${error.next}`,
        },
      ];
    }
  }

  async acceptGap(gtids: string, confirm: string): Promise<void> {
    this.#mustLead();
    this.#mustConfirm(confirm);
    let set: GtidSet;
    try {
      set = GtidSet.parse(gtids);
    } catch (error) {
      throw new OperationError("invalid", (error as Error).message);
    }
    if (set.isEmpty)
      throw new OperationError("invalid", "The GTID set is empty: name what is to be given up");
    const known = set.intersect(this.#core.state.stream.executed);
    if (!known.isEmpty) {
      throw new OperationError(
        "conflict",
        `These transactions are stored here, they are no gap: ${known}`,
      );
    }
    this.#logger.warn("An operator accepts that transactions are lost to replicas", {
      gtids: set.toString(),
    });
    await this.#core.driver.command({ type: "accept-gap", gtids: set.toString() });
    // Those that lack the gap must be told so, not fed what comes behind it.
    this.#server.dropReplicas();
    this.#syncer.restart();
  }

  async newTimeline(confirm: string): Promise<void> {
    this.#mustLead();
    this.#mustConfirm(confirm);
    const { executed } = this.#core.state.stream;
    this.#logger.warn("An operator begins a new timeline: the old files stay for export", {
      executed: executed.toString(),
    });
    await this.#core.driver.command({ type: "new-timeline" });
    this.#server.dropReplicas();
    this.#syncer.restart();
  }

  #mustConfirm(confirm: string): void {
    const { clusterId } = this.#core.log.identity;
    if (confirm === clusterId) return;
    throw new OperationError(
      "conflict",
      "The confirmation is not this cluster's id",
      `--confirm ${clusterId}`,
    );
  }

  #mustLead(): void {
    if (this.#core.driver.leads && this.#core.driver.damaged === null) return;
    throw new OperationError("unavailable", "This node does not lead: try again in a moment");
  }

  accounts(): readonly { readonly name: string; readonly native: boolean }[] {
    const { accounts } = this.#core.state.settings;
    return [...accounts].map(([name, account]) => ({ name, native: account.native !== null }));
  }

  async setAccount(name: string, account: AccountSettings): Promise<void> {
    this.#mustLead();
    if (!/^[^\p{Cc}]{1,32}$/u.test(name)) {
      throw new OperationError("invalid", "An account's name has 1 to 32 printable characters");
    }
    await this.#core.driver.command({ type: "set-account", name, account });
  }

  async removeAccount(name: string): Promise<void> {
    this.#mustLead();
    if (!this.#core.state.settings.accounts.has(name)) {
      throw new OperationError("not-found", `There is no account "${printable(name, 64)}"`);
    }
    await this.#core.driver.command({ type: "remove-account", name });
  }

  /** Drains, syncs, closes. The second call waits for the first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#retentionTimer();
    this.#stopSyncer.abort();
    this.#stopScrub.abort();
    await this.#syncerRun;
    await this.#server.stop(DRAIN_MS);
    await this.#core.driver.settled().catch(() => {});
    this.#stopDriver.abort();
    await this.#driverRun;
    await this.#scrubRun;
    const { log, state } = this.#core;
    await log.saveCheckpoint(checkpointOf(log, state)).catch((error: Error) => {
      this.#logger.warn("No checkpoint was written at the stop: the next start takes longer", {
        reason: error.message,
      });
    });
    await log.close();
  }
}

const DEFAULT_SOURCE: SourceSettings = {
  host: "",
  port: 3306,
  user: "",
  passwordRef: null,
  tls: "verify-identity",
  tlsCa: null,
  tlsCert: null,
  tlsKey: null,
  publicKeyFile: null,
  semiSync: true,
  serverId: 4000,
  nativePassword: false,
};

function describeSource(source: SourceSettings | null): string {
  return source === null
    ? ""
    : `mysql://${printable(source.user, 64)}@${printable(source.host, 255)}:${source.port}`;
}

function noFile(name: string): OperationError {
  return new OperationError(
    "not-found",
    `There is no binlog file "${printable(name, 128)}"`,
    "binraft binlog list",
  );
}
