/** Placement as operators see and change it: the leader's part (operations.ts), and who is nearest. */
import type { ClusterPart } from "./cluster-part.ts";
import { clusterStatus } from "./cluster-status.ts";
import type { Provide } from "./leader-operations.ts";
import type { NodeCore } from "./node-core.ts";
import type { NodeSettings } from "./node-settings.ts";
import { type NearNode, OperationError, type PlacementStatus } from "./operations.ts";
import type { PlacementSettings } from "./policies.ts";
import { PLACEMENT_FORMAT } from "./version-gate.ts";

export function placementStatus(core: NodeCore, cluster: ClusterPart): PlacementStatus {
  const { state, driver } = core;
  const { geo } = cluster;
  const regionOf = (id: number): string => state.members.get(id)?.region ?? "";
  return {
    ...geo.settings,
    sourceRegion: state.settings.source?.region ?? null,
    leaderId: driver.consensus.node.leader,
    current: [...state.conf.voters],
    findings: cluster.lint(state.conf.voters.map(regionOf)),
    plan: geo.plan(),
    rtts: cluster.matrix().rows(),
    last: geo.last,
  };
}

export async function setPlacement(
  core: NodeCore,
  cluster: ClusterPart,
  change: Partial<PlacementSettings>,
): Promise<PlacementStatus> {
  if (core.state.formatVersion < PLACEMENT_FORMAT)
    throw new OperationError(
      "conflict",
      "A member is of a version that knows no placement",
      "binraft member list shows the versions; placement can be set when all are of this one",
    );
  const placement = { ...cluster.geo.settings, ...change };
  if (placement.voters % 2 === 0)
    throw new OperationError(
      "invalid",
      `${placement.voters} voters stand no more losses than ${placement.voters - 1}`,
      "an odd number, such as 3 or 5",
    );
  await core.driver.command({ type: "set-placement", placement });
  return placementStatus(core, cluster);
}

export async function applyPlacement(
  core: NodeCore,
  cluster: ClusterPart,
): Promise<PlacementStatus> {
  const plan = cluster.geo.plan();
  if (plan === null) throw new OperationError("conflict", "No node may vote now");
  await cluster.geo.apply(plan);
  return placementStatus(core, cluster);
}

/** The nearest first; of those as near, the one that lacks least. */
export function nearestNodes(
  core: NodeCore,
  settings: NodeSettings,
  cluster: ClusterPart | null,
  region: string,
): NearNode[] {
  const matrix = cluster?.matrix();
  const away = (to: string): number => (to === region ? 0 : (matrix?.betweenMs(region, to) ?? 0));
  return clusterStatus(core, settings, cluster)
    .members.filter((one) => one.connected && one.server === "running" && one.mysqlAddress !== "")
    .map(({ id, name, region: there, mysqlAddress, lagEntries }) => ({
      id,
      name,
      region: there,
      mysqlAddress,
      rttMs: Math.round(away(there) * 10) / 10,
      lagEntries,
    }))
    .sort((a, b) => a.rttMs - b.rttMs || (a.lagEntries ?? 0) - (b.lagEntries ?? 0) || a.id - b.id);
}

/** Of a node of its own. */
export function refusePlacement(provide: Provide): void {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new OperationError(
        "conflict",
        "This node is of its own: there is nothing to place",
        "start it with [cluster], and other nodes in other regions",
      ),
    );
  for (const name of ["placement", "setPlacement", "applyPlacement"]) provide(name, refuse);
}
