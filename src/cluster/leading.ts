/**
 * What a node does while it leads: seeds the settings of a fresh log from its configuration, once, and
 * pulls from the source. It ends with leadership and begins anew with the next.
 */
import type { Logger } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import { type Clock, delay } from "../platform/clock.ts";
import { ProposalDropped } from "../raft/errors.ts";
import type { Syncer } from "../syncer/syncer.ts";
import type { AccountSettings, SourceSettings } from "./command.ts";
import type { NodeCore } from "./node-core.ts";
import type { NodeSettings } from "./node-settings.ts";
import { describeSource } from "./source-config.ts";

export interface LeadingParts {
  readonly core: NodeCore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: NodeSettings;
  readonly syncer: Syncer;
}

export class Leading implements Service {
  readonly #core: NodeCore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #settings: NodeSettings;
  readonly #syncer: Syncer;

  constructor({ core, clock, logger, settings, syncer }: LeadingParts) {
    this.#core = core;
    this.#clock = clock;
    this.#logger = logger;
    this.#settings = settings;
    this.#syncer = syncer;
  }

  /** While this node leads: seeds the settings of a fresh log, then pulls. */
  async run(signal: AbortSignal): Promise<void> {
    const { driver } = this.#core;
    const { roleChanged } = driver.consensus;
    let seeded = false;
    while (!signal.aborted) {
      if (!driver.leads) {
        this.#syncer.rest("This node does not lead");
        await this.#untilItMayLead(signal);
        continue;
      }
      const term = new AbortController();
      const end = (): void => term.abort();
      signal.addEventListener("abort", end, { once: true });
      const watch = (): void => {
        if (!driver.leads) end();
        else if (!term.signal.aborted) roleChanged.once(watch);
      };
      watch();
      try {
        if (!seeded) await this.#seed();
        seeded = true;
        if (!term.signal.aborted) await this.#syncer.run(term.signal);
      } catch (error) {
        // A leader that hands over or whose disk is full takes nothing for a while: it tries again.
        if (driver.leads && !(error instanceof ProposalDropped)) throw error;
        await delay(this.#clock, 5, signal);
      } finally {
        signal.removeEventListener("abort", end);
        end();
        roleChanged.wake();
      }
    }
  }

  /** A leader has to apply what is from before its term: that takes a moment, and nobody tells when. */
  async #untilItMayLead(signal: AbortSignal): Promise<void> {
    const { consensus } = this.#core.driver;
    const patience = new AbortController();
    const wake = (): void => patience.abort();
    consensus.roleChanged.once(wake);
    signal.addEventListener("abort", wake, { once: true });
    const waitMs = consensus.node.role === "leader" ? 5 : 1_000;
    await delay(this.#clock, waitMs, patience.signal);
    signal.removeEventListener("abort", wake);
  }

  async #seed(): Promise<void> {
    const { driver, state } = this.#core;
    const { source, accounts, retentionBytes, retentionHours } = this.#settings;
    const held = state.settings;
    if (source !== null && held.source === null)
      await driver.command({ type: "set-source", source });
    else if (source !== null && held.source !== null) {
      const differing = differingFields(source, held.source);
      if (differing.length > 0) {
        this.#logger.warn(
          `${differing.join(", ")} in the configuration and in the log are not the same; the log holds: change it ` +
            "with binraft syncer set, or correct the file",
          { log: describeSource(held.source), file: describeSource(source) },
        );
      }
    }
    if (held.retention === null) {
      const retention = { bytes: retentionBytes, hours: retentionHours };
      await driver.command({ type: "set-retention", retention });
    } else if (
      (retentionBytes ?? retentionHours) !== null &&
      (held.retention.bytes !== retentionBytes || held.retention.hours !== retentionHours)
    ) {
      this.#logger.warn(
        "The configuration's retention differs from the one in the log, which holds: change it with " +
          "binraft cluster retention",
      );
    }
    for (const [name, account] of accounts) {
      const known = held.accounts.get(name);
      if (known === undefined) await driver.command({ type: "set-account", name, account });
      else if (!sameAccount(known, account)) {
        this.#logger.warn(
          "An account of the configuration differs from the one in the log, which holds: change it with " +
            "binraft account set",
          { account: name },
        );
      }
    }
  }
}

function sameAccount(a: AccountSettings, b: AccountSettings): boolean {
  const same = a.sha2 === b.sha2 && a.native === b.native;
  return same && (a.metadata ?? false) === (b.metadata ?? false);
}

/** By the names that the configuration has for them. */
function differingFields(file: SourceSettings, log: SourceSettings): string[] {
  return (Object.keys(SOURCE_OPTIONS) as (keyof SourceSettings)[])
    .filter((field) => file[field] !== log[field])
    .map((field) => `source.${SOURCE_OPTIONS[field]}`)
    .filter((name, at, all) => all.indexOf(name) === at);
}

const SOURCE_OPTIONS: Readonly<Record<keyof SourceSettings, string>> = {
  host: "url",
  port: "url",
  user: "url",
  passwordRef: "password_file",
  tls: "tls",
  tlsCa: "tls_ca",
  tlsCert: "tls_cert",
  tlsKey: "tls_key",
  publicKeyFile: "public_key_file",
  semiSync: "semi_sync",
  serverId: "server_id",
  nativePassword: "native_password",
  keepConnection: "keep_connection",
  region: "region",
};
