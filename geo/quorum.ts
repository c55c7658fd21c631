/** How many of so many voters make a commit, and how many one region may have. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** So that no region has a quorum or takes one away; over two regions one has to have the majority. */
export function capOf(voters: number, regions: number): number {
  if (regions >= 3) return Math.max(1, (voters - 1) / 2);
  return regions === 2 ? quorumOf(voters) : voters;
}
