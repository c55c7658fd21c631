/** When all faults have ended: does everybody have everything? */
import type { NodeCluster } from "./cluster.ts";

export function isAtRest(cluster: NodeCluster): boolean {
  return whyNotAtRest(cluster) === null;
}

/** What is still to come; null at rest. */
export function whyNotAtRest(cluster: NodeCluster): string | null {
  const { nodes, replicas, sources, line } = cluster;
  const leader = cluster.leader();
  if (leader === null) return "nobody leads";
  const { state, driver } = leader.node!.core;
  const { file, position } = sources.active.end;
  const newest = state.stream.file;
  const isWritten = sources.ledger.count(sources.active.uuid) > 0;
  if (isWritten && newest?.sourceUuid !== sources.active.uuid)
    return "nothing of the active source is there";
  if (isWritten && (newest?.sourceName !== file || newest.size !== position))
    return `the source is at ${file}:${position}, the stream at ${newest?.sourceName}:${newest?.size}`;
  if (state.conf.votersOutgoing.length > 0) return "a change of voters is not through";
  const all = state.stream.executed.toString();
  for (const id of state.members.keys()) {
    const core = nodes.find((one) => one.node?.core.log.identity.raftId === id)?.node?.core;
    if (core?.state.stream.executed.toString() !== all) return `member ${id} lacks something`;
    if (core.driver.applied !== driver.commit) return `member ${id} has not applied all`;
  }
  // Who was removed has been told: until then it may serve what it has, which is not all.
  for (const { node, name } of nodes) {
    if (node === null || state.members.has(node.core.log.identity.raftId)) continue;
    if (node.core.driver.consensus.fenced === null) return `${name} does not know that it left`;
  }
  if (state.stream.epoch !== line.epoch) return "the timelines differ";
  const behind = replicas.findIndex((replica) => !replica.isDone);
  return behind < 0 ? null : `replica ${behind + 1} lacks something`;
}
