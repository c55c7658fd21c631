/**
 * What a new source brings along. That it has more than we do is normal: the old one's last
 * transactions, and its own since it was promoted. But somebody may also have written to it while
 * it was a replica. Both look alike, since GTIDs do not say when; so all that was written by
 * servers which never were our source is named, and taken.
 */
import type { StreamState } from "../binlog/stream-state.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { sidUuid } from "../gtid/sid.ts";
import type { SourceCheck } from "./host.ts";
import type { SourceFacts } from "./source-checks.ts";

type Known = Pick<StreamState, "source" | "sourceUuids" | "executed">;
type Theirs = Pick<SourceFacts, "uuid" | "executed">;

/** Empty unless the server is another one than our last source. Ask before it is recorded as ours. */
export function errantTransactions(stream: Known, facts: Theirs): GtidSet {
  const errant = new GtidSet();
  if (stream.source === null || stream.source.uuid === facts.uuid) return errant;
  const more = facts.executed.subtract(stream.executed);
  for (const sid of more.sids()) {
    if (stream.sourceUuids.has(sidUuid(sid))) continue;
    for (const { first, last } of more.intervals(sid)) errant.add(sid, first, last);
  }
  return errant;
}

/** Null when there are none. */
export function errantCheck(errant: GtidSet): SourceCheck | null {
  if (errant.isEmpty) return null;
  return {
    name: "errant_transactions",
    level: "warn",
    message:
      `The new source has transactions of servers that never were our source: ${errant}. ` +
      "Replicas get them. If the source did not write them since it was promoted, they are errant: " +
      "look them up with mysqlbinlog --include-gtids. binraft syncer start takes this notice away",
  };
}
