/**
 * Bad disks. No more of them at once than a minority of the voters: what a majority forgets is not promised.
 * What a disk lost counts until its node was proved whole or was replaced, which is what an operator does
 * about one that refuses to start.
 */
import { SEGMENT_HEADER_BYTES } from "../../../src/storage/format.ts";
import { LogCorrupt } from "../../../src/storage/storage.ts";
import { overwrite, SECTOR_BYTES, writtenSector } from "../bad-sectors.ts";
import type { NodeCluster } from "./cluster.ts";
import type { Act, Acts, Hit, NodeFaults } from "./faults.ts";
import { DATA_DIR, type SimNode } from "./node.ts";

/** A repair from a peer takes seconds; after so long an operator believes in none. */
const PATIENCE_MS = 45_000;

export class DiskFaults {
  readonly #cluster: NodeCluster;
  readonly #faults: NodeFaults;
  /** Bytes of theirs were lost. */
  readonly #damaged = new Set<SimNode>();
  /** They said that they do not go on with their disk. */
  readonly #refused = new Set<SimNode>();
  readonly #hung = new Set<SimNode>();
  /** Running nodes that say that they are damaged, and since when. */
  readonly #stuckSince = new Map<SimNode, number>();
  /** Members whose disks are gone for good. */
  readonly lost: Set<number> = new Set();
  readonly acts: Acts;

