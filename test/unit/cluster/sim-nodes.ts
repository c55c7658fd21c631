/** Whole nodes on simulated machines, without a source: for tests of who belongs to a cluster. */
import assert from "node:assert/strict";
import { estimateRttMs } from "../../../geo/rtt.ts";
import { World } from "../../../runtime/memory/world.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import { type NodePlan, PEER_PORT, SimNode } from "../../sim/nodes/node.ts";

const DEADLINE_MS = 30_000;

export class SimNodes {
  readonly world: World;
  readonly nodes: SimNode[] = [];
  /** Why nodes ended by themselves. */
  readonly ended: Error[] = [];

  constructor(seed: number) {
    this.world = new World(seed);
    this.world.network.defaults.latencyMs = 1;
  }

  /** A machine with a process. */
  add(name: string, plan: Partial<NodePlan> = {}): SimNode {
    const node = this.prepare(name, plan);
    node.start();
    return node;
  }

  /** A machine whose process is not started yet. */
  prepare(name: string, plan: Partial<NodePlan> = {}): SimNode {
    const full: NodePlan = {
      join: [],
      bootstrapExpect: null,
      heartbeatMs: 50,
      electionMs: 500,
      segmentBytes: 64 * 1024,
      syncMs: 0.2,
      ...plan,
    };
    const node = new SimNode(this.world.machine(name), full, (_node, error) =>
      this.ended.push(error),
    );
    this.nodes.push(node);
    return node;
  }

  /** Each region as far from the others as geography estimates. */
  spread(nodes: readonly SimNode[] = this.nodes): void {
    for (const a of nodes) {
      for (const b of nodes) {
        if (a === b) continue;
        const rttMs = estimateRttMs(a.region, b.region) ?? 1;
        this.world.network.setLink(a.name, b.name, { latencyMs: rttMs / 2 });
      }
    }
  }

  /** Voters that form a cluster, and their leader. */
  async formed(count: number): Promise<SimNode> {
    const names = Array.from({ length: count }, (_, i) => `n${i + 1}`);
    for (const name of names) this.add(name, { join: names, bootstrapExpect: count });
    const isFormed = (): boolean =>
      this.nodes.every((node) => leaderOf(node) > 0) && this.nodes.some(({ leads }) => leads);
    await this.until("they form a cluster", isFormed);
    return this.leader();
  }

  leader(): SimNode {
    const leading = this.nodes.filter((node) => node.leads);
    const term = (node: SimNode): number => node.node!.core.driver.term;
    const [leader] = leading.sort((a, b) => term(b) - term(a));
    assert.ok(leader !== undefined, `nobody leads: ${this.describe()}`);
    return leader;
  }

  followers(): SimNode[] {
    const leader = this.leader();
    return this.nodes.filter((node) => node !== leader);
  }

  async until(what: string, condition: () => boolean, deadlineMs = DEADLINE_MS): Promise<void> {
    if (!(await this.world.time.runUntil(condition, deadlineMs)))
      assert.fail(`${what}: not within ${deadlineMs} ms; ${this.describe()}`);
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    return this.world.time.run(task, 5 * 60_000);
  }

  /** The operation's outcome; "" when it was done, its error's text when not. */
  async refused(task: () => Promise<unknown>): Promise<string> {
    return this.run(() => task().then(() => "", told));
  }

  peerOf(node: SimNode): string {
    return `${node.machine.address}:${PEER_PORT}`;
  }

  cut(node: SimNode): void {
    for (const other of this.nodes)
      if (other !== node) this.world.network.partition([node.name], [other.name]);
  }

  describe(): string {
    return this.nodes.map((node) => node.describe()).join("; ");
  }
}

function told(error: Error & { kind?: string; next?: string }): string {
  return `${error.kind}: ${error.message}${error.next ? `; ${error.next}` : ""}`;
}

/** As it knows it itself; 0 for none. */
export function leaderOf(node: SimNode): number {
  return node.node?.core.driver.consensus.node.leader ?? 0;
}

export function idOf(node: SimNode): number {
  return running(node).core.log.identity.raftId;
}

export function running(node: SimNode): RunningNode {
  assert.ok(node.node !== null, `${node.name} does not run: ${node.lines.slice(-3).join("\n")}`);
  return node.node;
}
