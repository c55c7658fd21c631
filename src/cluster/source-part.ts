/**
 * What of a node has to do with the source: its settings, secrets resolved, the syncer while it leads,
 * and the connection that is kept by whoever may lead.
 */
import type { Service } from "../base/service.ts";
import type { SourceConfig } from "../syncer/host.ts";
import { KeptConnection } from "../syncer/kept-connection.ts";
import { SourceLogin } from "../syncer/source-login.ts";
import { SourceTablesReader } from "../syncer/source-tables.ts";
import { Syncer } from "../syncer/syncer.ts";
import { Leading } from "./leading.ts";
import { isVoter } from "./members.ts";
import type { NodeCore } from "./node-core.ts";
import type { StartOptions } from "./node-settings.ts";
import { whyStopped } from "./node-state.ts";
import { Seal } from "./seal.ts";
import { describeSource, resolveSource } from "./source-config.ts";
import { NodeSyncerHost, type Voters } from "./syncer-host.ts";

export interface SourcePartOptions {
  readonly core: NodeCore;
  readonly options: StartOptions;
  /** What the source sees of us, whoever leads. */
  readonly clusterUuid: string;
  /** Null on a node of its own. */
  readonly voters: Voters | null;
}

export class SourcePart implements Service {
  readonly host: NodeSyncerHost;
  readonly syncer: Syncer;
  readonly seal: Seal;
  readonly tables: SourceTablesReader;
  readonly #kept: KeptConnection;
  readonly #login: SourceLogin;
  readonly #core: NodeCore;
  readonly #options: StartOptions;
  readonly #clusterUuid: string;

  constructor({ core, options, clusterUuid, voters }: SourcePartOptions) {
    this.#core = core;
    this.#options = options;
    this.#clusterUuid = clusterUuid;
    this.host = new NodeSyncerHost(core, voters);
    const { platform, settings } = options;
    const { crypto, random } = platform;
    this.seal = new Seal(crypto, random, settings.sealKeys, core.log.identity.clusterId);
    const logger = options.logger.with({ part: "syncer" });
    this.#login = new SourceLogin(platform, logger);
    this.#kept = new KeptConnection({
      platform,
      login: this.#login,
      config: async () => (this.#mayLead ? this.#keptConfig() : null),
    });
    this.tables = new SourceTablesReader({
      platform,
      logger,
      config: () => this.config(),
      asOf: () => core.state.stream.visibleEnd,
    });
    this.syncer = new Syncer({
      platform,
      host: this.host,
      logger,
      login: this.#login,
      kept: this.#kept,
      config: () => this.config(),
      stopped: () => whyStopped(core.state.settings),
      describe: () => describeSource(core.state.settings.source),
    });
  }

  async config(): Promise<SourceConfig | null> {
    const { source } = this.#core.state.settings;
    if (source === null) return null;
    const { process } = this.#options.platform;
    return resolveSource(source, { process, seal: this.seal }, this.#clusterUuid);
  }

  async #keptConfig(): Promise<SourceConfig | null> {
    const config = await this.config();
    return config?.keepConnection ? config : null;
  }

  /** A learner does not, nor one that takes no part any more. */
  get #mayLead(): boolean {
    const { state, log, driver } = this.#core;
    if (driver.consensus.fenced !== null || driver.damaged !== null) return false;
    return whyStopped(state.settings) === null && isVoter(state.conf, log.identity.raftId);
  }

  /** Another source, other settings of it, or what an operator decided about it. */
  settingsChanged(): void {
    this.#login.forget();
    this.syncer.restart();
    this.#kept.look();
  }

  /** Who may lead is perhaps another one now. */
  membersChanged(): void {
    this.#kept.look();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { platform, logger, settings } = this.#options;
    const [core, syncer] = [this.#core, this.syncer];
    const leading = new Leading({ core, clock: platform.clock, logger, settings, syncer });
    await Promise.all([leading.run(signal), this.#kept.run(signal)]);
    this.tables.stop();
  }
}
