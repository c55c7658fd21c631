/** Machines of one app on Fly.io, simulated: its DNS, and for each machine how late it hears of the others. */
import assert from "node:assert/strict";
import { flyDiscovery, machineHost } from "../../../geo/fly-discovery.ts";
import type { World } from "../../../runtime/memory/world.ts";
import type { Dns } from "../../../src/platform/dns.ts";
import { NetError } from "../../../src/platform/net.ts";
import { PEER_PORT, type SimNode } from "../../sim/nodes/node.ts";
import { leaderOf, running, SimNodes } from "../cluster/sim-nodes.ts";

const APP = "demo";
const DEADLINE_MS = 120_000;

export interface FlyPlan {
  /** `cluster.bootstrap_expect`; 1 when absent. */
  readonly expect?: number | null;
  readonly bootstrap?: boolean;
  /** It hears of other machines so much later; of itself at once. */
  readonly lagMs?: number;
}

interface Listed {
  readonly id: string;
  readonly region: string;
  readonly sinceMs: number;
}

export class FlyWorld {
  readonly #nodes: SimNodes;
  /** All that exist, also those whose process does not run. */
  readonly machines: Listed[] = [];

  constructor(seed: number) {
    this.#nodes = new SimNodes(seed);
  }

  get world(): World {
    return this.#nodes.world;
  }

  /** `fly machine run`: from now on it is listed, and its process runs. */
  create(id: string, region: string, plan: FlyPlan = {}): SimNode {
    const node = this.prepare(id, region, plan);
    node.start();
    return node;
  }

  /** Exists and is stopped. */
  prepare(id: string, region: string, plan: FlyPlan = {}): SimNode {
    this.machines.push({ id, region, sinceMs: this.world.time.now });
    const { expect = 1, bootstrap = false, lagMs = 0 } = plan;
    return this.#nodes.prepare(machineHost(id, APP), {
      bootstrap,
      bootstrapExpect: bootstrap ? null : expect,
      discovery: ({ clock }) =>
        flyDiscovery({
          dns: this.#dnsOf(id, lagMs),
          clock,
          app: APP,
          machine: id,
          port: PEER_PORT,
        }),
    });
  }

  destroy(node: SimNode): void {
    node.kill();
    const at = this.machines.findIndex(({ id }) => machineHost(id, APP) === node.name);
    this.machines.splice(at, 1);
  }

  #dnsOf(own: string, lagMs: number): Dns {
    return {
      resolve: async (name, kind) => {
        if (name !== `all.vms.${APP}.internal` || kind !== "TXT")
          throw new NetError("ENOTFOUND", name);
        const { now } = this.world.time;
        const known = this.machines.filter(
          ({ id, sinceMs }) => id === own || sinceMs + lagMs <= now,
        );
        return [known.map(({ id, region }) => `${id} ${region}`).join(",")];
      },
    };
  }

  /** All of them are of one cluster and follow a leader. */
  async clustered(nodes: readonly SimNode[], what = "one cluster"): Promise<void> {
    const isSo = (): boolean => nodes.every((node) => leaderOf(node) > 0);
    await this.#nodes.until(what, isSo, DEADLINE_MS);
    assert.equal(this.clusters().size, 1, `${what}: ${this.describe()}`);
  }

  until(what: string, condition: () => boolean): Promise<void> {
    return this.#nodes.until(what, condition, DEADLINE_MS);
  }

  /** Nothing is formed meanwhile, by those that run. */
  async quiet(ms: number): Promise<void> {
    const before = this.clusters().size;
    await this.world.time.advance(ms);
    assert.equal(this.clusters().size, before, this.describe());
  }

  /** Ids of the clusters that running nodes are of. */
  clusters(): Set<string> {
    const up = this.#nodes.nodes.filter(({ node }) => node !== null);
    return new Set(up.map((node) => running(node).core.log.identity.clusterId));
  }

  voters(node: SimNode): readonly number[] {
    return running(node).core.state.conf.voters;
  }

  describe(): string {
    return this.#nodes.describe();
  }
}
