/**
 * Heartbeats and election time-outs for the distances of a cluster: an election takes two round trips
 * and what they wander, and a time-out below ten of them calls elections that nobody needs. One
 * heartbeat is about a round trip. Both grow at once when they are too short, and shrink only when they
 * are much too long, in steps: every change is an entry in the log and the same on all nodes.
 */
import type { RaftTiming } from "../src/cluster/consensus-parts.ts";
import type { SlowestLink } from "../src/cluster/policies.ts";

const ROUND_TRIPS = 10;
/** Of those that are as slow as hardly any: a few of them in a row must not look like a loss. */
const WORST_ROUND_TRIPS = 4;
/** What is too long by less than this is left. */
const SHRINK_AT = 0.6;
/** A quarter above what is needed: room, so that a small change of the distance changes nothing. */
const ROOM = 1.25;
const STEP_MS = 10;
const MOST_HEARTBEAT_MS = 5_000;

/** `least` is what the configuration says; the ratio of both times stays that of `least`. */
export function timing(
  current: RaftTiming,
  least: RaftTiming,
  { smoothedMs, worstMs }: SlowestLink,
): RaftTiming {
  const ticks = least.electionMs / least.heartbeatMs;
  const wantedMs = Math.max(ROUND_TRIPS * smoothedMs, WORST_ROUND_TRIPS * worstMs);
  const mostMs = MOST_HEARTBEAT_MS * ticks;
  const neededMs = Math.max(least.electionMs, Math.min(mostMs, wantedMs));
  const enough = current.electionMs >= neededMs;
  const muchTooLong = current.electionMs * SHRINK_AT > neededMs * ROOM;
  if (enough && !muchTooLong) return current;
  if (neededMs === least.electionMs) return least;
  const heartbeatMs = (neededMs * ROOM) / ticks;
  const rounded = Math.ceil(heartbeatMs / STEP_MS) * STEP_MS;
  const bounded = Math.max(least.heartbeatMs, Math.min(MOST_HEARTBEAT_MS, rounded));
  return { heartbeatMs: bounded, electionMs: bounded * ticks };
}
