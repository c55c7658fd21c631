/**
 * WAIT_FOR_EXECUTED_GTID_SET: until the stream has a set. What is missing is worked out once; after
 * that each advance of the stream looks at the next missing interval only, so that many clients
 * that wait for much do not cost a pass over their sets with every commit.
 */
import type { GtidSet } from "../gtid/gtid-set.ts";
import { resourceExceeded } from "../mysql/errors.ts";
import type { StatementContext } from "./statements.ts";

/** As many as a text of 64 KiB can have. */
const MAX_INTERVALS = 32_768;
const INTERVAL_BYTES = 160;

interface Missing {
  readonly sid: string;
  readonly first: bigint;
  readonly last: bigint;
}

/** True when the set is executed, false when the time is over. */
export async function waitForSet(
  set: GtidSet,
  waitMs: number,
  context: StatementContext,
): Promise<boolean> {
  const { work, stream, account } = context;
  const intervals = set.intervalCount;
  if (intervals > MAX_INTERVALS) throw resourceExceeded(account, "gtid_intervals", intervals);
  work.spend(2 * intervals);
  const missing = missingOf(set, stream.executed);
  if (missing.length === 0) return true;
  work.hold(INTERVAL_BYTES * missing.length);
  let at = 0;
  return context.waitUntil(() => {
    const { executed } = stream;
    while (at < missing.length) {
      const { sid, first, last } = missing[at]!;
      if (!executed.hasRange(sid, first, last)) return false;
      at++;
    }
    return true;
  }, waitMs);
}

function missingOf(set: GtidSet, executed: GtidSet): Missing[] {
  const missing: Missing[] = [];
  for (const sid of set.sids()) {
    const { firsts, lasts } = set.view(sid)!;
    for (let i = 0; i < firsts.length; i++) {
      const [first, last] = [firsts[i]!, lasts[i]!];
      if (!executed.hasRange(sid, first, last)) missing.push({ sid, first, last });
    }
  }
  return missing;
}
