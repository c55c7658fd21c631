/** Carries out the faults of a plan on whole nodes, and their ends; what each kind does is in its group's file. */
import type { NodeCluster } from "./cluster.ts";
import { DiskFaults } from "./disk-faults.ts";
import { machineFaults } from "./machine-faults.ts";
import { memberFaults } from "./member-faults.ts";
import type { SimNode } from "./node.ts";
import type { Fault, FaultKind } from "./plan.ts";
import { sourceFaults } from "./source-faults.ts";

export interface Hit {
  readonly node: SimNode;
  /** Drawn for this fault. */
  readonly b: number;
  readonly lastsMs: number;
}

/** False when it does not fit the moment. */
export type Act = (hit: Hit) => boolean;
export type Acts = Readonly<Partial<Record<FaultKind, Act>>>;

export class NodeFaults {
  readonly #cluster: NodeCluster;
  readonly counts: Record<string, number> = {};
  readonly disks: DiskFaults;
  #ended = false;
  /** They were removed: they stay down. */
  readonly #retired = new Set<SimNode>();
  readonly #acts: Acts;

  constructor(cluster: NodeCluster) {
    this.#cluster = cluster;
    this.disks = new DiskFaults(cluster, this);
    this.#acts = {
      ...machineFaults(cluster, this),
      ...sourceFaults(cluster, this),
      ...memberFaults(cluster, this),
      ...this.disks.acts,
    };
  }

  get ended(): boolean {
    return this.#ended;
  }

  inject({ kind, a, b }: Fault): void {
    if (this.#ended) return;
    const nodes = this.#cluster.nodes.filter((one) => !this.#retired.has(one));
    const node = nodes[a % nodes.length]!;
    if (!this.#acts[kind]!({ node, b, lastsMs: 300 + (b % 6_000) })) return;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  /** Of what a fault began; nothing once all faults have ended. */
  after(ms: number, end: () => void): void {
    this.#cluster.world.time.schedule(ms, "end", () => {
      if (!this.#ended) end();
    });
  }

  retire(id: number): void {
    const node = this.#cluster.nodes.find((one) => one.log?.identity.raftId === id);
    if (node !== undefined) this.#retired.add(node);
  }

  /** Its process ended by itself. */
  restartSoon(node: SimNode): void {
    this.#cluster.world.time.schedule(this.#ended ? 100 : 1_500, "restart", () => {
      if (!this.disks.isGivenUp(node)) node.start();
    });
  }

  endAll(): void {
    this.#ended = true;
    const { nodes, world, sources, away } = this.#cluster;
    away.clear();
    world.network.heal();
    sources.recoverAll();
    for (const node of nodes) {
      this.disks.heal(node);
      node.resume();
      if (!this.disks.isGivenUp(node)) node.start();
    }
  }
}