  constructor(cluster: NodeCluster, faults: NodeFaults) {
    this.#cluster = cluster;
    this.#faults = faults;
    const onOne =
      (act: Act): Act =>
      (hit) =>
        this.#isAffordable(hit.node) && act(hit);
    this.acts = {
      slowDisk: ({ node, b, lastsMs }) => {
        node.machine.disk(DATA_DIR).faults.syncMs = 50 + (b % 700);
        faults.after(lastsMs, () => this.heal(node));
        return true;
      },
      fullDisk: ({ node, lastsMs }) => {
        cluster.counters.add("fullOne");
        return this.#fill([node], lastsMs);
      },
      fullAll: ({ lastsMs }) => {
        cluster.counters.add("fullAll");
        return this.#fill(cluster.nodes, lastsMs);
      },
      failedSync: (hit) => this.#failSyncs(hit),
      hungSync: (hit) => this.#hang(hit),
      readError: onOne((hit) => this.#failReads(hit)),
      flip: onOne((hit) => this.#damage(hit, "flips")),
      sector: onOne((hit) => this.#damage(hit, "sectorsLost")),
    };
  }

  #disk(node: SimNode): ReturnType<SimNode["machine"]["disk"]> {
    return node.machine.disk(DATA_DIR);
  }

  #fill(nodes: readonly SimNode[], lastsMs: number): boolean {
    for (const node of nodes) {
      const { faults, image } = this.#disk(node);
      faults.capacityBytes = image.usedBytes();
      this.#faults.after(lastsMs, () => this.heal(node));
    }
    return true;
  }

  #failSyncs({ node, lastsMs }: Hit): boolean {
    if (!node.up) return false;
    this.#disk(node).faults.syncError = "EIO";
    this.#cluster.counters.add("failedSyncs");
    this.#faults.after(lastsMs, () => {
      // What the kernel forgot is still in its cache; a real machine with such a disk is started anew.
      node.powerLoss();
      this.heal(node);
      node.start();
    });
    return true;
  }

  #hang({ node, lastsMs }: Hit): boolean {
    if (!node.up) return false;
    this.#disk(node).faults.syncHangs = true;
    this.#hung.add(node);
    this.#cluster.counters.add("hungSyncs");
    this.#faults.after(lastsMs, () => {
      this.heal(node);
      node.start();
    });
    return true;
  }

  /** With this one, too, a majority of the voters has whole disks. */
  #isAffordable(node: SimNode): boolean {
    const { conf } = this.#cluster.leader()?.node?.core.state ?? { conf: null };
    if (conf === null || conf.votersOutgoing.length > 0) return false;
    const id = node.log?.identity.raftId;
    const bad = new Set([...this.#damaged].map((one) => one.log?.identity.raftId));
    bad.add(id);
    for (const one of this.lost) bad.add(one);
    const count = conf.voters.filter((voter) => bad.has(voter)).length;
    return id !== undefined && 2 * count < conf.voters.length;
  }

  damagedVoters(voters: readonly number[]): number {
    const ids = [...this.#damaged].map((one) => one.log?.identity.raftId);
    return voters.filter((id) => ids.includes(id) || this.lost.has(id)).length;
  }

  #failReads({ node, b, lastsMs }: Hit): boolean {
    const place = writtenSector(this.#disk(node).image, b);
    if (place === null) return false;
    const { faults } = this.#disk(node);
    faults.readErrors.push({ path: place.path, from: place.at, to: place.at + SECTOR_BYTES });
    this.#damaged.add(node);
    this.#cluster.counters.add("readErrors");
    this.#faults.after(lastsMs, () => {
      faults.readErrors.length = 0;
    });
    return true;
  }

  /** The head of a segment, both copies, while the node is down: it cannot know any more what it has. */
  #behead({ node, b, lastsMs }: Hit): boolean {
    node.kill();
    const place = writtenSector(this.#disk(node).image, b);
    if (place !== null) {
      this.#disk(node).image.damage(place.file, 0, new Uint8Array(SEGMENT_HEADER_BYTES).fill(0xa5));
      this.#damaged.add(node);
      this.#cluster.counters.add("sectorsLost");
      this.#cluster.counters.add("damageDown");
    }
    this.#faults.after(lastsMs, () => node.start());
    return true;
  }

  #damage(hit: Hit, what: "flips" | "sectorsLost"): boolean {
    const { node, b, lastsMs } = hit;
    if (what === "sectorsLost" && (b >> 12) % 4 === 0) return this.#behead(hit);
    const isDown = b % 2 === 0;
    if (isDown) node.kill();
    const place = writtenSector(this.#disk(node).image, b);
    if (place !== null) {
      const { image } = this.#disk(node);
      if (what === "sectorsLost") overwrite(image, place, b);
      else {
        const bytes = new Uint8Array(SECTOR_BYTES);
        place.file.visible.read(place.at, bytes);
        bytes[(b >> 5) % SECTOR_BYTES]! ^= 1 << (b % 8);
        image.damage(place.file, place.at, bytes);
      }
      this.#damaged.add(node);
      this.#cluster.counters.add(what);
      this.#cluster.counters.add(isDown ? "damageDown" : "damageUp");
    }
    if (isDown) this.#faults.after(lastsMs, () => node.start());
    return place !== null || isDown;
  }

  /** The disk of a member is lost at once. */
  lose(node: SimNode, lastsMs: number): boolean {
    if (node.leads || !this.#isAffordable(node)) return false;
    this.#replace(node);
    this.#faults.after(lastsMs, () => node.start());
    return true;
  }

  /** What an operator does: the node comes back with an empty disk and joins; the old member is removed. */
  #replace(node: SimNode): void {
    const { acks, counters } = this.#cluster;
    const id = node.log?.identity.raftId;
    node.powerLoss();
    node.machine.wipe(DATA_DIR);
    this.#damaged.delete(node);
    this.#refused.delete(node);
    this.#stuckSince.delete(node);
    counters.add("replacedNodes");
    if (id === undefined) return;
    acks.lostLogs.set(id, node.log!);
    node.log = null;
    this.lost.add(id);
  }

  /** What ended it is for the operator, if its disk had lost something; else it is a fault of ours. */
  ended(node: SimNode, error: Error): boolean {
    if (!this.#damaged.has(node)) return false;
    if (error instanceof LogCorrupt) {
      this.#cluster.counters.add("refusedStarts");
      this.#refused.add(node);
    }
    return true;
  }

  isGivenUp(node: SimNode): boolean {
    return this.#refused.has(node);
  }

  /**
   * The operator replaces those that cannot go on: they refuse to start, or say for long that they are
   * damaged and nobody has what they lack any more, or their peers remember more than they still have.
   */
  replaceRefused(): void {
    const { now } = this.#cluster.world.time;
    for (const node of this.#damaged) {
      if (/shows a log up to/.test(node.node?.core.driver.consensus.fenced ?? "")) {
        this.#cluster.counters.add("fencedByPeers");
        this.#refused.add(node);
        continue;
      }
      const isStuck = (node.node?.core.log.damage.length ?? 0) > 0;
      if (!isStuck) this.#stuckSince.delete(node);
      else if (now - (this.#stuckSince.get(node) ?? now) < PATIENCE_MS)
        this.#stuckSince.set(node, this.#stuckSince.get(node) ?? now);
      else {
        this.#cluster.counters.add("unrepairable");
        this.#refused.add(node);
      }
    }
    for (const node of [...this.#refused]) {
      this.#replace(node);
      node.start();
    }
  }

  heal(node: SimNode): void {
    const { faults } = this.#disk(node);
    faults.syncMs = this.#cluster.plan.syncMs;
    faults.syncError = null;
    faults.readErrors.length = 0;
    faults.capacityBytes = Number.POSITIVE_INFINITY;
    // What hung never returns.
    if (this.#hung.delete(node)) node.powerLoss();
    faults.syncHangs = false;
  }
}
