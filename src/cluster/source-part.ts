/** What of a node has to do with the source: its settings, secrets resolved, and the syncer while it leads. */
import type { Service } from "../base/service.ts";
import type { SourceConfig } from "../syncer/host.ts";
import { Syncer } from "../syncer/syncer.ts";
import { Leading } from "./leading.ts";
import type { NodeCore } from "./node-core.ts";
import type { StartOptions } from "./node-settings.ts";
import { whyStopped } from "./node-state.ts";
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
  readonly #core: NodeCore;
  readonly #options: StartOptions;
  readonly #clusterUuid: string;

  constructor({ core, options, clusterUuid, voters }: SourcePartOptions) {
    this.#core = core;
    this.#options = options;
    this.#clusterUuid = clusterUuid;
    this.host = new NodeSyncerHost(core, voters);
    this.syncer = new Syncer({
      platform: options.platform,
      host: this.host,
      logger: options.logger.with({ part: "syncer" }),
      config: () => this.config(),
      stopped: () => whyStopped(core.state.settings),
      describe: () => describeSource(core.state.settings.source),
    });
  }

  async config(): Promise<SourceConfig | null> {
    const { source } = this.#core.state.settings;
    if (source === null) return null;
    return resolveSource(source, this.#options.platform.process, this.#clusterUuid);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { platform, logger, settings } = this.#options;
    const [core, syncer] = [this.#core, this.syncer];
    await new Leading({ core, clock: platform.clock, logger, settings, syncer }).run(signal);
  }
}
