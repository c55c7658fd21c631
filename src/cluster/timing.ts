/** Heartbeats and elections as they are in use: the configuration's, or longer by what the log says. */
import type { RaftTiming } from "./consensus-parts.ts";

/** `heartbeatMs` as applied, 0 while nothing was decided. The number of ticks of an election stays. */
export function timingOf(configured: RaftTiming, heartbeatMs: number): RaftTiming {
  if (heartbeatMs <= configured.heartbeatMs) {
    const { heartbeatMs: ownHeartbeatMs, electionMs } = configured;
    return { heartbeatMs: ownHeartbeatMs, electionMs };
  }
  const ticks = configured.electionMs / configured.heartbeatMs;
  return { heartbeatMs, electionMs: heartbeatMs * ticks };
}
