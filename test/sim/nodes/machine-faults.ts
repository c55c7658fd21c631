/** Processes, machines, and the lines between them. */
import type { NodeCluster } from "./cluster.ts";
import type { Acts, Hit, NodeFaults } from "./faults.ts";
import { SOURCE_NAMES } from "./sources.ts";

export function machineFaults(cluster: NodeCluster, faults: NodeFaults): Acts {
  const { world, counters } = cluster;

  const stop = (how: "kill" | "powerLoss", { node, lastsMs }: Hit): boolean => {
    node[how]();
    faults.after(lastsMs, () => node.start());
    return true;
  };
  const stopAll = (how: "kill" | "powerLoss", { lastsMs }: Hit): boolean => {
    for (const one of cluster.nodes) one[how]();
    faults.after(lastsMs, () => {
      for (const one of cluster.nodes) if (!faults.disks.isGivenUp(one)) one.start();
    });
    return true;
  };
  const cut = ({ node, lastsMs }: Hit, directions: readonly ("to" | "from")[]): boolean => {
    for (const other of cluster.nodes) {
      if (other === node) continue;
      if (directions.includes("to"))
        world.network.setLink(node.name, other.name, { blackHole: true });
      if (directions.includes("from"))
        world.network.setLink(other.name, node.name, { blackHole: true });
    }
    faults.after(lastsMs, () => world.network.heal());
    return true;
  };

  return {
    kill: (hit) => stop("kill", hit),
    powerLoss: (hit) => stop("powerLoss", hit),
    killAll: (hit) => stopAll("kill", hit),
    powerLossAll: (hit) => stopAll("powerLoss", hit),
    pause: ({ node, lastsMs }) => {
      node.pause();
      faults.after(lastsMs, () => node.resume());
      return true;
    },
    killLeaderInside: ({ b, lastsMs }) => {
      cluster.observer.ambush((leader) => {
        if (faults.ended) return;
        counters.add("leaderKilledInside");
        stop(b % 2 === 0 ? "kill" : "powerLoss", { node: leader, b, lastsMs });
      });
      return true;
    },
    pauseLeaderInside: () => {
      cluster.observer.ambush((leader) => {
        if (faults.ended) return;
        counters.add("leaderPausedInside");
        leader.pause();
        // Long enough for another one to lead and pull.
        faults.after(4_000, () => leader.resume());
      });
      return true;
    },
    isolate: (hit) => cut(hit, ["to", "from"]),
    oneWay: (hit) => cut(hit, [hit.b % 2 === 0 ? "to" : "from"]),
    hideSource: ({ lastsMs }) => {
      const names = cluster.nodes.map(({ name }) => name);
      world.network.partition(SOURCE_NAMES, names);
      faults.after(lastsMs, () => world.network.heal());
      return true;
    },
    foreign: () => cluster.foreign.meet(),
    cutReplica: ({ b }) => {
      cluster.replicas[b % cluster.replicas.length]?.cut();
      return cluster.replicas.length > 0;
    },
  };
}
