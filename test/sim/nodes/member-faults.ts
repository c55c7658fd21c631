/** What operators do to members, files and disks while all runs. */
import type { NodeCluster } from "./cluster.ts";
import type { Acts, Hit, NodeFaults } from "./faults.ts";
import { REGIONS } from "./regions.ts";

type Change = "promote" | "demote" | "remove";
const METHODS = {
  promote: "promoteMember",
  demote: "demoteMember",
  remove: "removeMember",
} as const satisfies Record<Change, string>;

export function memberFaults(cluster: NodeCluster, faults: NodeFaults): Acts {
  const { counters, world } = cluster;

  const change = (kind: Change, { b }: Hit): boolean => {
    const running = cluster.leader()?.node;
    if (running == null) return false;
    const { conf, members } = running.core.state;
    const ids = {
      promote: conf.learners,
      demote: conf.voters,
      remove: [...members.keys()],
    }[kind];
    const id = ids[b % Math.max(1, ids.length)];
    if (id === undefined || (kind !== "promote" && conf.voters.length <= 2)) return false;
    // With a disk that has lost something a vote less may leave no quorum that has all.
    if (kind !== "promote" && faults.disks.damagedVoters(conf.voters) > 0) return false;
    running[METHODS[kind]](String(id)).then(
      () => kind === "remove" && faults.retire(id),
      () => {},
    );
    return true;
  };

  return {
    transfer: ({ b }) => {
      const running = cluster.leader()?.node;
      if (running == null) return false;
      // Over regions the source is said to be elsewhere, and the leader goes there by itself.
      if (cluster.plan.geo && b % 2 === 0)
        running.setSource({ region: REGIONS[(b >> 1) % REGIONS.length]! }).catch(() => {});
      else running.transferLeader("").catch(() => {});
      return true;
    },
    purge: () => purge(cluster),
    lag: ({ node }) => {
      // It is away while what it lacks is purged, and needs a snapshot then.
      if (node.leads) return false;
      cluster.away.add(node);
      for (const replica of cluster.replicas) replica.cut();
      for (const other of cluster.nodes) {
        if (other === node) continue;
        world.network.setLink(node.name, other.name, { blackHole: true });
        world.network.setLink(other.name, node.name, { blackHole: true });
      }
      for (const ms of [900, 1_800, 2_700]) {
        faults.after(ms, () => {
          cluster.rotateSource();
          cluster.sources.commitMany(30, 12_000);
        });
        faults.after(ms + 700, () => purge(cluster));
      }
      faults.after(4_200, () => {
        cluster.away.delete(node);
        world.network.heal();
      });
      return true;
    },
    join: ({ b }) => {
      if (cluster.nodes.length >= cluster.plan.voters + 3) return false;
      const history = b % 2 === 0 ? "all" : "from-now";
      if (history === "from-now") counters.add("learnersFromNow");
      cluster.addNode(null, { history });
      return true;
    },
    promote: (hit) => change("promote", hit),
    demote: (hit) => change("demote", hit),
    remove: (hit) => change("remove", hit),
    replaceDisk: ({ node, lastsMs }) => faults.disks.lose(node, lastsMs),
  };
}

function purge(cluster: NodeCluster): boolean {
  const running = cluster.leader()?.node;
  const newest = running?.files().at(-1);
  if (running == null || newest === undefined || running.files().length < 2) return false;
  // Only what both replicas have: a real operator's retention waits for them, too.
  const { line, replicas } = cluster;
  const before = line.items.filter(({ entry }) => entry < newest.startEntry).length;
  if (replicas.some(({ at }) => at < before)) return false;
  running.purge(newest.name, false).then(
    () => cluster.counters.add("purges"),
    () => {},
  );
  return true;
}
