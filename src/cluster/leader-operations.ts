/**
 * What the leader does when it is asked to (operations.ts): each is an entry in the log, resolved once
 * it is applied here. What follows from an entry on every node is in node.ts, for it follows from
 * apply. Calls come through leader-calls.ts, from this node or another.
 */
import type { Logger } from "../base/logger.ts";
import { printable } from "../base/logger.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { MetCluster } from "../peers/protocol.ts";
import type { Platform } from "../platform/platform.ts";
import { errantCheck, errantTransactions } from "../syncer/errant.ts";
import { type SourceCheck, SyncerStop } from "../syncer/host.ts";
import { checkSets } from "../syncer/source-sets.ts";
import type { AccountSettings, Command, RetentionSettings, SourceSettings } from "./command.ts";
import type { Announcement } from "./members.ts";
import type { NodeCore } from "./node-core.ts";
import { OperationError } from "./operations.ts";
import { stopFor } from "./other-clusters.ts";
import { lookAtSource } from "./source-look.ts";
import type { SourcePart } from "./source-part.ts";
import { METADATA_FORMAT, mayWrite } from "./version-gate.ts";

export interface LeaderParts {
  readonly core: NodeCore;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly source: SourcePart;
}

export class LeaderOperations {
  readonly #core: NodeCore;
  readonly #platform: Platform;
  readonly #logger: Logger;
  readonly #source: SourcePart;

  constructor({ core, platform, logger, source }: LeaderParts) {
    this.#core = core;
    this.#platform = platform;
    this.#logger = logger;
    this.#source = source;
  }

  #command(command: Command): Promise<void> {
    return this.#core.driver.command(command);
  }

  async purge(firstKept: string, dryRun: boolean): Promise<readonly string[]> {
    const { files } = this.#core.state.stream;
    const at = files.findIndex((file) => file.name === firstKept);
    if (at < 0) throw noFile(firstKept);
    const names = files.slice(0, at).map((file) => file.name);
    if (dryRun || names.length === 0) return names;
    await this.#command({ type: "purge", firstKept });
    this.#logger.info("Purged binlog files", { first: names[0]!, last: names[names.length - 1]! });
    return names;
  }

  /** What is secret in it is sealed already. */
  async setSource(change: Partial<SourceSettings>): Promise<void> {
    const old = this.#core.state.settings.source;
    const source = { ...DEFAULT_SOURCE, ...old, ...change };
    if (source.host === "" || source.user === "") {
      throw new OperationError(
        "invalid",
        "A source needs a host and a user: mysql://user@host:3306",
      );
    }
    await this.#command({ type: "set-source", source });
  }

  async startSyncer(): Promise<void> {
    await this.#command({ type: "set-syncer", wanted: "running" });
  }

  async stopSyncer(): Promise<void> {
    await this.#command({ type: "set-syncer", wanted: "stopped" });
  }

  /** Another cluster was met: the younger one stops (other-clusters.ts). */
  async metCluster(met: MetCluster): Promise<void> {
    const { log, state } = this.#core;
    const stop = stopFor(log.identity, met, state.settings.metClusters);
    if (stop === null) return;
    this.#logger.error(stop.because);
    const { clusterId } = met;
    await this.#command({ type: "set-syncer", wanted: "stopped", ...stop, met: clusterId });
  }

  async checkSource(): Promise<readonly SourceCheck[]> {
    const config = await this.#source.config();
    if (config === null) {
      throw new OperationError(
        "conflict",
        "No source is set",
        "binraft syncer set mysql://user@host:3306",
      );
    }
    // Taken before the questions: what comes in meanwhile may not be in the answers.
    const stored = this.#core.state.stream.executed.clone();
    return lookAtSource(this.#platform, config, async (_client, facts) =>
      this.#checkSets(facts, stored),
    );
  }

  #checkSets(facts: Parameters<typeof checkSets>[1], stored: GtidSet): SourceCheck[] {
    if (!this.#core.state.stream.started) return [];
    try {
      checkSets(this.#source.host, facts, stored);
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
    await this.#command({ type: "accept-gap", gtids: set.toString() });
  }

  async acceptUnproved(confirm: string): Promise<void> {
    this.#mustConfirm(confirm);
    const { last } = this.#core.state.stream;
    if (last === null) {
      throw new OperationError(
        "conflict",
        "There is nothing to prove: no transaction is stored here",
        "binraft syncer show",
      );
    }
    this.#logger.warn("An operator vouches that the source's history is the one stored here", {
      last: `${last.sid}:${last.gno}`,
    });
    await this.#command({ type: "accept-unproved" });
  }

  async newTimeline(confirm: string): Promise<void> {
    this.#mustConfirm(confirm);
    const { executed } = this.#core.state.stream;
    this.#logger.warn("An operator begins a new timeline: the old files stay for export", {
      executed: executed.toString(),
    });
    await this.#command({ type: "new-timeline" });
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

  async setAccount(name: string, account: AccountSettings): Promise<void> {
    if (!/^[^\p{Cc}]{1,32}$/u.test(name)) {
      throw new OperationError("invalid", "An account's name has 1 to 32 printable characters");
    }
    if (account.metadata && !mayWrite(this.#core.state, METADATA_FORMAT)) {
      throw new OperationError(
        "conflict",
        "A member runs an older version, which does not know accounts that may ask about tables",
        "upgrade all members first: binraft cluster show",
      );
    }
    await this.#command({ type: "set-account", name, account });
  }

  async removeAccount(name: string): Promise<void> {
    if (!this.#core.state.settings.accounts.has(name)) {
      throw new OperationError("not-found", `There is no account "${printable(name, 64)}"`);
    }
    await this.#command({ type: "remove-account", name });
  }

  setRetention(retention: RetentionSettings): Promise<void> {
    return this.#command({ type: "set-retention", retention });
  }

  setServer(id: number, wanted: "running" | "stopped"): Promise<void> {
    return this.#command({ type: "set-server", id, wanted });
  }

  announce(id: number, announcement: Announcement): Promise<void> {
    return this.#command({ type: "announce", id, announcement });
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
  keepConnection: true,
  region: null,
};

export function noFile(name: string): OperationError {
  return new OperationError(
    "not-found",
    `There is no binlog file "${printable(name, 128)}"`,
    "binraft binlog list",
  );
}

export type Provide = <A extends readonly unknown[]>(
  name: string,
  method: (...args: A) => Promise<unknown>,
) => void;

/** By the names under which other nodes ask for them. */
export function provideOperations(provide: Provide, operations: LeaderOperations): void {
  provide("purge", (firstKept: string, dryRun: boolean) => operations.purge(firstKept, dryRun));
  provide("setSource", (change: Partial<SourceSettings>) => operations.setSource(change));
  provide("startSyncer", () => operations.startSyncer());
  provide("stopSyncer", () => operations.stopSyncer());
  provide("checkSource", () => operations.checkSource());
  provide("acceptGap", (gtids: string, confirm: string) => operations.acceptGap(gtids, confirm));
  provide("acceptUnproved", (confirm: string) => operations.acceptUnproved(confirm));
  provide("newTimeline", (confirm: string) => operations.newTimeline(confirm));
  provide("setAccount", (name: string, account: AccountSettings) =>
    operations.setAccount(name, account),
  );
  provide("removeAccount", (name: string) => operations.removeAccount(name));
  provide("setRetention", (retention: RetentionSettings) => operations.setRetention(retention));
  provide("setServer", (id: number, wanted: "running" | "stopped") =>
    operations.setServer(id, wanted),
  );
}
