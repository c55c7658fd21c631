/** What sources do, and what operators do about them. */
import type { NodeCluster } from "./cluster.ts";
import type { Acts, NodeFaults } from "./faults.ts";

export function sourceFaults(cluster: NodeCluster, faults: NodeFaults): Acts {
  const { counters, observer, operator } = cluster;
  const sources = (): NodeCluster["sources"] => cluster.sources;

  return {
    cutSource: () => {
      sources().active.cutDumps();
      return true;
    },
    cutSourceInside: () => {
      observer.ambush(() => {
        if (faults.ended) return;
        counters.add("sourceCutInside");
        sources().active.cutDumps();
      });
      return true;
    },
    crashSource: ({ lastsMs }) => {
      const crash = sources().crash();
      if (crash === null) return false;
      counters.add("sourceCrashes");
      faults.after(lastsMs / 3, crash.back);
      return true;
    },
    switchSource: () => {
      if (!sources().switchOver()) return false;
      operator.follow();
      return true;
    },
    recordOnly: () => {
      const { active, standby } = sources();
      if (standby === null || sources().isDown(active)) return false;
      counters.add("recordedOnly");
      // It is asked who it is, and gives nothing.
      standby.refuseDumps = true;
      operator.follow(standby);
      faults.after(1_000, () => {
        standby.refuseDumps = false;
        operator.follow();
      });
      return true;
    },
    putBackSource: ({ lastsMs }) => {
      const back = sources().putBack();
      if (back === null) return false;
      counters.add("reusedGtids");
      faults.after(lastsMs / 4, back.back);
      return true;
    },
    purgeSource: () => {
      // Nobody pulls meanwhile: what is written and purged is missed.
      if (sources().isDown(sources().active) || sources().rightful !== null) return false;
      operator.stopSyncer();
      faults.after(1_200, () => sources().purge());
      faults.after(1_300, () => operator.startSyncer());
      return true;
    },
    unfitSource: () => {
      // It is seen at the next login.
      const { active } = sources();
      active.variables.set("gtid_mode", "ON_PERMISSIVE");
      active.cutDumps();
      faults.after(1_500, () => active.variables.set("gtid_mode", "ON"));
      return true;
    },
    stopSyncer: ({ lastsMs }) => {
      operator.stopSyncer();
      counters.add("operatorStops");
      faults.after(lastsMs, () => operator.startSyncer());
      return true;
    },
    /** A chunk that was committed already comes again, as from a pull that restarts wrongly. */
    staleChunk: ({ b }) => {
      const propose = (): void => {
        const chunk = observer.lastChunk;
        const running = cluster.leader()?.node;
        if (chunk === null || running == null) return;
        try {
          running.core.driver.propose(chunk);
        } catch {
          // It leads no more.
        }
      };
      if (b % 2 === 0) observer.ambush(propose);
      else propose();
      return true;
    },
    rotate: () => {
      cluster.rotateSource();
      return true;
    },
  };
}
