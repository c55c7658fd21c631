/**
 * Carries out the faults of a plan, and their ends. In liveness mode a fault that would leave less
 * than a quorum whole and connected is left out.
 */

import type { ConfChangeStep } from "../../../src/raft/conf-change.ts";
import { NOISE, overwrite, writtenSector } from "../bad-sectors.ts";
import type { MachineCluster } from "./cluster.ts";
import type { MachineNode } from "./node.ts";
import type { Fault, FaultKind } from "./plan.ts";

const CAUGHT_UP = 64;
const HOUR_MS = 3_600_000;
/** The longest that a fault of liveness mode lasts. */
const SHORT_MS = 3_000;

export class FaultInjector {
  readonly #cluster: MachineCluster;
  readonly counts: Record<string, number> = {};
  /** Nodes that a fault is at; each until its own end. */
  readonly #faulty = new Map<number, number>();
  /** A disk was lost: its node is being replaced. */
  #replacing: { old: number; fresh: number } | null = null;
  /** With bad sectors. */
  #damaged: MachineNode | null = null;
  /** With a write that never returns. */
  readonly #hung = new Set<MachineNode>();
  #ended = false;

  constructor(cluster: MachineCluster) {
    this.#cluster = cluster;
  }

  inject({ kind, a, b }: Fault): void {
    const { nodes, plan } = this.#cluster;
    const node = nodes[a % nodes.length]!;
    const lastsMs = plan.mode === "liveness" ? 200 + (b % SHORT_MS) : 200 + (b % 8_000);
    if (plan.mode === "liveness" && !this.#affordable(node, kind)) return;
    if (!this.#act(kind, node, a, b, lastsMs)) return;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  /** Whether with this one faulty, too, a majority of the voters is not. */
  #affordable(node: MachineNode, kind: FaultKind): boolean {
    if (kind === "heal" || kind === "wallJump") return true;
    const { voters } = this.#cluster.plan;
    const faulty = new Set([...this.#faulty.keys(), node.id]);
    return [...faulty].filter((id) => id <= voters).length <= Math.floor((voters - 1) / 2);
  }

  #during(node: MachineNode, ms: number, end: () => void): void {
    this.#faulty.set(node.id, (this.#faulty.get(node.id) ?? 0) + 1);
    this.#cluster.world.time.schedule(ms, `end at ${node.id}`, () => {
      const left = this.#faulty.get(node.id)! - 1;
      if (left > 0) this.#faulty.set(node.id, left);
      else this.#faulty.delete(node.id);
      if (!this.#ended) end();
    });
  }

  /** False when it does not fit the moment. */
  #act(kind: FaultKind, node: MachineNode, a: number, b: number, lastsMs: number): boolean {
    const { nodes, network } = this.#cluster;
    const { faults } = node.disk;
    switch (kind) {
      case "powerLoss":
      case "kill":
        if (node.isRetired) return false;
        if (kind === "kill") node.kill();
        else this.#count(`power loss, ${node.powerLoss()}`);
        this.#during(node, lastsMs, () => node.start());
        return true;
      case "pause":
        node.pause();
        this.#during(node, lastsMs, () => node.resume());
        return true;
      case "partition":
        for (const x of nodes)
          for (const y of nodes)
            if (((b >> x.id) & 1) !== ((b >> y.id) & 1)) network.cut(x.id, y.id);
        return true;
      case "isolate":
      case "oneWay":
        for (const other of nodes) {
          if (other === node) continue;
          if (kind === "isolate" || b % 2 === 0) network.cut(node.id, other.id);
          if (kind === "isolate" || b % 2 === 1) network.cut(other.id, node.id);
        }
        this.#during(node, lastsMs, () => network.heal());
        return true;
      case "cutPair": {
        const other = nodes[b % nodes.length]!;
        network.cut(node.id, other.id);
        network.cut(other.id, node.id);
        return other !== node;
      }
      case "heal":
        if (this.#cluster.plan.mode === "safety") network.heal();
        return true;
      case "slowDisk":
        faults.syncMs = 50 + (b % 700);
        this.#during(node, lastsMs, () => this.#healDisk(node));
        return true;
      case "hangDisk":
        faults.syncHangs = true;
        this.#hung.add(node);
        this.#during(node, lastsMs, () => this.#replug(node));
        return true;
      case "diskError":
        faults.writeError = "EIO";
        faults.syncError = "EIO";
        this.#during(node, lastsMs, () => {
          this.#healDisk(node);
          node.start();
        });
        return true;
      case "fullDisk":
        faults.capacityBytes = node.disk.image.usedBytes();
        this.#during(node, lastsMs, () => this.#healDisk(node));
        return true;
      case "wallJump":
        node.machine.clock.wallOffsetMs += ((b % 48) - 24) * HOUR_MS;
        return true;
      case "transfer":
        this.#cluster.leader()?.parts?.driver.consensus.transferLeader(1 + (b % nodes.length));
        return true;
      case "change":
        return this.#change(a, b);
      case "replace":
        return this.#replace(node);
      case "badSectors":
        return this.#loseSectors(node, b, lastsMs);
    }
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** What hung never returns. */
  #replug(node: MachineNode): void {
    this.#hung.delete(node);
    node.powerLoss();
    this.#healDisk(node);
    node.start();
  }

  #healDisk(node: MachineNode): void {
    if (this.#hung.has(node)) return;
    const { faults } = node.disk;
    faults.syncMs = this.#cluster.plan.syncMs;
    faults.syncHangs = false;
    faults.writeError = null;
    faults.syncError = null;
    faults.capacityBytes = Number.POSITIVE_INFINITY;
  }

