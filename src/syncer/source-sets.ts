/** What our GTID set lacks or has too many against the source's: GAP, FORK or REFUSED. */
import type { GtidSet } from "../gtid/gtid-set.ts";
import { type SyncerHost, SyncerStop } from "./host.ts";
import type { SourceFacts } from "./source-checks.ts";

type TheirSets = Pick<SourceFacts, "uuid" | "executed" | "purged">;

/** `executed` is ours. */
export function checkSets(
  host: SyncerHost,
  facts: TheirSets,
  executed: GtidSet = host.stream.executed,
): void {
  const { source } = host.stream;
  const missing = facts.purged.subtract(executed);
  const extra = executed.subtract(facts.executed);
  if (!extra.isEmpty) {
    const gtids = { stored: executed.toString(), "missing at the source": extra.toString() };
    if (source === null || source.uuid === facts.uuid) {
      throw new SyncerStop(
        "FORK",
        `The source ${facts.uuid} no longer has transactions that were pulled from it: ` +
          "it was reset, restored from an older backup, or lost them in a crash",
        "point to a server that has them (binraft syncer set), or begin anew (binraft syncer new-timeline)",
        gtids,
      );
    }
    throw new SyncerStop(
      "REFUSED",
      `The server ${facts.uuid} lacks transactions that are stored here: replicas would be ahead of it`,
      "let that server catch up from binraft first, or point to another (binraft syncer set)",
      gtids,
    );
  }
  if (!missing.isEmpty) throw gap(host, facts, missing, executed);
}

/** What the source purged it cannot show either: that its history is ours. */
function purgedProof({ stream }: SyncerHost, { uuid, purged }: TheirSets): boolean {
  const { last, source } = stream;
  return last !== null && source?.uuid === uuid && purged.has(last.sid, last.gno);
}

export function gap(
  host: SyncerHost,
  facts: TheirSets,
  missing: GtidSet,
  executed: GtidSet,
): SyncerStop {
  const unproved = purgedProof(host, facts)
    ? ", and also what would prove that its history is the one stored here: do not accept the gap if the source " +
      "was put back to an earlier moment, it may have given used numbers to other transactions"
    : "";
  return new SyncerStop(
    "GAP",
    `The source has purged transactions that are not stored here${unproved}`,
    "point to a server that still has them (binraft syncer set), or give them up for good " +
      `(binraft syncer accept-gap '${missing}')`,
    {
      missing: missing.toString(),
      stored: executed.toString(),
      "purged at the source": facts.purged.toString(),
    },
  );
}
