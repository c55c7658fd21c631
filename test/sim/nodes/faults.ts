/** Carries out the faults of a plan on whole nodes, and their ends. */
import type { DurableLog } from "../../../src/storage/log.ts";
import type { NodeCluster } from "./cluster.ts";
import { DATA_DIR, type SimNode } from "./node.ts";
import type { Fault, FaultKind } from "./plan.ts";
import { REGIONS } from "./regions.ts";

export class NodeFaults {
  readonly #cluster: NodeCluster;
  readonly counts: Record<string, number> = {};
  #ended = false;
  /** Their disk is gone, or they were removed: they stay down. */
  readonly #retired = new Set<SimNode>();

  constructor(cluster: NodeCluster) {
    this.#cluster = cluster;
  }

  inject({ kind, a, b }: Fault): void {
    if (this.#ended) return;
    const nodes = this.#cluster.nodes.filter((one) => !this.#retired.has(one));
    const node = nodes[a % nodes.length]!;
    if (!this.#act(kind, node, b, 300 + (b % 6_000))) return;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  #after(ms: number, end: () => void): void {
    this.#cluster.world.time.schedule(ms, "end", () => {
      if (!this.#ended) end();
    });
  }

  #act(kind: FaultKind, node: SimNode, b: number, lastsMs: number): boolean {
    const { nodes, source, world, replicas } = this.#cluster;
    const leader = this.#cluster.leader();
    switch (kind) {
      case "kill":
      case "powerLoss":
        if (kind === "kill") node.kill();
        else node.powerLoss();
        this.#after(lastsMs, () => this.#start(node));
        return true;
      case "killAll":
      case "powerLossAll":
        for (const one of nodes) {
          if (kind === "killAll") one.kill();
          else one.powerLoss();
        }
        this.#after(lastsMs, () => {
          for (const one of nodes) this.#start(one);
        });
        return true;
      case "pause":
        node.pause();
        this.#after(lastsMs, () => node.resume());
        return true;
      case "isolate":
      case "oneWay":
        for (const other of nodes) {
          if (other === node) continue;
          if (kind === "isolate" || b % 2 === 0)
            world.network.setLink(node.name, other.name, { blackHole: true });
          if (kind === "isolate" || b % 2 === 1)
            world.network.setLink(other.name, node.name, { blackHole: true });
        }
        this.#after(lastsMs, () => world.network.heal());
        return true;
      case "cutSource":
        source.cutDumps();
        return true;
      case "hideSource":
        world.network.partition(
          ["source"],
          nodes.map(({ name }) => name),
        );
        this.#after(lastsMs, () => world.network.heal());
        return true;
      case "transfer":
        // Over regions the source is said to be elsewhere, and the leader goes there by itself.
        if (this.#cluster.plan.geo && b % 2 === 0)
          leader?.node?.setSource({ region: REGIONS[(b >> 1) % REGIONS.length]! }).catch(() => {});
        else leader?.node?.transferLeader("").catch(() => {});
        return leader !== null;
      case "slowDisk":
        node.machine.disk(DATA_DIR).faults.syncMs = 50 + (b % 700);
        this.#after(lastsMs, () => this.#healDisk(node));
        return true;
      case "fullDisk": {
        const disk = node.machine.disk(DATA_DIR);
        disk.faults.capacityBytes = disk.image.usedBytes();
        this.#after(lastsMs, () => this.#healDisk(node));
        return true;
      }
      case "cutReplica":
        replicas[b % replicas.length]?.cut();
        return true;
      case "rotate":
        this.#cluster.rotateSource();
        return true;
      case "purge": {
        const files = leader?.node?.files() ?? [];
        // Only what both replicas have: a real operator's retention waits for them, too.
        const newest = files.at(-1)?.name ?? "";
        if (files.length < 2 || this.#cluster.slowestReplica < this.#cluster.lastBefore(newest))
          return false;
        leader!.node!.purge(newest, false).catch(() => {});
        return true;
      }
      case "join":
        if (nodes.length >= this.#cluster.plan.voters + 2) return false;
        this.#cluster.addNode(null, { history: b % 2 === 0 ? "all" : "from-now" });
        source.settings(nodes[nodes.length - 1]!.machine);
        return true;
      case "promote":
      case "demote":
      case "remove": {
        const running = leader?.node;
        if (running === undefined || running === null) return false;
        const { conf, members } = running.core.state;
        const ids =
          kind === "promote"
            ? conf.learners
            : kind === "demote"
              ? conf.voters
              : [...members.keys()];
        const id = ids[b % Math.max(1, ids.length)];
        if (id === undefined || (kind !== "promote" && conf.voters.length <= 2)) return false;
        const act =
          kind === "promote"
            ? "promoteMember"
            : kind === "demote"
              ? "demoteMember"
              : "removeMember";
        running[act](String(id)).then(
          () => kind === "remove" && this.#retire(id),
          () => {},
        );
        return true;
      }
      case "replaceDisk": {
        const id = node.log?.identity.raftId;
        const running = leader?.node;
        if (running == null || id === undefined || leader === node) return false;
        // Disks that are gone for good must leave a quorum; the product cannot help otherwise.
        const { voters, votersOutgoing } = running.core.state.conf;
        const left = voters.filter((voter) => voter !== id && !this.#lost.has(voter));
        if (2 * left.length <= voters.length || votersOutgoing.length > 0) return false;
        // What an operator does: the disk is lost, the node comes back empty and joins; the old member goes.
        node.powerLoss();
        node.machine.wipe(DATA_DIR);
        if (node.log !== null) this.lostLogs.set(id, node.log);
        node.log = null;
        this.#after(lastsMs, () => this.#start(node));
        running.removeMember(String(id)).catch(() => {});
        this.#lost.add(id);
        return true;
      }
    }
  }

  readonly #lost = new Set<number>();
  /** What lost disks had held: it counted when it was asked for. */
  readonly lostLogs: Map<number, DurableLog> = new Map();

  #retire(id: number): void {
    const node = this.#cluster.nodes.find((one) => one.log?.identity.raftId === id);
    if (node !== undefined) this.#retired.add(node);
  }

  #start(node: SimNode): void {
    node.start();
  }

  restartSoon(node: SimNode): void {
    this.#cluster.world.time.schedule(this.#ended ? 100 : 1_500, "restart", () => node.start());
  }

  #healDisk(node: SimNode): void {
    const { faults } = node.machine.disk(DATA_DIR);
    faults.syncMs = this.#cluster.plan.syncMs;
    faults.capacityBytes = Number.POSITIVE_INFINITY;
  }

  endAll(): void {
    this.#ended = true;
    const { nodes, world } = this.#cluster;
    world.network.heal();
    for (const node of nodes) {
      this.#healDisk(node);
      node.resume();
      node.start();
    }
    this.#removeLost();
  }

  /** Members whose disks are gone never come back: an operator removes them. */
  #removeLost(): void {
    const { world } = this.#cluster;
    world.time.schedule(1_000, "remove the lost", () => {
      const running = this.#cluster.leader()?.node;
      if (running != null) {
        for (const id of this.#lost) {
          if (running.core.state.members.has(id)) running.removeMember(String(id)).catch(() => {});
          else this.#lost.delete(id);
        }
      }
      if (this.#lost.size > 0) this.#removeLost();
    });
  }
}