  restartSoon(node: MachineNode): void {
    if (this.#ended) this.#cluster.world.time.schedule(100, "restart", () => node.start());
  }

  #change(a: number, b: number): boolean {
    const leader = this.#cluster.leader();
    if (leader === null || this.isBusy) return false;
    const ids = this.#cluster.nodes.filter((one) => !one.isRetired).map(({ id }) => id);
    const types = ["add-node", "remove-node", "add-learner"] as const;
    const voters = new Set(leader.parts!.state.conf.voters);
    const steps: ConfChangeStep[] = [];
    for (let i = 0; i <= (a >> 4) % 3; i++) {
      const step = { type: types[(a >> (8 + 2 * i)) % 3]!, id: ids[(b >> (i * 4)) % ids.length]! };
      if (step.type === "add-node") voters.add(step.id);
      else voters.delete(step.id);
      steps.push(step);
    }
    if (voters.size === 0) return false;
    const transition = (["auto", "implicit", "explicit"] as const)[(a >> 6) % 3]!;
    this.#cluster.change(b % 7 === 0 ? [] : steps, transition);
    return true;
  }

  /** A disk is bad, or is being replaced: one at a time, and the voters stay who they are. */
  get isBusy(): boolean {
    return this.#replacing !== null || this.#damaged !== null;
  }

  /** Of a voter among three at least. It may go on with what it has for a while; then it is replaced. */
  #loseSectors(node: MachineNode, b: number, lastsMs: number): boolean {
    const leader = this.#cluster.leader();
    if (leader === null || this.isBusy || node.isRetired) return false;
    // A change under way may lead to a quorum that needs this very disk.
    const { pendingConfIndex, log } = leader.core!.raft;
    if (pendingConfIndex > log.applied) return false;
    const { conf } = leader.parts!.state;
    if (conf.voters.length < 3 || conf.votersOutgoing.length > 0) return false;
    if (!conf.voters.includes(node.id)) return false;
    const isDown = b % 2 === 0;
    if (isDown) node.kill();
    const { image } = node.disk;
    const place = writtenSector(image, b);
    if (place === null) return false;
    node.isDamaged = true;
    this.#damaged = node;
    // No zeros: at the log's end they are what a torn write leaves. That such a disk forgot what it had
    // acknowledged is known to its peers only (judge.ts), whom whole nodes have and these do not.
    overwrite(image, place, b, NOISE);
    this.#count(isDown ? "bad sectors while down" : "bad sectors under a running node");
    if (isDown) this.#during(node, lastsMs / 4, () => node.start());
    this.#cluster.world.time.schedule(2_000 + lastsMs, "replace", () => this.#replaceDamaged());
    return true;
  }

  /** As soon as another node leads. */
  #replaceDamaged(): void {
    const node = this.#damaged;
    if (node === null) return;
    if (node.isRetired || this.#replace(node)) {
      this.#damaged = null;
      return;
    }
    const leader = this.#cluster.leader();
    if (leader === node) leader.parts?.driver.consensus.transferLeader(this.#anotherVoter(node));
    this.#cluster.world.time.schedule(500, "replace", () => this.#replaceDamaged());
  }

  #anotherVoter({ id }: MachineNode): number {
    const { voters } = this.#cluster.leader()!.parts!.state.conf;
    return voters.find((voter) => voter !== id) ?? id;
  }

  /** The disk is lost. Its id never acts again; a fresh one takes its place, as a learner first. */
  #replace(node: MachineNode): boolean {
    const leader = this.#cluster.leader();
    if (leader === null || this.#replacing !== null || node.isRetired) return false;
    if (this.#damaged !== null && this.#damaged !== node) return false;
    const { voters, votersOutgoing } = leader.parts!.state.conf;
    // What a majority of the disks forgets is not promised.
    if (voters.length < 3 || votersOutgoing.length > 0 || node === leader) return false;
    node.retire();
    this.#cluster.network.refuse(node.id);
    const fresh = this.#cluster.addNode(this.#cluster.nodes.length + 1);
    this.#replacing = { old: node.id, fresh: fresh.id };
    this.#operate();
    return true;
  }

  /** What an operator does, step by step, as long as it takes. */
  #operate(): void {
    const pending = this.#replacing;
    if (pending === null) return;
    this.#cluster.world.time.schedule(200, "operator", () => this.#operate());
    const leader = this.#cluster.leader();
    if (leader === null) return;
    const { conf } = leader.parts!.state;
    const wasVoter = conf.voters.includes(pending.old);
    if (conf.votersOutgoing.length > 0) {
      if (!conf.autoLeave) this.#cluster.change([], "auto");
    } else if (!conf.learners.includes(pending.fresh) && !conf.voters.includes(pending.fresh)) {
      this.#cluster.change([{ type: "add-learner", id: pending.fresh }], "auto");
    } else if (wasVoter) {
      const match = leader.core!.raft.tracker.progress.get(pending.fresh)?.match ?? 0;
      // Over a long line it never has the very last ones.
      if (match + CAUGHT_UP < this.#cluster.ghost.highest) return;
      const swap: ConfChangeStep[] = [
        { type: "add-node", id: pending.fresh },
        { type: "remove-node", id: pending.old },
      ];
      this.#cluster.change(swap, "implicit");
    } else if (conf.learners.includes(pending.old)) {
      this.#cluster.change([{ type: "remove-node", id: pending.old }], "auto");
    } else this.#replacing = null;
  }

  endAll(): void {
    this.#ended = true;
    this.#cluster.network.heal();
    for (const node of this.#cluster.nodes) {
      if (node.isRetired) continue;
      node.resume();
      if (this.#hung.has(node)) this.#replug(node);
      this.#healDisk(node);
      node.start();
    }
  }
}
