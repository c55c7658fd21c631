/**
 * Majorities and pairs of them (thesis §4.3): what is committed, and how a vote stands.
 *
 * A joint configuration decides only what both halves decide. An empty half decides everything:
 * it has committed all there is and has won every vote, so that a half that is not there does not
 * count.
 */
export type VoteResult = "pending" | "lost" | "won";

/** Ascending ids of one half. */
export type MajorityConfig = readonly number[];

/** A pair of majorities; the second is empty outside of a change. */
export interface JointConfig {
  readonly incoming: MajorityConfig;
  readonly outgoing: MajorityConfig;
}

/** The highest index that a majority has acknowledged; `acked` gives a voter's, 0 when unknown. */
export function majorityCommitted(voters: MajorityConfig, acked: (id: number) => number): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const indexes = voters.map(acked).sort((a, b) => a - b);
  return indexes[indexes.length - (Math.floor(voters.length / 2) + 1)]!;
}

/** `vote` gives a voter's answer, undefined while there is none. */
export function majorityVote(
  voters: MajorityConfig,
  vote: (id: number) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return "won";
  let yes = 0;
  let missing = 0;
  for (const id of voters) {
    const answer = vote(id);
    if (answer === undefined) missing++;
    else if (answer) yes++;
  }
  const quorum = Math.floor(voters.length / 2) + 1;
  if (yes >= quorum) return "won";
  return yes + missing >= quorum ? "pending" : "lost";
}

export function jointCommitted(config: JointConfig, acked: (id: number) => number): number {
  return Math.min(
    majorityCommitted(config.incoming, acked),
    majorityCommitted(config.outgoing, acked),
  );
}

export function jointVote(
  config: JointConfig,
  vote: (id: number) => boolean | undefined,
): VoteResult {
  const incoming = majorityVote(config.incoming, vote);
  const outgoing = majorityVote(config.outgoing, vote);
  if (incoming === outgoing) return incoming;
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return "pending";
}

/** All voters of both halves, ascending. */
export function jointIds(config: JointConfig): number[] {
  return ascending(new Set([...config.incoming, ...config.outgoing]));
}

export function ascending(ids: Iterable<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}
