/**
 * Where the leader is to be: in the region of the source, for every transaction goes from there to the
 * leader and from the leader to the others; elsewhere it crosses an ocean twice. The wish has to last
 * for some looks, and after a move there is rest: a leader that moves with each flicker of a link
 * would cost more than it gains.
 */
import type {
  Candidate,
  LeaderMove,
  LeaderPlacement,
  LeaderView,
} from "../src/cluster/policies.ts";

/** So many looks in a row must want the same. */
const LOOKS = 3;
/** Of two regions that are not the wanted one, the nearer counts only if it is this much nearer. */
const GAIN = 0.7;

export function leaderPlacement(cooldownMs: number): LeaderPlacement {
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let wanted: { readonly to: number; readonly times: number } | null = null;
  return {
    look(view) {
      const move = wish(view);
      const times = move !== null && wanted?.to === move.to ? wanted.times + 1 : 1;
      wanted = move === null ? null : { to: move.to, times };
      const rests = view.nowMs < Math.max(restUntilMs, view.leadsSinceMs + cooldownMs);
      return move === null || times < LOOKS || rests ? null : move;
    },
    moved(nowMs) {
      restUntilMs = nowMs + cooldownMs;
      wanted = null;
    },
  };
}

function wish({ ownRegion, wantedRegion, candidates, rttMs }: LeaderView): LeaderMove | null {
  if (wantedRegion === null || ownRegion === wantedRegion) return null;
  const distance = (region: string): number =>
    region === wantedRegion ? 0 : rttMs(region, wantedRegion);
  let best: Candidate | null = null;
  for (const one of candidates) {
    if (!one.ready) continue;
    const nearer = best === null || distance(one.region) < distance(best.region);
    const same = best !== null && distance(one.region) === distance(best.region);
    if (nearer || (same && one.id < best!.id)) best = one;
  }
  if (best === null || distance(best.region) > GAIN * distance(ownRegion)) return null;
  const why =
    best.region === wantedRegion
      ? `The leader is to be in ${wantedRegion}, and this one is in ${ownRegion}`
      : `No voter of ${wantedRegion} can lead; ${best.region} is nearer to it than ${ownRegion}`;
  return { to: best.id, reason: why };
}
