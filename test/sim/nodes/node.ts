/** A whole node on a simulated machine: all that `binraft start` runs but the command line. */

import { GEO } from "../../../geo/policies.ts";
import type { Life } from "../../../runtime/memory/life.ts";
import type { Machine } from "../../../runtime/memory/world.ts";
import { toHex } from "../../../src/base/bytes.ts";
import type { Logger } from "../../../src/base/logger.ts";
import type { ClusterSettings, History } from "../../../src/cluster/cluster-settings.ts";
import type { AccountSettings } from "../../../src/cluster/command.ts";
import { type Discovery, staticDiscovery } from "../../../src/cluster/discovery.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import type { NodeCore } from "../../../src/cluster/node-core.ts";
import { startNode } from "../../../src/cluster/start-node.ts";
import { createVerifiers } from "../../../src/mysql/auth/verifier.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { ANY_SECRET } from "../../support/any-secret.ts";
import { recordingLogger } from "./recording-logger.ts";

export const DATA_DIR = "data";
export const MYSQL_PORT = 3307;
export const PEER_PORT = 4306;
export const ACCOUNT = { user: "repl", password: "replica-secret" };
export const SECRET = "a secret of the simulated cluster";

/** So little that a reader soon meets the disk, and memory that it read into is used again at once. */
const MEMORY = { hotBytes: 128 * 1024, blockBytes: 3 * 1024 * 1024 };

export interface NodePlan {
  /** Names of machines. */
  readonly join: readonly string[];
  /** That of `join` when absent. */
  readonly discovery?: (platform: Platform) => Discovery;
  readonly bootstrapExpect: number | null;
  /** `--bootstrap`. */
  readonly bootstrap?: boolean;
  /** "all" when absent. */
  readonly history?: History;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly segmentBytes: number;
  readonly syncMs: number;
  readonly retentionBytes?: number | null;
  readonly region?: string;
  readonly geo?: Partial<GeoPlan>;
}

export type GeoPlan = Pick<
  ClusterSettings,
  | "placement"
  | "leaderCooldownMs"
  | "replaceAfterMs"
  | "removeAfterMs"
  | "compress"
  | "wanWindowBytes"
>;

const GEO_PLAN: GeoPlan = {
  placement: { mode: "manual", voters: 3, leaderRegion: null },
  leaderCooldownMs: 60_000,
  replaceAfterMs: 600_000,
  removeAfterMs: 0,
  compress: "auto",
  wanWindowBytes: 32 * 1024 * 1024,
};

export class SimNode {
  readonly name: string;
  readonly machine: Machine;
  readonly #plan: NodePlan;
  readonly #onEnd: (node: SimNode, error: Error) => void;
  readonly #logger: Logger;
  readonly lines: string[] = [];
  #life: Life | null = null;
  #node: RunningNode | null = null;
  /** The log of the last process, as it was when that ended. */
  log: DurableLog | null = null;

  /** Told of each process, before it applies anything. */
  onCore: (core: NodeCore) => void = () => {};
  /** Told of damaged entries that were written back. */
  onRepaired: (count: number) => void = () => {};

  constructor(machine: Machine, plan: NodePlan, onEnd: (node: SimNode, error: Error) => void) {
    this.name = machine.name;
    this.machine = machine;
    this.#plan = plan;
    this.#onEnd = onEnd;
    this.#logger = recordingLogger(
      this.lines,
      () => machine.world.time.now,
      (message, fields) => {
        if (message !== "Damaged entries were repaired from a peer") return;
        this.onRepaired(Number(fields["toIndex"]) - Number(fields["fromIndex"]) + 1);
      },
    );
  }

  get region(): string {
    return this.#plan.region ?? "";
  }

  get up(): boolean {
    return this.#life?.alive === true;
  }
  get node(): RunningNode | null {
    return this.up ? this.#node : null;
  }
  get leads(): boolean {
    return this.node?.core.driver.leads === true && this.#life?.isPaused === false;
  }

  start(): void {
    if (this.up) return;
    const platform = this.machine.start();
    const life = this.machine.life!;
    this.#life = life;
    this.#node = null;
    this.machine.disk(DATA_DIR).faults.syncMs = this.#plan.syncMs;
    const ended = (error: Error): void => {
      if (!life.alive) return;
      this.lines.push(`ended: ${error.message}`);
      this.machine.kill();
      this.#onEnd(this, error);
    };
    this.#open(platform).then((node) => {
      this.#node = node;
      this.log = node.core.log;
      void node.failed.then(ended);
    }, ended);
  }

  async #open(platform: Platform): Promise<RunningNode> {
    const { address } = this.machine;
    const { join, bootstrapExpect, heartbeatMs, electionMs, segmentBytes } = this.#plan;
    const now = platform.clock.wall();
    const tls = await platform.crypto.selfSignedCertificate({
      commonName: this.name,
      altNames: [address],
      notBefore: new Date(now - 1_000_000),
      notAfter: new Date(now + 1e12),
    });
    return startNode({
      onCore: (core) => this.onCore(core),
      platform,
      logger: this.#logger,
      policies: GEO,
      tls: null,
      settings: {
        name: this.name,
        region: this.#plan.region ?? "",
        version: "0.0.0-sim",
        dataDir: DATA_DIR,
        serverId: null,
        mysqlAddress: { host: address, port: MYSQL_PORT },
        segmentBytes,
        retentionBytes: this.#plan.retentionBytes ?? null,
        retentionHours: null,
        keepForAbsentHours: 0,
        requireTls: false,
        maxConnections: 200,
        allowOriginServerIds: true,
        source: null,
        accounts: new Map([[ACCOUNT.user, account(platform)]]),
        ...ANY_SECRET,
        memory: MEMORY,
        cluster: {
          listen: { host: address, port: PEER_PORT },
          advertised: {
            peer: `${address}:${PEER_PORT}`,
            mysql: `${address}:${MYSQL_PORT}`,
            admin: "",
          },
          discovery:
            this.#plan.discovery?.(platform) ??
            staticDiscovery(join.map((host) => ({ host, port: PEER_PORT }))),
          bootstrapExpect,
          bootstrap: this.#plan.bootstrap ?? false,
          history: this.#plan.history ?? "all",
          heartbeatMs,
          electionMs,
          ...GEO_PLAN,
          ...this.#plan.geo,
          credentials: async () => ({ ...tls, ca: null, secrets: [SECRET] }),
        },
      },
    });
  }

  kill(): void {
    this.machine.kill();
  }
  powerLoss(): string {
    return this.machine.powerLoss();
  }
  pause(): void {
    this.#life?.pause();
  }
  resume(): void {
    this.#life?.resume();
  }

  describe(): string {
    const core = this.node?.core;
    if (core === undefined) return `${this.name} ${this.up ? "is starting" : "is down"}`;
    const { node, fenced } = core.driver.consensus;
    const { voters, learners } = core.state.conf;
    return (
      `${this.name} (${core.log.identity.raftId}) ${node.role} term ${node.term} leader ${node.leader} ` +
      `commit ${node.commit} applied ${core.driver.applied} log ${core.log.firstIndex}-${core.log.lastIndex} ` +
      `voters ${voters} learners ${learners} executed ${core.state.stream.executed}` +
      (fenced === null ? "" : ` FENCED ${fenced}`)
    );
  }
}

function account({ crypto }: Platform): AccountSettings {
  const { sha2, native } = createVerifiers(crypto, ACCOUNT.password, { native: true });
  return { sha2: toHex(sha2), native: toHex(native!) };
}
