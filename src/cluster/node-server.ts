/** The binlog server of this node: its identity, accounts and status around server/server.ts. */
import { fromHex, readU32 } from "../base/bytes.ts";
import type { Logger } from "../base/logger.ts";
import { uuidText } from "../binlog/gtid-event.ts";
import type { Account } from "../mysql/auth/verifier.ts";
import type { Address } from "../platform/net.ts";
import { BinlogServer, type BinlogServerStatus } from "../server/server.ts";
import type { ServerIdentity } from "../server/shared.ts";
import type { Missing } from "../server/start-position.ts";
import type { SourceTables } from "../server/tables.ts";
import type { AccountSettings } from "./command.ts";
import { loginKey } from "./login-key.ts";
import { isVoter } from "./members.ts";
import type { NodeCore } from "./node-core.ts";
import type { StartOptions } from "./node-settings.ts";
import type { Settings } from "./node-state.ts";
import { NodeStream } from "./node-stream.ts";
import type { ReplicaStatus, ServerStatus } from "./operations.ts";

/** Which timeline the cluster is on, as its leader says; 0 where nobody can be asked. */
export type Timeline = () => Promise<number>;

export class NodeServer {
  readonly #server: BinlogServer;
  readonly #identity: ServerIdentity;
  readonly #tls: ServerStatus["tls"];
  readonly #clock: () => number;
  readonly #keepForAbsentMs: number;
  readonly #logger: Logger;
  readonly #settings: () => Settings;
  #running: { readonly stop: AbortController; readonly run: Promise<void> } | null = null;
  /** One change after the other. */
  #changing: Promise<void> = Promise.resolve();
  /** Upstream the cluster has one uuid, different from every node's. */
  readonly clusterUuid: string;
  readonly #configured: Address;
  /** Of the source; null until the node has one to ask. */
  tables: SourceTables | null = null;

  /** Rejects with NetError when it cannot listen. */
  static async start(
    core: NodeCore,
    options: StartOptions,
    wanted: boolean,
    timeline: Timeline,
  ): Promise<NodeServer> {
    const { platform, settings, logger, tls } = options;
    const { diskUuid } = core.log.identity;
    const diskBytes = fromHex(diskUuid);
    const identity: ServerIdentity = {
      serverUuid: uuidText(versioned(diskBytes)),
      // Derived, so that it stays; not 0, and apart from the small numbers that people give.
      serverId: settings.serverId ?? (readU32(diskBytes, 0) | 0x4000_0000) >>> 0,
    };
    let node: NodeServer | null = null;
    const server = new BinlogServer({
      platform,
      logger: logger.with({ part: "server" }),
      stream: new NodeStream(core),
      address: settings.mysqlAddress,
      identity,
      accounts: {
        find: (user) => accountOf(user, core.state.settings.accounts.get(user)),
        get someNative() {
          return [...core.state.settings.accounts.values()].some(
            (account) => account.native !== null,
          );
        },
      },
      tls,
      requireTls: settings.requireTls,
      rsaKey: null,
      fakeSecret: await loginKey(platform.disk(settings.dataDir), platform.random, logger),
      allowOriginServerIds: settings.allowOriginServerIds,
      sourceValues: () => core.state.settings.sourceValues,
      originServerIds: () => core.state.stream.origins,
      confirmMissing: (what) => confirmMissing(core, what),
      isOnTimeline: async () => core.state.stream.epoch >= (await timeline()),
      maxConnections: settings.maxConnections,
      tables: (account) => node?.tablesFor(account) ?? null,
    });
    node = new NodeServer(server, identity, core, options);
    if (wanted) await node.#listen();
    return node;
  }

  private constructor(
    server: BinlogServer,
    identity: ServerIdentity,
    core: NodeCore,
    options: StartOptions,
  ) {
    this.#server = server;
    this.#settings = () => core.state.settings;
    this.#identity = identity;
    this.#logger = options.logger;
    this.clusterUuid = uuidText(versioned(fromHex(core.log.identity.clusterId)));
    const { tls, settings } = options;
    this.#configured = settings.mysqlAddress;
    this.#tls = tls === null ? "off" : settings.requireTls ? "required" : "offered";
    this.#keepForAbsentMs = settings.keepForAbsentHours * 3_600_000;
    this.#clock = () => options.platform.clock.wall();
  }

  /** Looked up at each statement: an account may be changed while it is logged in. */
  tablesFor(account: string): SourceTables | null {
    const { accounts, source } = this.#settings();
    const isAllowed = accounts.get(account)?.metadata === true;
    return isAllowed && source !== null ? this.tables : null;
  }

