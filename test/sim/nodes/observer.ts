/**
 * Watches every node from its start on: builds the line of what was applied, compares what nodes made of it,
 * judges new leaders, and counts which states were reached.
 */

import { ChunkFlag } from "../../../src/binlog/chunk.ts";
import type { NodeCore } from "../../../src/cluster/node-core.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Violation } from "../ghost.ts";
import type { NodeCluster } from "./cluster.ts";
import { Folds } from "./folds.ts";
import type { SimNode } from "./node.ts";

/** What happens at the next chunk that leaves a transaction open at the leader. */
export type Ambush = (leader: SimNode) => void;

export class Observer {
  readonly #cluster: NodeCluster;
  readonly folds: Folds = new Folds();
  readonly #leaders = new Set<string>();
  readonly #snapshots = new Set<string>();
  readonly #servers: string[] = [];
  #ambushes: Ambush[] = [];
  /** The last entry counted. */
  #counted = 0;
  #wasOpen = false;
  leaderChanges = 0;
  /** A chunk as it was committed, to be proposed again. */
  lastChunk: Uint8Array | null = null;

  constructor(cluster: NodeCluster) {
    this.#cluster = cluster;
  }

  ambush(act: Ambush): void {
    this.#ambushes.push(act);
  }

  /** Of a process, before it applies anything. */
  started(sim: SimNode, core: NodeCore): void {
    const { line, acks, counters } = this.#cluster;
    const { state, driver } = core;
    let conf = state.conf;
    let payload: Uint8Array | null = null;
    const guard = (act: () => void): void => {
      try {
        act();
      } catch (error) {
        this.#cluster.broken(error as Error);
      }
    };
    const done = (): void => {
      acks.applied(sim, state.stream.applied);
      this.folds.compare(sim.name, state);
    };
    driver.observe({
      entryApplied: ({ data }) => {
        payload = data;
      },
      chunkApplied: (chunk, outcome) =>
        guard(() => {
          const { stream } = state;
          if (outcome.accepted && stream.epoch === line.epoch)
            line.took(stream.applied, chunk, stream.file!);
          if (stream.applied > this.#counted) {
            this.#counted = stream.applied;
            if (this.#cluster.keepsChunks) this.lastChunk = payload!.slice();
            this.#count(chunk.flags, outcome.accepted, stream.file?.sourceUuid ?? "");
          }
          if (stream.open !== null && sim.leads) this.#spring(sim);
          done();
        }),
      commandApplied: (command) =>
        guard(() => {
          const { applied } = state.stream;
          if (command.type === "purge" && applied > this.#counted) {
            this.#counted = applied;
            if (this.#cluster.purgesByItself) counters.add("retentionPurges");
          }
          if (command.type === "new-timeline" && line.newTimeline(applied))
            counters.add("newTimelines");
          if (
            command.type === "accept-gap" &&
            line.acceptGap(applied, GtidSet.parse(command.gtids))
          )
            counters.add("acceptedGaps");
          done();
        }),
      confApplied: (_index, next) =>
        guard(() => {
          acks.configured(next, conf);
          conf = next;
          done();
        }),
      replaced: () => {
        counters.add("snapshotsInstalled");
        acks.applied(sim, state.stream.applied);
        conf = state.conf;
      },
    });
  }

  #count(flags: number, accepted: boolean, server: string): void {
    const { counters } = this.#cluster;
    if (!accepted) {
      counters.add("refusedChunks");
      return;
    }
    if ((flags & ChunkFlag.RESTARTS) !== 0 && this.#wasOpen) counters.add("brokenTails");
    if ((flags & ChunkFlag.CONTINUES) !== 0) counters.add("continuedTransactions");
    this.#wasOpen = (flags & ChunkFlag.ENDS_OPEN) !== 0;
    if (this.#wasOpen) counters.add("unfinishedTransactions");
    if (this.#servers.at(-1) === server) return;
    if (this.#servers.length > 0) counters.add("sourceChanges");
    if (this.#servers.includes(server)) counters.add("sourceReturns");
    this.#servers.push(server);
  }

  #spring(leader: SimNode): void {
    const ambushes = this.#ambushes;
    this.#ambushes = [];
    // Not inside its own apply.
    for (const act of ambushes) this.#cluster.world.time.schedule(0, "ambush", () => act(leader));
  }

  /** Now and then. */
  look(): void {
    for (const node of this.#cluster.nodes) {
      const core = node.node?.core;
      if (core === undefined || !node.leads) continue;
      this.#lookForSnapshots(node, core);
      this.#judgeLeader(node, core);
    }
    for (const replica of this.#cluster.replicas) replica.look();
    for (const one of this.#cluster.nodes) {
      const mismatched = one.node?.metrics().raft.hashMismatches ?? 0;
      if (mismatched > 0)
        this.#cluster.broken(
          new Violation("B9", `${one.name} has other entries than another node`),
        );
    }
  }

  #lookForSnapshots({ name }: SimNode, { driver }: NodeCore): void {
    for (const [id, { pendingSnapshot }] of driver.consensus.node.raft.tracker.progress) {
      const key = `${name} ${id} ${pendingSnapshot}`;
      if (pendingSnapshot === 0 || this.#snapshots.has(key)) continue;
      this.#snapshots.add(key);
      this.#cluster.counters.add("snapshotsSent");
    }
  }

  /** B2: it has what was acknowledged before its term, and what a replica got. */
  #judgeLeader(node: SimNode, { driver, state }: NodeCore): void {
    const { line } = this.#cluster;
    const key = `${node.name} ${driver.term}`;
    if (this.#leaders.has(key) || state.stream.epoch !== line.epoch) return;
    this.#leaders.add(key);
    this.leaderChanges++;
    // What came in its own term others may have had, and given on, before its own disk had it.
    const { termStart } = driver.consensus;
    const before = line.items.findLastIndex(({ entry }) => entry < termStart) + 1;
    const must = line.setOf(Math.min(before, Math.max(line.acked, line.given)));
    const missing = must.subtract(state.stream.executed);
    if (!missing.isEmpty)
      this.#cluster.broken(new Violation("B2", `${key} leads without ${missing}`));
  }
}
