/**
 * Two clusters that were meant to be one: machines that began at the same time and did not see each
 * other. Nobody can rule that out with a list that may be old, so whoever is of a cluster goes on looking
 * where it would have looked for one, and listens to who calls it.
 *
 *   meets a node that knows our secret and is of another cluster → tells the leader
 *   the leader of the younger cluster stops its syncer for good: it acknowledges nothing any more, and
 *   says why; the elder one goes on, and both have an alarm
 *
 * A cluster that an operator made of a log (`recover`, `restore`) has no age: then there is the alarm only.
 * An operator who starts the syncer again is not stopped a second time for the same cluster.
 */
import type { Logger } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import type { MetCluster } from "../peers/protocol.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { Address } from "../platform/net.ts";
import type { Discovery } from "./discovery.ts";
import { formatAddress } from "./members.ts";
import type { NodeCore } from "./node-core.ts";

const LOOK_MS = 10_000;
/** Addresses that are asked in one look. */
const MOST = 64;
/** An alarm lasts so long behind the last meeting. */
const ALARM_MS = 60_000;

export interface OtherClustersParts {
  readonly core: NodeCore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly discovery: Discovery;
  /** Of this node. */
  readonly ownPeer: string;
  /** The hello of whoever is there. */
  readonly whoIs: (address: Address) => Promise<MetCluster>;
  /** Tells the leader, which calls `met`. */
  readonly tell: (met: MetCluster) => Promise<unknown>;
}

export class OtherClusters implements Service {
  readonly #parts: OtherClustersParts;
  #last: { readonly clusterId: string; readonly atMs: number } | null = null;

  constructor(parts: OtherClustersParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#parts.clock, LOOK_MS, signal);
      if (!signal.aborted) await this.#look(signal);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { core, discovery, ownPeer, whoIs } = this.#parts;
    const sighting = await discovery.look().catch(() => null);
    const known = new Set([...core.state.members.values()].map(({ peer }) => peer));
    known.add(ownPeer);
    const strangers = (sighting?.addresses ?? []).filter((one) => !known.has(formatAddress(one)));
    for (const address of strangers.slice(0, MOST)) {
      if (signal.aborted) return;
      const met = await whoIs(address).catch(() => null);
      if (met !== null && met.clusterId !== "") this.met(met);
    }
  }

  /** A node of another cluster was met, here. */
  met({ clusterId, foundedMs }: MetCluster): void {
    const { core, clock, logger, tell } = this.#parts;
    if (clusterId === core.log.identity.clusterId) return;
    const isNews = this.#last?.clusterId !== clusterId || this.alarm === null;
    this.#last = { clusterId, atMs: clock.mono() };
    if (!isNews) return;
    logger.error("A node of another cluster with the same secret was met", {
      own: core.log.identity.clusterId,
      other: clusterId,
    });
    tell({ clusterId, foundedMs }).catch((error: Error) => {
      // The next meeting tells again.
      this.#last = null;
      logger.debug("The leader could not be told of another cluster", { reason: error.message });
    });
  }

  /** A sentence while the last meeting is not long ago. */
  get alarm(): string | null {
    const last = this.#last;
    if (last === null || this.#parts.clock.mono() - last.atMs > ALARM_MS) return null;
    return (
      `A node of another cluster (${last.clusterId}) with the same secret was met: if the two were meant to be one, ` +
      "stop the nodes of the younger one, give them empty directories and let them join"
    );
  }
}

/** On the leader: what it is to do about a cluster that somebody met (pure). Null: nothing more. */
export function stopFor(
  own: MetCluster,
  met: MetCluster,
  known: readonly string[],
): { readonly because: string } | null {
  if (known.includes(met.clusterId) || own.foundedMs === null || met.foundedMs === null)
    return null;
  const isYounger =
    own.foundedMs > met.foundedMs ||
    (own.foundedMs === met.foundedMs && own.clusterId > met.clusterId);
  if (!isYounger) return null;
  return {
    because:
      `This cluster (${own.clusterId}) met an elder one with the same secret (${met.clusterId}): they were meant to ` +
      "be one. It pulls and acknowledges nothing any more. Stop its nodes, give them empty directories and let " +
      "them join the elder one; or, if it is the right one, start the syncer again",
  };
}