  /** The one bound, or the configured one while it does not listen. */
  get address(): Address {
    return this.#server.address ?? this.#configured;
  }

  /** Rejects with NetError when it cannot listen. */
  async #listen(): Promise<void> {
    const stop = new AbortController();
    const run = this.#server.run(stop.signal);
    await Promise.race([this.#server.listening(), run]);
    this.#running = { stop, run };
  }

  /** Brings it to what is wanted. Never rejects: what went wrong is in the log and in the status. */
  want(running: boolean, graceMs: number): Promise<void> {
    this.#changing = this.#changing.then(async () => {
      if (running === (this.#running !== null)) return;
      if (!running) return this.#end(graceMs);
      await this.#listen().catch((error: Error) =>
        this.#logger.error("The binlog server cannot start", { reason: error.message }),
      );
    });
    return this.#changing;
  }

  status(): ServerStatus {
    const { connections, replicas, listening } = this.#server.status();
    return {
      listening: listening !== null,
      address: `${this.address.host}:${this.address.port}`,
      tls: this.#tls,
      ...this.#identity,
      version: this.#server.version(),
      connections,
      replicas,
    };
  }

  replicas(): ReplicaStatus[] {
    return this.#server.registry.list().map((replica) => ({
      serverId: replica.serverId,
      uuid: replica.uuid,
      address: replica.address,
      account: replica.account,
      file: replica.file,
      position: replica.position,
      sentBytes: replica.sentBytes,
      lagBytes: replica.lagBytes ?? 0,
      connectedMs: Math.round(this.#clock() - replica.sinceMs),
      tls: replica.tls,
      compression: replica.compression ?? "",
      state: replica.caughtUp ? "waiting for more" : "sending",
    }));
  }

  /** Sentences about replicas that get in each other's way. */
  alarms(): string[] {
    return this.#server.status().duplicateUuids.flatMap((duplicate) => {
      if (this.#clock() - duplicate.seenMs > ALARM_MS) return [];
      const { uuid, older, newer, refused } = duplicate;
      const what = refused
        ? `the second, of another account, is refused`
        : "they throw each other out";
      return [
        `Two replicas have the server_uuid ${uuid}, at ${older} and at ${newer}: ${what}; give one another uuid ` +
          "(delete its auto.cnf and restart it)",
      ];
    });
  }

  kick(uuid: string): boolean {
    return this.#server.registry.kick(uuid) > 0;
  }

  /** Every replica reconnects and is judged anew. */
  dropReplicas(): void {
    for (const replica of this.#server.registry.list()) this.kick(replica.uuid);
  }

  /** The entry that the slowest replica still needs, connected or not gone for long. */
  slowestEntry(): number {
    return this.#server.registry.neededFrom(this.#keepForAbsentMs);
  }

  stop(graceMs: number): Promise<void> {
    return this.want(false, graceMs);
  }

  async #end(graceMs: number): Promise<void> {
    const running = this.#running;
    this.#running = null;
    await this.#server.drain(graceMs);
    running?.stop.abort();
    await running?.run;
  }

  counters(): BinlogServerStatus {
    return this.#server.status();
  }
}

const BARRIER_MS = 5_000;
/** How long two replicas with one uuid are told of after they were seen last. */
const ALARM_MS = 10 * 60 * 1000;

/** All that the cluster has committed is here: what this node lacks nobody has. */
async function confirmMissing({ driver, log, state }: NodeCore, what: Missing): Promise<boolean> {
  // Who votes has all that there is, be it that it was made the only one (recover).
  const joinedFromNow = state.startsAt > 0 && !isVoter(state.conf, log.identity.raftId);
  if (what === "older" && joinedFromNow) return false;
  if (driver.damaged !== null || driver.consensus.fenced !== null) return false;
  return driver.barrier(BARRIER_MS).then(
    () => true,
    () => false,
  );
}

/** Random bytes as a version 4 uuid. */
function versioned(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice(0, 16);
  copy[6] = (copy[6]! & 0x0f) | 0x40;
  copy[8] = (copy[8]! & 0x3f) | 0x80;
  return copy;
}

function accountOf(name: string, settings: AccountSettings | undefined): Account | null {
  if (settings === undefined) return null;
  const native = settings.native === null ? null : fromHex(settings.native);
  return { name, verifiers: { sha2: fromHex(settings.sha2), native } };
}
