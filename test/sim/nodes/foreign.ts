/** A second cluster, of one node with the same secret, that meets the first one. Neither may take the other in. */
import { Violation } from "../ghost.ts";
import type { NodeCluster } from "./cluster.ts";
import { PEER_PORT, SimNode } from "./node.ts";

export class ForeignCluster {
  readonly #cluster: NodeCluster;
  #node: SimNode | null = null;

  constructor(cluster: NodeCluster) {
    this.#cluster = cluster;
  }

  /** Each asks the other to join, as an operator may by mistake. */
  meet(): boolean {
    const { world, plan } = this.#cluster;
    const node = this.#node ?? this.#found();
    const ours = this.#cluster.leader();
    if (ours === null || node.node === null || !node.leads) return this.#node !== null;
    void this.#mustRefuse(ours, node);
    void this.#mustRefuse(node, ours);
    world.time.schedule(plan.lengthMs, "foreign node ends", () => node.kill());
    return true;
  }

  #found(): SimNode {
    const { world } = this.#cluster;
    const machine = world.machine("stranger");
    machine.clock.earlyMs = 0.9;
    const node = new SimNode(
      machine,
      {
        join: [],
        bootstrapExpect: null,
        bootstrap: true,
        heartbeatMs: 50,
        electionMs: 500,
        segmentBytes: 64 * 1024,
        syncMs: 0.2,
      },
      () => {},
    );
    node.start();
    this.#node = node;
    return node;
  }

  async #mustRefuse(asked: SimNode, other: SimNode): Promise<void> {
    const { broken, counters } = this.#cluster;
    const running = asked.node!;
    const before = running.core.state.members.size;
    const id = running.core.log.identity.clusterId;
    try {
      await running.addMember(`${other.machine.address}:${PEER_PORT}`);
      const added = [...(asked.node?.core.state.members.values() ?? [])].some(({ peer }) =>
        peer.startsWith(`${other.machine.address}:`),
      );
      if (added)
        broken(new Violation("S9", `${asked.name} took in ${other.name}, of another cluster`));
    } catch {
      counters.add("foreignMet");
    }
    if (running.core.log.identity.clusterId !== id || before === 0)
      broken(new Violation("S9", `${asked.name} changed its cluster`));
  }

  /** At the end it is alone, and ours are without it. */
  check(): void {
    const node = this.#node;
    if (node === null) return;
    const { address } = node.machine;
    for (const one of this.#cluster.nodes) {
      const members = [...(one.node?.core.state.members.values() ?? [])];
      if (members.some(({ peer }) => peer.startsWith(`${address}:`)))
        throw new Violation("S9", `${one.name} has a node of another cluster`);
    }
    if ((node.node?.core.state.members.size ?? 1) > 1)
      throw new Violation("S9", `${node.name} has a node of another cluster`);
  }
}
