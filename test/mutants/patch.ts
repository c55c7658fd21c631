/** A planted bug: `from`, which occurs once in `file`, becomes `to`. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Which simulator hunts it: of bare cores, of machines with log and ready loop, or of whole nodes. */
  readonly by: "cores" | "machines" | "nodes";
}

export function patch(
  by: Mutant["by"],
): (name: string, file: string, from: string, to: string) => Mutant {
  return (name, file, from, to) => ({ name, file, from, to, by });
}
