/** How a cluster comes to be: all voters at once, or one that the others join and are promoted by. */
import { Violation } from "../ghost.ts";
import type { NodeCluster } from "./cluster.ts";

const FORM_MS = 60_000;

export async function formCluster(cluster: NodeCluster): Promise<void> {
  const { voters, formation } = cluster.plan;
  const isOne = formation === "bootstrap";
  for (let i = 0; i < voters; i++)
    cluster.addNode(isOne ? null : voters, isOne && i === 0 ? { bootstrap: true } : {});
  if (isOne) promoteAll(cluster);
  const isFormed = (): boolean => {
    const leader = cluster.leader()?.node;
    return leader != null && leader.core.state.conf.voters.length === voters;
  };
  if (!(await cluster.reaches(isFormed, FORM_MS)))
    throw new Violation("L1", `no cluster: ${cluster.describe()}`);
  if (isOne) cluster.counters.add("formedByBootstrap");
}

/** Who is a learner and has all becomes a voter; it is asked again until it does. */
function promoteAll(cluster: NodeCluster): void {
  cluster.world.time.schedule(200, "promote", () => {
    const running = cluster.leader()?.node;
    const { voters = [], learners = [] } = running?.core.state.conf ?? {};
    if (voters.length >= cluster.plan.voters) return;
    const [learner] = learners;
    if (learner !== undefined) running!.promoteMember(String(learner)).catch(() => {});
    promoteAll(cluster);
  });
}
