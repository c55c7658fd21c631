/**
 * The operator: wants one source and a running syncer, sees what stops it, and does what the docs say
 * about it; replaces nodes that refuse their disks, and removes members that never come back.
 */

import { SeededRandom } from "../../../runtime/memory/random.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import { LogCorrupt } from "../../../src/storage/storage.ts";
import type { SyncerStatus } from "../../../src/syncer/host.ts";
import type { WorldSource } from "../../unit/cluster/world-source.ts";
import type { NodeCluster } from "./cluster.ts";
import type { Reached } from "./reached.ts";

const LOOK_MS = 250;
/** How long it thinks about a syncer that stopped. */
const THINK_MS = 600;

const HALTS: Readonly<Record<string, Reached>> = {
  FORK: "haltFork",
  GAP: "haltGap",
  REFUSED: "haltRefused",
};

export class Operator {
  readonly #cluster: NodeCluster;
  readonly #random: SeededRandom;
  #source: WorldSource | null = null;
  #wanted: "running" | "stopped" = "running";
  /** What the syncer stopped for, and since when. */
  #halt = { state: "", sinceMs: 0 };

  constructor(cluster: NodeCluster) {
    this.#cluster = cluster;
    this.#random = new SeededRandom(cluster.plan.seed).fork("operator");
  }

  /** Sets this source, or the one that is active. */
  follow(source: WorldSource | null = null): void {
    this.#source = source;
  }

  stopSyncer(): void {
    this.#wanted = "stopped";
  }
  startSyncer(): void {
    this.#wanted = "running";
  }

  /** All faults have ended. */
  settle(): void {
    this.#source = null;
    this.#wanted = "running";
    for (const source of this.#cluster.sources.all) {
      source.refuseDumps = false;
      source.variables.set("gtid_mode", "ON");
    }
  }

  begin(): void {
    const { world } = this.#cluster;
    world.time.schedule(LOOK_MS, "operator", () => {
      this.#look();
      this.begin();
    });
  }

  #look(): void {
    const { faults } = this.#cluster;
    faults.disks.replaceRefused();
    const running = this.#cluster.leader()?.node;
    if (running == null) return;
    this.#members(running);
    const { settings } = running.core.state;
    const source = this.#source ?? this.#cluster.sources.active;
    if (settings.source !== null && settings.source.host !== source.machine.address)
      this.#point(running, source.machine.address, settings.source.passwordRef);
    else if (settings.syncer !== this.#wanted) {
      if (this.#wanted === "running") running.startSyncer().catch(() => {});
      else running.stopSyncer().catch(() => {});
    } else this.#syncer(running, running.status().syncer);
  }

  /** With the password: another server gets it only if it is named again. */
  #point(running: RunningNode, host: string, passwordRef: string | null): void {
    running.setSource({ host, passwordRef }).catch(() => {});
  }

  #syncer(running: RunningNode, status: SyncerStatus): void {
    const { counters, world } = this.#cluster;
    const { state } = status;
    const halt = HALTS[state];
    if (halt === undefined) {
      this.#halt = { state: "", sinceMs: 0 };
      return;
    }
    if (this.#halt.state !== state) {
      counters.add(halt);
      this.#halt = { state, sinceMs: world.time.now };
      if (status.next === "")
        this.#cluster.broken(new Error(`${state} without a next step: ${status.reason}`));
    }
    if (world.time.now - this.#halt.sinceMs < THINK_MS) return;
    this.#halt = { state: "", sinceMs: 0 };
    this.#act(running, status);
  }

  #act(running: RunningNode, { state, gtids, next }: SyncerStatus): void {
    const { sources } = this.#cluster;
    const { clusterId } = running.core.log.identity;
    if (state === "GAP") {
      running.acceptGap(gtids["missing"]!, clusterId).catch(() => {});
      return;
    }
    // The server that still has all, if there is one; or the one that was put back counts from now on.
    const beginsAnew = state === "FORK" && this.#random.below(3) === 0;
    if (!beginsAnew && sources.takeRightful() !== null) return;
    if (state === "FORK") {
      sources.giveUpRightful();
      running.newTimeline(clusterId).catch(() => {});
    } else if (!next.includes("accept-unproved")) running.startSyncer().catch(() => {});
    else if (sources.isWhole) running.acceptUnproved(clusterId).catch(() => {});
    else {
      sources.giveUpRightful();
      running.newTimeline(clusterId).catch(() => {});
    }
  }

  /** Members whose disks are gone never come back; fresh ones take their votes. */
  #members(running: RunningNode): void {
    const { faults, plan } = this.#cluster;
    const { lost } = faults.disks;
    const { members, conf } = running.core.state;
    for (const id of lost) {
      if (members.has(id)) running.removeMember(String(id)).catch(() => {});
      else lost.delete(id);
    }
    const [learner] = conf.learners;
    if (conf.voters.length < Math.min(3, plan.voters) && learner !== undefined)
      running.promoteMember(String(learner)).catch(() => {});
  }
}

/** What ends a process and nobody planned. */
export function isOurFault(error: Error): boolean {
  return error instanceof LogCorrupt || error.name === "AssertionError";
}
